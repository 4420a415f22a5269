"""Copies of models that are made with classes of the user's own, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import kernels_of, outputs_of, randomized

pytestmark = pytest.mark.backends


class Block(layers.Layer):
    """Layers that are made in `build`, with an activation and an initializer, as KerasHub's are."""

    def __init__(self, units, activation="relu", initializer="glorot_uniform", **others):
        super().__init__(**others)
        self.units = units
        self.activation = keras.activations.get(activation)
        self.initializer = keras.initializers.get(initializer)

    def build(self, shape):
        self.wide = layers.Dense(2 * self.units, self.activation, name="wide")
        self.wide.build(shape)
        self.narrow = layers.Dense(self.units, kernel_initializer=self.initializer, name="narrow")
        self.narrow.build((*shape[:-1], 2 * self.units))

    def call(self, inputs):
        return self.narrow(self.wide(inputs))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "initializer": keras.initializers.serialize(self.initializer),
        }


class OtherBlock(Block):
    """A second class that defines `build`."""

    def build(self, shape):
        super().build(shape)


@keras.saving.register_keras_serializable("tests_of_copies")
class RegisteredBlock(Block):
    """One that Keras knows."""

    def build(self, shape):
        super().build(shape)


def blocks(kinds):
    inputs = keras.Input((4,))
    x = layers.Dense(6, activation="relu", name="first")(inputs)
    for number, kind in enumerate(kinds):
        x = kind(5, name=f"block{number}")(x)
    return randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))


@pytest.mark.parametrize(
    "kinds", [(Block,), (Block, OtherBlock, Block), (RegisteredBlock, RegisteredBlock)]
)
def test_layers_that_define_build_are_copied(kinds):
    model = blocks(kinds)
    pruned = npr.prune(model, 0.5)
    zeros = [np.mean(kernel == 0) for kernel in kernels_of(pruned)]
    assert zeros == [0.5] * (len(zeros) - 1) + [0]
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    small = npr.shrink(pruned)
    np.testing.assert_allclose(*outputs_of(small, x), *outputs_of(pruned, x), rtol=1e-5, atol=1e-6)


class Doubled(keras.Model):
    """A graph of layers, and more than that."""

    def call(self, inputs):
        return 2 * super().call(inputs)


class Stepped(keras.Model):
    """A graph that is trained in a way of its own."""

    def train_step(self, *arguments):
        return super().train_step(*arguments)


class Described(Stepped):
    """The same with a constructor of its own, as KerasHub's models have one."""

    def __init__(self, units, **others):
        inputs = keras.Input((4,))
        x = layers.Dense(units, activation="relu", name="hidden")(inputs)
        super().__init__(inputs, layers.Dense(2)(x), **others)
        self.units = units

    def get_config(self):
        return {"units": self.units, "name": self.name}


class Undescribed(Stepped):
    """A constructor of its own, and no config."""

    def __init__(self, units):
        inputs = keras.Input((4,))
        x = layers.Dense(units, activation="relu", name="hidden")(inputs)
        super().__init__(inputs, layers.Dense(2)(x))


class SteppedSequence(keras.Sequential):
    def train_step(self, *arguments):
        return super().train_step(*arguments)


def of_class(kind):
    inputs = keras.Input((4,))
    x = layers.Dense(6, activation="relu", name="hidden")(inputs)
    return randomized(kind(inputs, layers.Dense(2)(x), name="own"))


def test_a_call_of_ones_own_is_respected_or_refused():
    model = of_class(Doubled)
    pruned = npr.prune(model, 0.0)
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(*outputs_of(pruned, x), *outputs_of(model, x))
    with pytest.raises(ValueError, match="overrides `call`"):
        npr.shrink(model)
    with pytest.raises(ValueError, match="prune single weights"):
        npr.prune(model, 0.5, "unit")
    size = npr.measure(model)
    assert size.effective_sparsity is None
    assert size.multiply_adds == 4 * 6 + 6 * 2


def test_a_nested_model_with_a_call_of_its_own_is_left_alone():
    inputs = keras.Input((4,))
    x = layers.Dense(4, activation="relu", name="first")(inputs)
    x = layers.Dense(4, activation="relu", name="second")(x)
    model = randomized(keras.Model(inputs, layers.Dense(1)(of_class(Doubled)(x))))
    with pytest.warns(UserWarning, match=r"second \(because of own \(Doubled\)\)"):
        pruned = npr.prune(model, 0.5, "unit")
    small = npr.shrink(pruned)
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(*outputs_of(small, x), *outputs_of(pruned, x))


def test_a_train_step_of_ones_own_is_kept():
    sequence = randomized(
        SteppedSequence([keras.Input((4,)), layers.Dense(6, name="hidden"), layers.Dense(2)])
    )
    for model in (of_class(Stepped), sequence):
        model.compile("sgd", "mse")
        for copy in (npr.prune(model, 0.5, "unit"), npr.shrink(npr.prune(model, 0.5, "unit"))):
            assert type(copy) is type(model)
            copy.fit(np.ones((2, 4)), np.ones((2, 2)), verbose=0)
        assert copy.get_layer("hidden").units == 3


def test_a_class_with_a_config_of_its_own_is_copied_as_it_is():
    model = randomized(Described(6))
    pruned = npr.prune(model, 0.5, "unit")
    assert type(pruned) is Described
    with pytest.warns(UserWarning, match="without the `train_step` of Described"):
        small = npr.shrink(pruned)
    assert small.get_layer("hidden").units == 3


def test_a_train_step_that_is_lost_is_named():
    with pytest.warns(UserWarning, match="without the `train_step` of Undescribed"):
        npr.prune(randomized(Undescribed(6)), 0.5)


@keras.saving.register_keras_serializable("tests_of_copies")
class RegisteredDoubled(Doubled):
    """One that Keras knows, as files need it."""


@pytest.mark.parametrize("kind", [RegisteredDoubled, Stepped])
def test_a_file_answers_as_the_model(kind, tmp_path):
    model = of_class(kind)
    npr.save(model, tmp_path / "model.npk")
    x = np.ones((1, 4), np.float32)
    loaded = npr.load(tmp_path / "model.npk")
    np.testing.assert_allclose(*outputs_of(loaded, x), *outputs_of(model, x), rtol=1e-6)
