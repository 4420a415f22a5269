"""Well-known models with random weights: half of their units go, and are really removed."""

import subprocess
import sys
import warnings

import keras
import network_pruning as npr
import numpy as np

# What plain Keras does with a file, in a process without us.
LOAD = """
import sys, keras, numpy
from pathlib import Path
folder = Path(sys.argv[1])
model = keras.models.load_model(folder / "small.keras")
answers = keras.ops.convert_to_numpy(model(numpy.load(folder / "images.npy"), training=False))
numpy.save(folder / "answers.npy", answers)
assert "network_pruning" not in sys.modules
"""


def with_statistics(model):
    """Other numbers in batch normalizations than those that change nothing."""
    generator = np.random.default_rng(0)
    for variable in model.weights:
        if variable.path.endswith(("gamma", "moving_variance")):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("beta", "moving_mean")):
            variable.assign(generator.normal(0, 0.1, variable.shape))
    return model


def halved(name):
    """A model, its answers for some images after half of its units are pruned, the model without
    these, and the images. (`benchmarks/applications.py` looks at ten, on larger images.)"""
    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    model = with_statistics(make(weights=None, input_shape=(64, 64, 3), classes=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pruned = npr.prune(model, 0.5, "unit")
        small = npr.shrink(pruned)
    images = np.random.default_rng(1).normal(size=(3, 64, 64, 3)).astype("float32")
    return model, answers_of(pruned, images), small, images


def answers_of(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


def test_half_of_the_units_are_removed():
    model, expected, small, images = halved("ResNet50")
    assert model.count_params() > 25.5e6
    assert small.count_params() <= 7.5e6
    answers = answers_of(small, images)
    np.testing.assert_allclose(answers, expected, atol=1e-5 * np.abs(expected).max())


def test_plain_keras_loads_what_was_shrunk(tmp_path):
    model, expected, small, images = halved("MobileNetV3Small")
    assert small.count_params() < 0.4 * model.count_params()
    small.save(tmp_path / "small.keras")
    np.save(tmp_path / "images.npy", images)
    subprocess.run([sys.executable, "-c", LOAD, tmp_path], check=True, capture_output=True)
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(answers, expected, atol=1e-5 * np.abs(expected).max())
