"""Networks of dense layers have two implementations, which do the same.

`DenseNetworks` works on arrays, `KerasNetworks` on any Keras model: whatever one of them finds of
a network of dense layers, the other one finds as well.
"""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from network_pruning import register_model
from network_pruning.data.data_loaders.loader_utils import Dataset, Split
from network_pruning.models.architectures import Architecture
from network_pruning.pruning.methods import parse
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.training import checkpoints
from network_pruning.training.dense_networks import DenseNetworks
from network_pruning.training.keras_networks import KerasNetworks

PENALTIES = {"l1_reg": 1e-4, "l2_reg": 1e-3}
BY_WEIGHTS = ["weight", "unit", "unit_in_out", "2:4", "4x4", "weight/lamp/global"]
OTHERS = ["weight/random/erk", "unit/random/global", "weight/output"]
WITH_DATA = ["weight/gradient", "weight/activation/output", "unit/obd/global"]


@pytest.fixture(scope="module")
def dataset():
    """Ten kinds of noise, on 8×8 pixels."""
    generator = np.random.default_rng(0)
    centers = generator.integers(60, 195, (10, 8, 8))

    def split(size):
        labels = generator.integers(10, size=size).astype(np.int32)
        noise = generator.integers(-60, 60, (size, 8, 8))
        return Split((centers[labels] + noise).astype(np.uint8), labels)

    return Dataset("noise", "0", split(200), split(60), split(90))


@pytest.fixture(params=["by name", "as a file"])
def stacks(request, dataset, tmp_path):
    """A function that returns both networks of a model and settings, the other one of its name or
    of the file that it has been saved as."""
    request.getfixturevalue("registries")
    register_model("small")(lambda: Architecture((12, 9), use_bias=False))
    register_model("small_with_biases")(lambda: Architecture((12, 9), use_bias=True))

    def made(name, **settings):
        settings = {"batch_size": 50, "epochs": 1, "seed": 3, "num_valid": 60, **settings}
        config = ExperimentConfig(model=name, **settings)
        first = DenseNetworks(config, dataset)
        if request.param == "as a file":
            config = dataclasses.replace(config, model=str(tmp_path / "model.keras"))
            plain = ExperimentConfig(model=name, seed=3)
            DenseNetworks(plain, dataset).new_model().save(config.model)
        return SimpleNamespace(dense=first, keras=KerasNetworks(config, dataset))

    return made


def arrays(model):
    return [variable.numpy() for variable in model.weights]


def check_tests(stacks, one, other):
    for metrics in zip(stacks.dense.test(one), stacks.keras.test(other), strict=True):
        first, second = metrics
        assert first.loss == pytest.approx(second.loss, rel=1e-6, abs=1e-6)
        assert first.cross_entropy == pytest.approx(second.cross_entropy, rel=1e-6, abs=1e-6)
        assert first.accuracy == second.accuracy
        np.testing.assert_array_equal(first.predictions, second.predictions)


def check_pruned(stacks, model, text, k_vals, exactly=True):
    """Ranks, masks, values, sizes, losses and accuracies of a method."""
    method, dense, keras = parse(text), stacks.dense, stacks.keras
    one, other = dense.weights_of(model), keras.weights_of(model)
    ranks = dense.rank(method, one), keras.rank(method, other)
    values = dense.values(method, one, ranks[0]), keras.values(method, other, ranks[1])
    assert list(ranks[0]) == list(ranks[1]) == list(values[0]) == list(values[1])
    for name, ranking in ranks[0].items():
        scores = ranking.scores, ranks[1][name].scores
        np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5 * scores[0].max())
        np.testing.assert_allclose(values[0][name], values[1][name], rtol=1e-4, atol=1e-6)
        if exactly:
            np.testing.assert_array_equal(ranking.order, ranks[1][name].order)
    for k in k_vals:
        keras.pruned(method, other, ranks[1], k).put_into(model)
        found = arrays(model)
        pruned = dense.pruned(method, one, ranks[0], k)
        pruned.put_into(model)
        for array, expected in zip(arrays(model), found, strict=True):
            assert np.count_nonzero(array != expected) <= (0 if exactly else 1e-4 * array.size)
        same = keras.weights_of(model)
        assert dense.measure(pruned) == keras.measure(same)
        check_tests(stacks, pruned, same)


