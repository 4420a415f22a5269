"""Weights that live on levels while they are trained."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras_models import randomized
from network_pruning.compression import levels as module
from network_pruning.compression.levels import Levels
from network_pruning.compression.quantization import FEW
from network_pruning.compression.quantization_aware import QATTrainer
from network_pruning.data.data_loaders.loader_utils import Split
from network_pruning.models import model as models


def levels_of(values, number):
    variable = keras.Variable(np.array(values, np.float32), name="kernel")
    return variable, Levels(variable, number)


@pytest.fixture
def _free_bits(monkeypatch):
    monkeypatch.setattr(module, "WORTH", 0.0)


@pytest.mark.usefixtures("_free_bits")
def test_weights_are_at_the_nearest_level_and_zeros_stay():
    variable, levels = levels_of([0, 1, -1, 1, 3, -3, 0, 3], 2)
    np.testing.assert_array_equal(levels.magnitudes, [1, 3])
    levels.latent.assign([5, 1.9, -2.1, 0.1, 2.1, 9, -5, 0])
    levels.project()
    # What was zero stays zero wherever its latent number goes; 0.1 is nearer to zero than to 1.
    np.testing.assert_array_equal(variable.numpy(), [0, 1, -3, 0, 3, 3, 0, 0])


@pytest.mark.usefixtures("_free_bits")
def test_levels_move_to_the_mean_of_what_is_nearest():
    variable, levels = levels_of([0, 1, -1, 1, 3, -3, 0, 3], 2)
    levels.latent.assign([9, 0.5, -1, 1.5, 3, -4, 9, 5])
    levels.adapt()
    # (1 + 1.5) / 2, (3 + 4 + 5) / 3; 0.5 is as near to 0.
    np.testing.assert_array_equal(levels.magnitudes, [1.25, 4])
    np.testing.assert_array_equal(variable.numpy(), [0, 0, -1.25, 1.25, 4, -4, 0, 4])


@pytest.mark.usefixtures("_free_bits")
def test_a_level_without_weights_stays_where_it_is():
    _, levels = levels_of([1, 1, 3, 3], 2)
    levels.latent.assign([1, 1, 1.25, 1.25])
    levels.adapt()
    np.testing.assert_array_equal(levels.magnitudes, [1.125, 3])


@pytest.mark.usefixtures("_free_bits")
def test_those_nearest_to_their_levels_stand_first_and_move_no_more():
    variable, levels = levels_of([1, 1, 3, 3, 0], 2)
    levels.latent.assign([1.5, 1.1, 2.9, 3.75, 0])
    levels.project()
    levels.freeze(0.5)  # the second and the third
    levels.latent.assign([3, 3, 1, 1, 1])
    levels.project()
    np.testing.assert_array_equal(variable.numpy(), [3, 1, 3, 1, 0])
    levels.freeze(1)
    levels.latent.assign([1, 1, 1, 1, 1])
    levels.project()
    np.testing.assert_array_equal(variable.numpy(), [3, 1, 3, 1, 0])


def blobs(generator, number=600):
    """Three classes that are easy to tell apart, of 20 numbers each."""
    labels = generator.integers(3, size=number).astype(np.int32)
    centres = generator.normal(size=(3, 20))
    return Split((centres[labels] + generator.normal(size=(number, 20))).astype(np.float32), labels)


@pytest.fixture
def trained():
    generator = np.random.default_rng(0)
    split = blobs(generator)
    layers = [keras.layers.Dense(30, activation="relu"), keras.layers.BatchNormalization()]
    layers += [keras.layers.Dense(70, activation="relu"), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((20,)), *layers, keras.layers.Softmax()])
    models.compile_model(model, 0.01)
    model.fit(split.images, split.labels, epochs=5, verbose=0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel = layer.kernel.numpy()
            layer.kernel.assign(np.where(np.abs(kernel) > np.median(np.abs(kernel)), kernel, 0))
    return model, split


@pytest.mark.parametrize("moving", [False, True])
def test_training_ends_on_levels_with_zeros_where_they_were(trained, moving):
    model, split = trained
    before = [np.array(variable) for variable in model.weights]
    steps, seen = [], []

    def moved(generator):
        seen.append(generator.random())
        return split.pixels

    training = QATTrainer(
        model, 3, split, SimpleNamespace(batch_size=50), None, moved if moving else None
    )
    training.tune(4, 0.01, 7, steps.append)
    assert sum(steps) == 4 * 12
    assert len(set(seen)) == (4 if moving else 0)
    for layer, old in zip(model.weights, before, strict=True):
        new = np.array(layer)
        assert not new[old == 0].any()
        if layer.name == "kernel" and np.count_nonzero(new) > FEW:
            assert len(np.unique(np.abs(new[new != 0]))) <= 4
        if layer.trainable:  # statistics stay as they are
            assert not (new.astype(np.float32).view(np.uint32) & 0xFFFF).any()
    accuracy = (model.predict(split.images, verbose=0).argmax(axis=1) == split.labels).mean()
    assert accuracy > 0.9


def test_the_same_seed_trains_the_same(trained):
    model, split = trained
    twin = models.clone(model)
    for each in (model, twin):
        QATTrainer(each, 2, split, SimpleNamespace(batch_size=64), None).tune(
            2, 0.01, 3, lambda _: None
        )
    for one, two in zip(model.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(two))


def test_what_is_not_trained_keeps_its_weights_but_for_rounding():
    model = randomized(
        keras.Sequential(
            [
                keras.Input((20,)),
                keras.layers.Dense(30),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
    )
    model.layers[0].trainable = False
    models.compile_model(model, 0.01)
    before = np.array(model.layers[0].kernel)
    QATTrainer(
        model, 4, blobs(np.random.default_rng(1)), SimpleNamespace(batch_size=64), None
    ).tune(1, 0.01, 0, lambda _: None)
    after = np.array(model.layers[0].kernel)
    assert np.abs(after - before).max() < 0.5
    assert len(np.unique(np.abs(after))) <= 8


def test_zeros_of_kernels_with_few_weights_stay():
    """They have no levels, and are trained as they are."""
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((8,)), dense(16, name="few"), dense(16), dense(3)])
    randomized(model)
    model.compile("adam", "sparse_categorical_crossentropy")
    few, many, _ = model.layers
    for layer, kept in ((few, 3), (many, FEW + 20)):
        kernel, bias = layer.get_weights()
        kernel.reshape(-1)[kept:] = 0
        layer.set_weights([kernel, bias])
    before = [layer.get_weights()[0] for layer in (few, many)]
    generator = np.random.default_rng(0)
    x = generator.random((64, 8)).astype("float32")
    split = Split(x, generator.integers(0, 3, 64).astype(np.int32))
    training = QATTrainer(model, 3, split, SimpleNamespace(batch_size=16), None)
    assert [quantizer.variable.name for quantizer in training.quantizers] == ["kernel"]
    training.tune(3, 0.01, 0, lambda _steps: None)
    for layer, old in zip((few, many), before, strict=True):
        new = layer.get_weights()[0]
        assert (new[old == 0] == 0).all()
        assert (new[old != 0] != old[old != 0]).any()
