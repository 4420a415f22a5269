"""Copies of models that are made with classes of the user's own, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import kernels_of, randomized

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
    np.testing.assert_allclose(
        small.predict(x, verbose=0), pruned.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )
