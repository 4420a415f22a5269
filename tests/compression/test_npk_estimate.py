"""Estimated sizes of `.npk` files beside those of written ones."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from network_pruning.compression import npk
from network_pruning.compression.quantization import quantized

# By so much estimates may differ from files; docs/small.md says so.
TOLERANCE = 0.05


def dense(seed):
    """784-40-30-10 whose first layer looks at blurred pictures, as trained ones do."""
    model = keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(40, activation="relu"),
            keras.layers.Dense(30, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(generator.normal(size=weight.shape))
    pictures = generator.normal(size=(28, 28, 40))
    for axis in (0, 1):
        pictures = pictures + np.roll(pictures, 1, axis)
    middle = np.hanning(28)[:, None, None] * np.hanning(28)[None, :, None]
    model.layers[0].kernel.assign((pictures * middle).reshape(784, 40))
    return model


def convolutional(seed):
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(24, 3, strides=2),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10),
        ]
    )
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(np.abs(generator.normal(size=weight.shape)) + 0.1)
    return model


@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize(
    ("make", "sparsity", "granularity"),
    [
        (dense, 0.0, "weight"),
        (dense, 0.8, "weight"),
        (dense, 0.95, "weight"),
        (dense, 0.5, "unit"),
        (convolutional, 0.7, "weight"),
    ],
)
def test_estimates_are_near_the_bytes_of_the_file(make, sparsity, granularity, bits):
    model = npk.remove_dead_units(npr.prune(make(0), sparsity, granularity))
    if bits:
        model = quantized(model, bits)
    assert npk.estimated_bytes(model) == pytest.approx(len(npk.to_bytes(model)), rel=TOLERANCE)


def test_a_model_of_zeros_and_one_of_whole_numbers():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.layers[0].kernel.assign(np.zeros((5, 3)))
    for each in (model, keras.Sequential([keras.Input((4,)), keras.layers.Normalization()])):
        assert npk.estimated_bytes(each) == pytest.approx(len(npk.to_bytes(each)), abs=12)
