"""The names of layers within models."""

import keras
import network_pruning as npr
from keras import layers
from keras_models import randomized
from network_pruning.models.kernels import all_kernels
from network_pruning.models.layer_names import levels_of_layers


def nested():
    """Two nested models whose layers have the same names and paths."""

    def inner(name):
        inputs = keras.Input((4,))
        return keras.Model(inputs, layers.Dense(4, name="dense")(inputs), name=name)

    inputs = keras.Input((4,))
    x = inner("two")(inner("one")(inputs))
    return randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))


def test_kernels_of_one_name_are_told_apart():
    model = nested()
    assert [kernel.name for kernel in all_kernels(model)] == ["one/dense", "two/dense", "out"]
    # With one name for both, only one of them was pruned.
    size = npr.measure(npr.prune(model, 0.5))
    assert size.layer_sparsity == {"one/dense": 0.5, "two/dense": 0.5}


def test_a_layer_goes_by_the_names_of_what_it_is_in():
    model = nested()
    dense = model.get_layer("one").get_layer("dense")
    levels = levels_of_layers(model)[id(dense)]
    assert [level.names for level in levels] == [{"dense", "one/dense"}, {"one"}]
    assert [level.layers for level in levels] == [[dense], [model.get_layer("one")]]
