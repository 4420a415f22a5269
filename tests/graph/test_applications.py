"""Well-known models with random weights: half of their units go, and are really removed."""

import subprocess
import sys
import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest

# `benchmarks/applications.py` looks at ten, on larger images.
NAMES = ("MobileNetV3Small", "ResNet50")
# What plain Keras does with the file, in a process without us.
LOAD = """
import sys, keras, numpy
model = keras.models.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), verbose=0))
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


@pytest.mark.parametrize("name", NAMES)
def test_half_of_the_units_are_removed(name, tmp_path):
    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    model = with_statistics(make(weights=None, input_shape=(64, 64, 3), classes=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pruned = npr.prune(model, 0.5, "unit")
        small = npr.shrink(pruned)
    images = np.random.default_rng(1).normal(size=(3, 64, 64, 3)).astype("float32")
    small.save(tmp_path / "small.keras")
    np.save(tmp_path / "images.npy", images)
    paths = (tmp_path / file for file in ("small.keras", "images.npy", "answers.npy"))
    subprocess.run([sys.executable, "-c", LOAD, *paths], check=True, capture_output=True)
    expected = pruned.predict(images, verbose=0)
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(answers, expected, atol=1e-5 * np.abs(expected).max())
    assert small.count_params() < 0.4 * model.count_params()
    if name == "ResNet50":
        assert model.count_params() > 25.5e6
        assert small.count_params() <= 7.5e6
