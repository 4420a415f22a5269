"""Units by hand: `dependency_groups` and `remove`."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import OwnWeights, answers, attention, mixed, randomized, recurrent


def by_hand(model, name, numbers):
    """The answers of a model whose reader of these units has no weights for them."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    reader = copy.get_layer(name)
    kernel, *others = reader.get_weights()
    kernel[..., numbers, :] = 0
    reader.set_weights([kernel, *others])
    return answers(copy)


def test_what_is_removed_is_as_if_nobody_read_it():
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(5, 2, activation="sigmoid", name="one")(inputs)
    x = layers.PReLU(shared_axes=[1, 2])(layers.BatchNormalization()(x))
    x = layers.Conv2D(4, 2, name="two")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x))))
    smaller = npr.remove(model, {"one": [0, 3]})
    assert smaller.get_layer("one").filters == 3
    for ours, theirs in zip(answers(smaller), by_hand(model, "two", [0, 3]), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    kept = model.get_layer("one").get_weights()[0][..., [1, 2, 4]]
    np.testing.assert_array_equal(smaller.get_layer("one").get_weights()[0], kept)


def test_what_is_added_up_goes_together():
    model = randomized(mixed())
    smaller = npr.remove(model, {"project": [1], "dense": np.array([0, 5]), "separable": []})
    assert [smaller.get_layer(name).filters for name in ("stem", "project")] == [5, 5]
    assert smaller.get_layer("depthwise").get_weights()[0].shape[2] == 5
    assert smaller.get_layer("dense").units == 4
    assert smaller.get_layer("separable").filters == 8


def test_units_of_recurrent_layers_and_heads():
    smaller = npr.remove(randomized(recurrent()), {"both": [0], "gru": [1, 2], "simple": [5]})
    both, gru = smaller.get_layer("both"), smaller.get_layer("gru")
    assert (both.forward_layer.units, both.backward_layer.units) == (5, 5)
    assert (gru.units, smaller.get_layer("simple").units) == (6, 5)
    heads = npr.remove(randomized(attention()), {"attention": [1]}).get_layer("attention")
    assert heads.num_heads == 1


def test_groups_are_a_table():
    groups = npr.dependency_groups(randomized(mixed()))
    stem = groups["stem"]
    assert stem.units == 6
    assert stem.kernels == ("stem", "depthwise", "project", "separable/depthwise_kernel")
    assert stem.readers == ("project",)
    assert "separable/pointwise_kernel" in groups
    lines = str(groups).splitlines()
    assert lines[0].split() == ["units", "of", "read", "by"]
    assert lines[2].split(maxsplit=1)[1].startswith("stem, depthwise, project, separable/depthw")
    assert len(lines) == 2 + len(groups)


def test_what_cannot_be_removed_is_listed():
    groups = npr.dependency_groups(randomized(attention()))
    assert {"query", "wide"} <= set(groups)
    assert "not removable: narrow (because of layer_normalization" in str(groups).splitlines()[-1]


def own():
    inputs = keras.Input((5,))
    x = OwnWeights(name="own")(layers.Dense(4, name="first")(inputs))
    x = layers.Dense(4, name="second")(x)
    return randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))


def test_names_of_groups_are_names_of_units():
    for make in (mixed, attention, recurrent):
        model = randomized(make())
        for name, group in npr.dependency_groups(model).items():
            smaller = npr.remove(model, {name: [0]})
            left = npr.dependency_groups(smaller)
            assert sum(g.units for g in left.values()) < sum(
                g.units for g in npr.dependency_groups(model).values()
            ), (name, group)


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ([1], "give numbers by layer"),
        ({"second": 1}, "give numbers by layer"),
        ({"second": [True]}, "give numbers, not booleans"),
        ({}, "give numbers by layer"),
        ({"third": [1]}, r"'third' is no layer with units; choose from first, second, out\."),
        ({"own": [1]}, "'own' is no layer with units"),
        ({"second": [4]}, r"'second' has no unit 4; they go from 0 to 3\."),
        ({"second": [-1]}, "has no unit -1"),
        ({"second": ["a"]}, "has no unit 'a'"),
        ({"second": range(4)}, "of 'second' no unit would be left"),
        ({"out": [0]}, r"unit 0 of 'out' cannot be removed because of the model's output\."),
        ({"first": [0]}, r"cannot be removed because of own \(OwnWeights\)\."),
    ],
)
def test_what_cannot_be_removed_says_why(units, message):
    with pytest.raises(npr.UsageError, match=message):
        npr.remove(own(), units)
