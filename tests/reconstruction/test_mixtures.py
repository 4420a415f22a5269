"""Mixtures of examples."""

import keras
import numpy as np
from keras import layers
from network_pruning.reconstruction import mixtures as module
from network_pruning.reconstruction.mixtures import can_be_mixed, mixtures


def test_they_are_between_two_examples():
    x = {"a": np.array([[0.0], [1.0], [4.0]], "float32"), "b": np.array([[0.0], [10.0], [40.0]])}
    found = mixtures(x, 3, np.random.default_rng(0))
    assert found["a"].shape == found["b"].shape == (3 * module.NUMBER, 1)
    assert found["a"].dtype == np.float32
    # All inputs of an example get the same weight.
    np.testing.assert_allclose(10 * found["a"], found["b"], rtol=1e-5)
    assert found["a"].min() >= 0
    assert found["a"].max() <= 4
    assert len(np.unique(found["a"])) > 3


def model_of(*inner):
    return keras.Sequential([keras.Input((3,)), *inner])


def test_numbers_can_be_mixed_but_not_indices_nor_very_many(monkeypatch):
    plain, x = model_of(layers.Dense(2)), np.zeros((5, 3), "float32")
    assert can_be_mixed(plain, x)
    assert not can_be_mixed(plain, x.astype(int))
    assert not can_be_mixed(plain, [x, x.astype(int)])
    assert not can_be_mixed(model_of(layers.Embedding(4, 2), layers.Dense(2)), x)
    assert not can_be_mixed(model_of(layers.Dense(4), layers.BatchNormalization()), x)
    monkeypatch.setattr(module, "MOST_NUMBERS", 14)
    assert not can_be_mixed(plain, x)
    monkeypatch.setattr(module, "MOST_NUMBERS", 15)
    assert len(mixtures(x, 5, np.random.default_rng(0))) == 5
