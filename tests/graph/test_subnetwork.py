"""The live units of a model as a smaller one, and where its weights come from."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import attention, branches, mixed, randomized, recurrent
from network_pruning.graph.subnetwork import Subnetwork
from network_pruning.models.weights import Weights

MODELS = (mixed, branches, attention, recurrent)


def half_pruned(make):
    """A model with random weights and half of its units gone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return npr.prune(randomized(make()), 0.5, "unit")


@pytest.mark.parametrize("make", MODELS)
def test_the_part_answers_the_same_and_knows_where_it_comes_from(make):
    model = half_pruned(make)
    before = Weights.of(model)
    part = Subnetwork.of_live_units(model)
    for variable, array in zip(model.weights, before.arrays.values(), strict=True):
        np.testing.assert_array_equal(variable, array)  # nothing has changed
    assert part.model.count_params() <= model.count_params()
    for variable, array in zip(
        part.model.weights, part.smaller(before).arrays.values(), strict=True
    ):
        np.testing.assert_array_equal(variable, array)
    shape = (3, *model.input_shape[1:])
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    np.testing.assert_allclose(part.model(inputs), model(inputs), atol=1e-5)


@pytest.mark.parametrize("make", MODELS)
def test_what_the_part_learns_goes_back(make):
    model = half_pruned(make)
    before = Weights.of(model)
    part = Subnetwork.of_live_units(model)
    small = Weights({name: array + 1 for name, array in part.smaller(before).arrays.items()})
    after = part.larger(small, before)
    changed = sum(int((after.arrays[name] != old).sum()) for name, old in before.arrays.items())
    assert changed == part.model.count_params()
    for name, array in part.smaller(after).arrays.items():
        np.testing.assert_array_equal(array, small.arrays[name])


def test_units_are_really_gone():
    model = half_pruned(mixed)
    part = Subnetwork.of_live_units(model)
    stem = part.model.get_layer("stem")
    assert stem.filters == 3
    (number, indices) = part.sources[0]
    assert number == 0
    kept = np.array(model.weights[0]).any(axis=(0, 1, 2))
    expected = np.arange(3 * 3 * 2 * 6).reshape(3, 3, 2, 6)[..., kept]
    np.testing.assert_array_equal(indices, expected)


def test_parts_within_parts():
    model = half_pruned(branches)
    less, whole = Subnetwork.of_live_units(model), Subnetwork.whole(model)
    assert whole.contains(less)
    assert less.contains(less)
    assert not less.contains(whole)


def test_what_would_have_to_be_folded_stays():
    """A dead unit with a bias is no part: it would change another bias. Others go all the same."""
    inputs = keras.Input((3,))
    x = layers.Dense(4, activation="relu", name="first")(inputs)
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    kernel, bias = model.get_layer("first").get_weights()
    kernel[:, 1:], bias[1:] = 0, (0.5, 0, -0.5)  # nothing comes out of the last two
    model.get_layer("first").set_weights([kernel, bias])
    part = Subnetwork.of_live_units(model)
    assert part.model.count_params() == model.count_params() - 2 * (3 + 1 + 2)
    x = np.random.default_rng(0).random((5, 3), np.float32)
    np.testing.assert_allclose(part.model(x), model(x), rtol=1e-5)


def test_subclassed_models_stay_whole():
    @keras.saving.register_keras_serializable("test_part")
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {}

    model = Own()
    model(np.zeros((1, 3), "float32"))
    part = Subnetwork.of_live_units(model)
    np.testing.assert_array_equal(part.model.weights[0], model.weights[0])
    assert part.model is not model


class Secret(layers.Layer):
    """A layer that cannot be made again from its config."""

    def __init__(self, number, _secret):
        super().__init__()
        self.inner = layers.Dense(number)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        raise NotImplementedError


@keras.saving.register_keras_serializable("tests")
class WithSecret(keras.Model):
    """A model that can, as a whole."""

    def __init__(self, number, **settings):
        inputs = keras.Input((6,))
        super().__init__(inputs, layers.Dense(3)(Secret(number, 1)(inputs)), **settings)
        self.number = number

    def get_config(self):
        return {"number": self.number}


def test_a_model_whose_layers_cannot_be_copied_is_whole(tmp_path):
    model = randomized(WithSecret(8))
    assert Subnetwork.of_live_units(model).model.count_params() == model.count_params()
    x = np.ones((2, 6), np.float32)
    smaller = npr.shrink(npr.prune(model, 0.5))
    assert isinstance(smaller, WithSecret)
    npr.save(smaller, tmp_path / "model.npk")
    loaded = npr.load(tmp_path / "model.npk")
    np.testing.assert_allclose(loaded(x), smaller(x), atol=1e-6)
