"""Well-known models with random weights: half of their units go, and are really removed."""

import subprocess
import sys
import warnings

import keras
import network_pruning as npr
import numpy as np

# `benchmarks/applications.py` looks at ten, on larger images.
NAMES = ("MobileNetV3Small", "ResNet50")
# What plain Keras does with the files, in a process without us.
LOAD = """
import sys, keras, numpy
from pathlib import Path
for folder in map(Path, sys.argv[1:]):
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


def halved(name, folder):
    """A model before and after half of its units are pruned and removed; in the folder the small
    one, and images that it is to look at."""
    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    model = with_statistics(make(weights=None, input_shape=(64, 64, 3), classes=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pruned = npr.prune(model, 0.5, "unit")
        small = npr.shrink(pruned)
    small.save(folder / "small.keras")
    images = np.random.default_rng(1).normal(size=(3, 64, 64, 3)).astype("float32")
    np.save(folder / "images.npy", images)
    return model, keras.ops.convert_to_numpy(pruned(images, training=False)), small


def test_half_of_the_units_are_removed(tmp_path):
    folders, made = [tmp_path / name for name in NAMES], []
    for folder in folders:
        folder.mkdir()
        made.append(halved(folder.name, folder))
    subprocess.run([sys.executable, "-c", LOAD, *folders], check=True, capture_output=True)
    for folder, (model, expected, small) in zip(folders, made, strict=True):
        answers = np.load(folder / "answers.npy")
        np.testing.assert_allclose(answers, expected, atol=1e-5 * np.abs(expected).max())
        assert small.count_params() < 0.4 * model.count_params()
        if folder.name == "ResNet50":
            assert model.count_params() > 25.5e6
            assert small.count_params() <= 7.5e6
