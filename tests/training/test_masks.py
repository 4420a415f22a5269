"""`Masks` in a training loop of the user's own, on any backend."""

import re

import keras
import network_pruning as npr
import numpy as np
import pytest
from commands import ROOT
from keras import ops
from keras_models import kernels_of, mixed, randomized
from small_fits import LEFT, examples, nonzeros, small

pytestmark = pytest.mark.backends
STEPS = 3


# What follows in a loop: further steps with the same masks, optimizer and compiled step.
FURTHER = {
    "tensorflow": "step(x, y)",
    "torch": "optimizer.zero_grad()",  # and all lines after it
    "jax": "trained, others, state = step(",
}


def train(model, x, y):
    """Runs the code of the documentation for this backend, and its step some times more."""
    backend = keras.backend.backend()
    text = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (code,) = (block for block in blocks if block.startswith(f"import {backend}"))
    names = {"npr": npr, "model": model, "x": x, "y": y}
    exec(code, names)
    further = code[code.rindex(FURTHER[backend]) :]
    for _ in range(STEPS):
        exec(further, names)


def test_what_is_pruned_stays_zero_and_the_rest_learns():
    """But for what dead units read or feed."""
    model = npr.prune(small(), 0.9)
    before = kernels_of(model)
    train(model, *examples())
    assert nonzeros(model) == LEFT
    for old, new in zip(before, kernels_of(model), strict=True):
        np.testing.assert_array_equal(new != 0, old != 0)
        assert (new[old != 0] != old[old != 0]).mean() > 0.5


def test_units_stay_pruned_with_their_biases_and_normalizations():
    model = npr.prune(randomized(mixed()), 0.5, "unit")
    x = np.random.default_rng(0).normal(size=(16, 8, 8, 2)).astype("float32")
    train(model, x, np.arange(16) % 3)
    assert npr.shrink(model).get_layer("stem").filters == 3
    stem = model.get_layer("stem").kernel
    dead = ~kernels_of(model)[0].any(axis=(0, 1, 2))
    assert dead.sum() == 3
    ones = [ops.ones(variable.shape) for variable in model.trainable_variables]
    place = [variable is stem for variable in model.trainable_variables].index(True)
    applied = npr.Masks(model).apply_to(ones)[place]
    assert not ops.convert_to_numpy(applied)[..., dead].any()


def test_values_by_hand():
    """Two weights of four are zero; a bias has no mask."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.layers[0].set_weights([np.array([[0, 1], [2, 0]]), np.array([0, 3])])
    masks = npr.Masks(model)
    kernel, bias = masks.apply_to([ops.full((2, 2), 5.0), ops.full((2,), 6.0)])
    np.testing.assert_array_equal(ops.convert_to_numpy(kernel), [[0, 5], [5, 0]])
    np.testing.assert_array_equal(ops.convert_to_numpy(bias), [6, 6])
    model.layers[0].set_weights([np.full((2, 2), 7), np.full(2, 8)])
    masks.apply()
    np.testing.assert_array_equal(kernels_of(model)[0], [[0, 7], [7, 0]])


def test_what_makes_no_sense_is_said():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)], name="dense")
    with pytest.raises(npr.UsageError, match="no weight of 'dense' is zero; prune it first"):
        npr.Masks(model)
    masks = npr.Masks(npr.prune(small(), 0.9))
    right = [ops.zeros(variable.shape) for variable in masks.model.trainable_variables]
    for values in ([0], right[:-1], right[::-1]):
        with pytest.raises(npr.UsageError, match="give the values of these 6, in their order"):
            masks.apply_to(values)
    with pytest.raises(npr.UsageError, match="int is not a Keras model"):
        npr.Masks(3)