def with_biases(model):
    generator = np.random.default_rng(1)
    for layer in model.layers:
        layer.bias.assign(generator.normal(0, 0.3, layer.bias.shape))


def with_dead_units(model):
    """Some have no incoming weights, some are fed by such only, and some lead nowhere."""
    first, second = (layer.kernel.numpy() for layer in model.layers[:2])
    first[:, :4] = 0
    second[:, 2] = second[4:, 5] = second[6] = 0
    for layer, kernel in zip(model.layers, (first, second), strict=False):
        layer.kernel.assign(kernel)


def with_both(model):
    with_biases(model)
    with_dead_units(model)


def with_confidence(model):
    """Some answers are wrong beyond doubt."""
    for layer in model.layers:
        layer.kernel.assign(6 * layer.kernel)


@pytest.mark.parametrize(
    ("stacks", "name", "change", "penalties"),
    [
        ("by name", "small", with_confidence, PENALTIES),
        ("as a file", "small", with_dead_units, {}),
        ("by name", "small_with_biases", with_both, {}),
        ("as a file", "small_with_biases", with_biases, PENALTIES),
    ],
    indirect=["stacks"],
)
def test_small_networks(stacks, name, change, penalties):
    both = stacks(name, **penalties)
    model = both.dense.new_model()
    if change:
        change(model)
    for text in (*BY_WEIGHTS, *OTHERS, *WITH_DATA):
        check_pruned(both, model, text, (0, 0.5, 0.97))


@pytest.mark.parametrize(
    ("stacks", "name", "penalties"),
    [("as a file", "mlp", {"l1_reg": 1e-5, "l2_reg": 1e-5}), ("by name", "lenet_300_100", {})],
    indirect=["stacks"],
)
def test_real_networks(stacks, name, penalties):
    both = stacks(name, **penalties)
    model = both.dense.new_model()
    for text in ("weight", "unit", "unit_in_out"):
        check_pruned(both, model, text, (0, 0.9))
    for text in ("weight/gradient/global", "weight/activation"):
        check_pruned(both, model, text, (), exactly=False)


@pytest.mark.parametrize("name", ["small", "small_with_biases"])
def test_training(stacks, name, tmp_path):
    both, epochs, trained = stacks(name, **PENALTIES), [], []
    for networks in (both.dense, both.keras):
        model = networks.new_model()
        networks.train(model, lambda _: None, epochs.append)
        trained.append(model)
    for first, second in zip(*map(dataclasses.astuple, epochs), strict=True):
        assert first == pytest.approx(second, rel=1e-6)
    for first, second in zip(*map(arrays, trained), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)
    checkpoints.save(trained[0], tmp_path / "weights.hdf5")
    read = [networks.read(tmp_path / "weights.hdf5") for networks in (both.dense, both.keras)]
    for weights in read:
        weights.put_into(trained[1])
        for first, second in zip(*map(arrays, trained), strict=True):
            np.testing.assert_array_equal(first, second)
    hidden = both.dense.hidden_matrices(read[0]), both.keras.hidden_matrices(read[1])
    assert list(hidden[0]) == list(hidden[1])
    for first, second in zip(*(each.values() for each in hidden), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("stacks", ["as a file"], indirect=True)
@pytest.mark.parametrize(
    ("text", "change"),
    [
        # Whole units count with what they read of dead ones, or without; here none is dead.
        ("unit/gradual/finetune", with_biases),
        ("weight/obd/global/iterative/lr_rewind", with_both),
    ],
)
def test_retraining(stacks, text, change):
    settings = {"prune_epochs": 1, "finetune_epochs": 1, "distillation": 0.5, **PENALTIES}
    both, method, found = stacks("small_with_biases", **settings), parse(text), []
    model = both.dense.new_model()
    change(model)
    for networks in (both.dense, both.keras):
        weights = networks.weights_of(model)
        retrainer = networks.retrainer(weights, lambda weights=weights: weights)
        trained = [
            retrainer.control(method, weights, 1, lambda _: None),
            retrainer(method, weights, 0.0, 0.8, lambda _: None),
        ]
        for each in trained:
            each.put_into(model)
            found.append(arrays(model))
        weights.put_into(model)
    for first, second in zip(found[:2], found[2:], strict=True):
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one == 0, other == 0)
            np.testing.assert_allclose(one, other, atol=1e-4)
