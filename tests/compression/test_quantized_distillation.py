"""Models that learn while their weights are on levels, and `compress` with them, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import outputs_of, randomized
from network_pruning.compression import levels, quantized_distillation
from network_pruning.compression.levels import cheaper_edges, price_of_a_bit
from network_pruning.compression.quantization import FEW, quantized
from network_pruning.compression.quantized_distillation import distilled_to_levels
from network_pruning.reconstruction import distill
from network_pruning.reconstruction.reconstruct import calibration_inputs
from network_pruning.utils import UsageError

X = np.random.default_rng(0).standard_normal((400, 8)).astype("float32")


@pytest.fixture(autouse=True)
def _few_epochs(monkeypatch):
    """Enough to learn small models."""
    for name, value in (("STEPS", 2), ("EPOCHS", 2), ("LAST_EPOCHS", 4), ("LEARNING_RATE", 0.01)):
        monkeypatch.setattr(distill, name, value)
    monkeypatch.setattr(quantized_distillation, "EPOCHS", 12)
    monkeypatch.setattr(quantized_distillation, "LEARNING_RATE", 0.01)


def classifier():
    keras.utils.set_random_seed(1)
    return randomized(
        keras.Sequential(
            [
                keras.Input((8,)),
                layers.Dense(24, activation="relu", name="first"),
                layers.BatchNormalization(),
                layers.Dense(16, activation="relu", name="second"),
                layers.Dense(5, activation="softmax", name="last"),
            ]
        )
    )


def error(model, dense):
    unseen = np.random.default_rng(1).standard_normal((200, 8)).astype("float32")
    return float(np.square(outputs_of(model, unseen)[0] - outputs_of(dense, unseen)[0]).mean())


@pytest.mark.backends
def test_weights_learn_on_their_levels(tmp_path):
    dense = classifier()
    pruned = npr.prune(dense, 0.4)
    given = pruned.get_weights()
    learned = distilled_to_levels(pruned, dense, 2, calibration_inputs(X, dense))
    for old, new in zip(given, pruned.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    for name in ("first", "second", "last"):
        before, kernel = (np.asarray(m.get_layer(name).get_weights()[0]) for m in (pruned, learned))
        assert not kernel[before == 0].any()
        assert len(np.unique(np.abs(kernel[kernel != 0]))) <= 2
    assert error(learned, dense) < 0.7 * error(quantized(pruned, 2), dense)
    npr.save(learned, tmp_path / "model.npk")
    loaded = outputs_of(npr.load(tmp_path / "model.npk"), X)
    np.testing.assert_allclose(*loaded, *outputs_of(learned, X), rtol=1e-4, atol=1e-5)
    learned.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").count_params() == dense.count_params()


@pytest.mark.backends
def test_zeros_stay_where_a_kernel_has_no_levels_and_frozen_kernels_get_them():
    dense = classifier()
    pruned = npr.prune(dense, {"first": 0.8, "second": 0.5})  # 38 weights of the first are kept
    # As of a layer with LoRA, whose own kernel is not trained.
    pruned.get_layer("last")._kernel.trainable = False
    learned = distilled_to_levels(pruned, dense, 2, calibration_inputs(X, dense))
    first, last = (np.asarray(learned.get_layer(name).kernel) for name in ("first", "last"))
    before = np.asarray(pruned.get_layer("first").kernel)
    assert np.count_nonzero(before) <= FEW
    assert not first[before == 0].any()
    assert (first != before).any()
    assert len(np.unique(np.abs(last[last != 0]))) <= 2


def test_half_precision_is_not_trained():
    keras.config.set_dtype_policy("bfloat16")
    try:
        dense = classifier()
    finally:
        keras.config.set_dtype_policy("float32")
    assert distill.affordable(dense, calibration_inputs(X, dense), 0) is None
    with pytest.raises(UsageError, match="half precision, in which steps of training are lost"):
        npr.prune(dense, 0.5, "weight/distill", data=X)


def test_a_model_that_is_small_enough_is_trained_on_its_levels(monkeypatch):
    monkeypatch.setattr(distill, "MOST_WORK", 1e9)
    dense = classifier()
    found = npr.compress(dense, X, bytes=1100, bits=(3,), verbose=0)
    assert found.report.chosen.method == "weight/activation/global/distill"
    assert found.report.after.bytes <= 1100
    # With so few steps, what is fitted without training is better; then that is taken.
    plain = npr.compress(
        dense, X, bytes=1100, bits=(3,), method="weight/activation/global/reconstruct", verbose=0
    )
    assert found.report.chosen.error <= plain.report.chosen.error


def test_what_takes_longer_or_is_trained_by_the_user_is_refitted(monkeypatch):
    dense, seen = classifier(), []
    report = npr.compress(dense, X, bytes=1400, bits=(4,), train=seen.append, verbose=0).report
    assert report.chosen.method == "weight/activation/reconstruct"
    assert seen
    monkeypatch.setattr(distill, "MOST_WORK", 1e6)
    report = npr.compress(dense, X, bytes=1400, bits=(4,), verbose=0).report
    assert report.chosen.method == "weight/activation/reconstruct"


def test_examples_are_as_many_as_can_be_afforded(monkeypatch):
    dense, examples = classifier(), calibration_inputs(X, classifier())
    multiply_adds = 8 * 24 + 24 * 16 + 16 * 5
    epochs = 2 + 4  # by the fixture
    monkeypatch.setattr(distill, "FEW", 100)
    for number, expected in ((250, 250), (1000, 400)):
        monkeypatch.setattr(distill, "MOST_WORK", 3 * epochs * multiply_adds * (number + 0.5))
        assert len(distill.affordable(dense, examples, 0)) == expected
    monkeypatch.setattr(distill, "MOST_WORK", 3 * epochs * multiply_adds * 99)
    assert distill.affordable(dense, examples, 0) is None
    open_sizes = keras.Sequential([keras.Input((None, 8)), layers.Dense(2)])
    assert distill.affordable(open_sizes, examples, 0) is None


def test_edges_are_in_the_middle_if_bits_are_free():
    edges = cheaper_edges(np.array([1.0, 2.5, 3.0]), 10, np.array([0.0, 1.0, 3.0]), 0.0)
    np.testing.assert_allclose(edges, [0.5, 2.0])


def test_edges_by_hand(monkeypatch):
    monkeypatch.setattr(levels, "WORTH", 2.0)
    # One weight of 1.2 at a level of 1, and seven that are pruned; half is added to each count.
    sizes, table = np.array([1.2]), np.array([0.0, 1.0])
    edges = cheaper_edges(sizes, 8, table, price_of_a_bit(sizes, table))
    bits = 1 + np.log2(9 / 1.5) - np.log2(9 / 7.5)
    np.testing.assert_allclose(edges, [0.5 + 2.0 * 0.2**2 * bits / 2], rtol=1e-6)


def test_the_price_of_a_bit_stays_what_it_was():
    """Weights that have become zero do not make bits dearer."""
    variable = keras.Variable(np.array([0.9, 1.0, 1.1, 2.0], np.float32))
    found = levels.Levels(variable, 2)
    before = found._price
    found.latent.assign(np.array([0.01, 0.02, 0.03, 2.0], np.float32))
    found.adapt()
    assert found._price == before > 0
