from dataclasses import replace

import numpy as np
import pytest
from network_pruning.config import ExperimentConfig
from network_pruning.models import methods, pruning, retraining
from network_pruning.models import model as models
from network_pruning.models.evaluation import Evaluator
from network_pruning.models.retraining import Retrainer
from network_pruning.models.weights import Weights


@pytest.fixture(scope="module")
def dense():
    return Weights.of(models.build(name="lenet_300_100"))


@pytest.fixture
def dataset(digits):
    return replace(digits, train=digits.train[:500], valid=digits.valid[:500])


def config(**settings):
    return ExperimentConfig(prune_epochs=2, finetune_epochs=2, **settings)


def retrained(dense, dataset, method, k, **settings):
    steps = []
    settings = config(**settings)
    retrainer = Retrainer(dense, dataset, settings, lambda: dense)
    method = methods.parse(method)
    weights = retrainer(method, dense, 0.0, k, steps.append)
    assert sum(steps) == retrainer.num_steps(method, 0.0, k)
    return weights


def nonzero(weights):
    return sum(np.count_nonzero(kernel) for kernel in weights.hidden.values())


@pytest.mark.parametrize(
    "method",
    [
        "weight/global/gradual",
        "weight/global/gradual/finetune",
        "weight/obd/global/gradual/finetune",
        "weight/gradient/erk/finetune",
        "weight/lamp/global/iterative/lr_rewind",
        "weight/iterative/weight_rewind",
    ],
)
def test_exactly_the_asked_share_is_gone_and_the_rest_learns(dense, dataset, method):
    weights = retrained(dense, dataset, method, 0.9, prune_fraction=0.6)
    assert abs(nonzero(weights) - 26_520) <= 2  # of 265,200, each layer rounded
    accuracy = Evaluator(dataset.valid)(weights).accuracy
    assert accuracy > Evaluator(dataset.valid)(dense).accuracy + 0.2


def test_units_go_with_their_biases(dense, dataset):
    weights = retrained(dense, dataset, "unit/finetune", 0.8)
    for name in ("hidden_1", "hidden_2"):
        dead = ~weights.kernels[name].any(axis=0)
        assert dead.sum() == 0.8 * dead.size
        assert not weights.biases[name][dead].any()
        assert weights.biases[name][~dead].any()


def test_one_shot_with_recovery_starts_from_the_dense_network(dense, dataset):
    """What an earlier sparsity has left does not matter."""
    retrainer = Retrainer(dense, dataset, config(), lambda: dense)
    method = methods.parse("weight/finetune")
    one = retrainer(method, dense, 0.0, 0.9, lambda _: None)
    nothing = dense.masked({name: kernel * 0 > 0 for name, kernel in dense.hidden.items()})
    other = retrainer(method, nothing, 0.8, 0.9, lambda _: None)
    for name, kernel in one.kernels.items():
        np.testing.assert_array_equal(kernel, other.kernels[name])


def test_weights_rewind_to_their_early_values_under_the_mask_of_the_late_ones(dense, dataset):
    early = Weights(
        {name: np.full_like(kernel, 0.01) for name, kernel in dense.kernels.items()}, dense.biases
    )
    settings = config(learning_rate=1e-12)  # it stays where it begins
    retrainer = Retrainer(dense, dataset, settings, lambda: early)
    weights = retrainer(methods.parse("weight_rewind"), dense, 0.0, 0.75, lambda _: None)
    method = methods.parse("weight")
    masks = pruning.make_masks(method, pruning.rank(method, dense.kernels), 0.75)
    for name, mask in masks.items():
        np.testing.assert_allclose(weights.kernels[name], np.where(mask, 0.01, 0), atol=1e-6)


def test_distillation_learns_the_answers_of_the_dense_network(dense, dataset):
    targets = retraining._targets(dense, dataset.train, 0.25)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    rows = np.arange(len(targets))
    assert (targets[rows, dataset.train.labels] >= 0.75).all()
    assert retraining._targets(dense, dataset.train, 0.0) is None


def test_the_same_seed_gives_the_same_network(dense, dataset):
    first, second = (
        retrained(dense, dataset, "weight/obd/global/gradual/finetune", 0.95) for _ in range(2)
    )
    for name, kernel in first.kernels.items():
        np.testing.assert_array_equal(kernel, second.kernels[name])


def test_a_pruned_weight_that_comes_back_is_noticed(dense, dataset):
    masks = {name: kernel > 0 for name, kernel in dense.hidden.items()}
    phase = retraining._Phase(dense, masks, dataset.train, config(), None)
    phase._check_masks()
    layer = phase.model.layers[0]
    layer.kernel.assign(layer.kernel + 1)
    with pytest.raises(AssertionError, match="hidden_1 has come back"):
        phase._check_masks()


def test_images_are_moved_by_every_shift_and_black_comes_in():
    image = np.arange(1, 10, dtype=np.uint8)  # 1 2 3 / 4 5 6 / 7 8 9
    moved = retraining.shifted(np.tile(image, (200, 1)), 1, np.random.default_rng(0))
    found = {tuple(pixels) for pixels in moved}
    assert len(found) == 9
    assert tuple(image) in found
    assert (0, 1, 2, 0, 4, 5, 0, 7, 8) in found
    assert (4, 5, 6, 7, 8, 9, 0, 0, 0) in found
    assert moved.dtype == np.uint8


def test_shifts_change_what_is_learned(dense, dataset):
    still = retrained(dense, dataset, "weight/finetune", 0.5)
    moved = retrained(dense, dataset, "weight/finetune", 0.5, shift=1)
    assert (still.kernels["output"] != moved.kernels["output"]).any()
