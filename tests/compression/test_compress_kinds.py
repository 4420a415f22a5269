"""`compress` on any backend, for models of all kinds."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import outputs_of, randomized

pytestmark = pytest.mark.backends

X = np.random.default_rng(0).standard_normal((300, 8)).astype("float32")


@keras.saving.register_keras_serializable("compress tests")
class Own(keras.layers.Layer):
    """A layer that holds layers, which it builds itself."""

    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(16, activation="relu")

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)


@keras.saving.register_keras_serializable("compress tests")
class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.hidden, self.last = layers.Dense(32, activation="relu"), layers.Dense(4)

    def build(self, shape):
        self.hidden.build(shape)
        self.last.build((None, 32))

    def call(self, x):
        return self.last(self.hidden(x))

    def get_config(self):
        return {}


def nested():
    """With a layer that is read twice, a model within, a layer of one's own, and BatchNorm."""
    x = keras.Input((8,))
    shared = layers.Dense(8, activation="relu")
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(24), layers.BatchNormalization()])
    y = Own()(inner(shared(shared(x))))
    return randomized(keras.Model(x, layers.Dense(3, activation="softmax", dtype="float32")(y)))


def subclassed():
    model = Subclassed()
    model(X[:1])
    return randomized(model)


def half():
    """The same in half precision."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return nested()
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("make", [nested, subclassed, half])
def test_models_of_all_kinds(make, tmp_path):
    method = "weight/activation/reconstruct"
    found = npr.compress(make(), X, bytes=0.4, bits=(4,), method=method, verbose=0)
    assert found.save(tmp_path / "a.npk") <= found.report.limits.bytes
    loaded = outputs_of(npr.load(tmp_path / "a.npk"), X)
    np.testing.assert_allclose(*loaded, *outputs_of(found.model, X), rtol=1e-4, atol=1e-5)
