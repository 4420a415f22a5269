from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.weights import Weights
from network_pruning.pruning import methods
from network_pruning.pruning.masks import make_masks, rank
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.training import retraining
from network_pruning.training.compact_trainer import CompactTrainer
from network_pruning.training.dense_networks import DenseNetworks
from network_pruning.training.evaluation import Evaluator

# Training with XLA is tested in `test_both_stacks`, and with the commands.
pytestmark = pytest.mark.usefixtures("without_xla")


@pytest.fixture(scope="module")
def dense():
    return Weights.of(models.build(name="lenet_300_100"))


@pytest.fixture
def dataset(digits):
    return replace(digits, train=digits.train[:500], valid=digits.valid[:500])


def config(**settings):
    return ExperimentConfig(
        model="lenet_300_100", prune_epochs=2, finetune_epochs=2, num_valid=500, **settings
    )


def retrainer_of(dense, dataset, settings, rewound=None):
    return DenseNetworks(settings, dataset).retrainer(dense, lambda: rewound or dense)


def trainer_of(dense, masks, dataset, method="weight"):
    """A `CompactTrainer` of the network with these masks, with its weights."""
    networks, method = DenseNetworks(config(), dataset), methods.parse(method)
    part = networks.subnetwork(dense.masked(masks))
    trainer = CompactTrainer(networks, part, method, dataset.train, None)
    trainer.load(dense, masks)
    return trainer


def retrained(dense, dataset, method, k, **settings):
    steps = []
    settings = config(**settings)
    retrainer = retrainer_of(dense, dataset, settings)
    method = methods.parse(method)
    weights = retrainer(method, dense, 0.0, k, steps.append)
    assert sum(steps) == retrainer.num_steps(method, 0.0, k)
    return weights


def nonzero(weights):
    return sum(np.count_nonzero(kernel) for kernel in weights.hidden.values())


@pytest.mark.parametrize(
    ("method", "epochs"),
    [
        ("weight/gradual/finetune", 4),  # two of the ramp and two of the recovery
        ("weight/finetune", 2),
        ("weight/iterative/weight_rewind", 2),  # one round of several
        ("weight/gradual", 2),
    ],
)
def test_the_control_has_the_same_further_training_and_loses_nothing(
    dense, dataset, method, epochs
):
    steps, method = [], methods.parse(method)
    retrainer = retrainer_of(dense, dataset, config())
    weights = retrainer.control(method, dense, 1, steps.append)
    assert sum(steps) == epochs * 4  # batches of 128, of 500 examples
    assert sum(steps) == retrainer.num_steps(method, 0.0, 0.0)
    assert nonzero(weights) == nonzero(dense)
    assert Evaluator(dataset.valid)(weights).accuracy > Evaluator(dataset.valid)(dense).accuracy


def test_what_is_zero_in_the_dense_network_may_learn_in_its_control(dense, dataset):
    """It is the dense network trained further, not one that has been pruned."""
    holes = dense.masked({name: kernel > 0 for name, kernel in dense.hidden.items()})
    retrainer = retrainer_of(holes, dataset, config())
    weights = retrainer.control(methods.parse("weight/finetune"), holes, 1, lambda _: None)
    assert nonzero(weights) > 1.5 * nonzero(holes)


def test_a_further_round_of_the_control_sees_other_orders(dense, dataset):
    settings = config(learning_rate=1e-3)
    retrainer = retrainer_of(dense, dataset, settings)
    method = methods.parse("weight/finetune")
    one, two = (retrainer.control(method, dense, number, lambda _: None) for number in (1, 2))
    assert any((one.kernels[name] != two.kernels[name]).any() for name in one.kernels)


@pytest.mark.parametrize(
    "method",
    [
        "weight/global/gradual",
        "weight/global/gradual/finetune",
        "weight/obd/global/gradual/finetune",
        "weight/gradient/erk/finetune",
        "weight/lamp/global/iterative/lr_rewind",
        "weight/iterative/weight_rewind",
        "weight/output/activation/gradual/finetune",
    ],
)
def test_exactly_the_asked_share_is_gone_and_the_rest_learns(dense, dataset, method):
    weights = retrained(dense, dataset, method, 0.9, prune_fraction=0.6)
    # Of 265,200; each layer rounded, or each unit.
    assert abs(nonzero(weights) - 26_520) <= (400 if "output" in method else 2)
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
    retrainer = retrainer_of(dense, dataset, config())
    method = methods.parse("weight/finetune")
    one = retrainer(method, dense, 0.0, 0.9, lambda _: None)
    nothing = dense.masked({name: kernel * 0 > 0 for name, kernel in dense.hidden.items()})
    other = retrainer(method, nothing, 0.8, 0.9, lambda _: None)
    for name, kernel in one.kernels.items():
        np.testing.assert_array_equal(kernel, other.kernels[name])


def test_weights_rewind_to_their_early_values_under_the_mask_of_the_late_ones(dense, dataset):
    early = Weights.of_chain(
        {name: np.full_like(kernel, 0.01) for name, kernel in dense.kernels.items()}, dense.biases
    )
    settings = config(learning_rate=1e-12)  # it stays where it begins
    retrainer = retrainer_of(dense, dataset, settings, early)
    weights = retrainer(methods.parse("weight_rewind"), dense, 0.0, 0.75, lambda _: None)
    method = methods.parse("weight")
    masks = make_masks(method, rank(method, dense.kernels), 0.75)
    for name, mask in masks.items():
        np.testing.assert_allclose(weights.kernels[name], np.where(mask, 0.01, 0), atol=1e-6)


def test_distillation_learns_the_answers_of_the_dense_network(dense, dataset):
    targets = retrainer_of(dense, dataset, config(distillation=0.25)).targets
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    rows = np.arange(len(targets))
    assert (targets[rows, dataset.train.labels] >= 0.75).all()
    assert retrainer_of(dense, dataset, config(distillation=0.0)).targets is None


def test_the_same_seed_gives_the_same_network(dense, dataset):
    first, second = (
        retrained(dense, dataset, "weight/obd/global/gradual/finetune", 0.95) for _ in range(2)
    )
    for name, kernel in first.kernels.items():
        np.testing.assert_array_equal(kernel, second.kernels[name])


def test_a_pruned_weight_that_comes_back_is_noticed(dense, dataset):
    masks = {name: kernel > 0 for name, kernel in dense.hidden.items()}
    trainer = trainer_of(dense, masks, dataset)
    trainer.check(1)
    layer = trainer.model.layers[0]
    layer.kernel.assign(layer.kernel + 1)
    with pytest.raises(AssertionError, match=r"hidden_1/kernel is not zero"):
        trainer.check(1)


class Spy(CompactTrainer):
    """Notes what every epoch is trained on, and when masks are made."""

    made: ClassVar[list] = []

    def __init__(self, *args):
        super().__init__(*args)
        self.seen, self.prunings = [], []
        run_steps, prune = self.run_steps, self.prune
        self.run_steps = lambda batches: (self.seen.append(batches.copy()), run_steps(batches))[1]
        self.prune = lambda masks: (self.prunings.append(masks), prune(masks))[1]
        Spy.made.append(self)


@pytest.fixture
def spies(monkeypatch):
    Spy.made = []
    monkeypatch.setattr(retraining, "CompactTrainer", Spy)
    return Spy.made


def test_no_two_epochs_see_the_same_order(dense, dataset, spies):
    """Neither those of ramp and recovery, nor of two rounds, nor of two sparsities or methods."""
    for method, k in (
        ("weight/gradual/finetune", 0.5),
        ("weight/gradual/finetune", 0.6),
        ("weight/iterative/finetune", 0.6),
    ):
        retrained(dense, dataset, method, k, prune_fraction=0.5)
    firsts = [tuple(batches[0]) for spy in spies for batches in spy.seen]
    # Of four steps in an epoch, ramps make masks before each: two epochs of eight groups and two
    # of one, twice, and then two rounds of two epochs.
    assert len(firsts) == 2 * (8 + 2) + 4
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("batch_size", [33, 500, 600])
def test_the_last_batch_of_an_epoch_is_as_large_as_the_others(dense, dataset, spies, batch_size):
    """Of 500 examples; another size would be compiled anew."""
    retrained(dense, dataset, "weight/gradual/finetune", 0.5, batch_size=batch_size)
    (spy,) = spies
    assert {batches.shape[1] for batches in spy.seen} == {batch_size}
    seen = np.concatenate([batches.ravel() for batches in spy.seen])
    assert set(seen) == set(range(500))


def test_the_generators_are_fixed_by_seed_method_k_and_epoch():
    def draws(seed, text, k):
        generators = retraining.epoch_generators(seed, methods.parse(text), k)
        return [next(generators).integers(2**40) for _ in range(3)]

    same = draws(0, "weight/gradual", 0.9)
    assert draws(0, "weight/gradual", 0.9) == same
    others = [
        *draws(1, "weight/gradual", 0.9),
        *draws(0, "unit/gradual", 0.9),
        *draws(0, "weight/gradual", 0.95),
    ]
    assert len({*same, *others}) == 12


@pytest.mark.parametrize(("batch_size", "epochs"), [(500, 30), (500, 3), (10, 1)])
def test_a_ramp_prunes_often_enough_whatever_the_batches(dense, dataset, spies, batch_size, epochs):
    """With large batches or little data a ramp has few steps: it prunes before every one."""
    settings = config(batch_size=batch_size)
    settings = replace(settings, prune_epochs=epochs)
    method = methods.parse("weight/gradual")
    retrainer_of(dense, dataset, settings)(method, dense, 0.0, 0.9, lambda _: None)
    (spy,) = spies
    steps = epochs * 500 // batch_size
    prunings = spy.prunings[1:]  # the first are those that it begins with
    assert len(prunings) == min(steps, retraining.PRUNINGS_PER_RAMP)
    assert retraining.PRUNINGS_PER_RAMP >= 20
    kept = [sum(int(mask.sum()) for mask in masks.values()) for masks in prunings]
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) >= min(steps, 20)


def test_rounds_share_what_has_been_compiled(dense, dataset, spies):
    retrained(dense, dataset, "weight/iterative/finetune", 0.67)  # five rounds of a fifth
    assert len(spies) < 5


def test_what_has_been_compiled_serves_parts_of_its_network_only(dense, dataset):
    """A round that begins with the dense network needs all of it again."""
    whole = {name: np.ones(kernel.shape, bool) for name, kernel in dense.hidden.items()}
    half = {name: mask.copy() for name, mask in whole.items()}
    half["hidden_1"][:, ::2] = False
    most = {name: mask.copy() for name, mask in half.items()}
    most["hidden_2"][:, :9] = False
    trainers = [trainer_of(dense, masks, dataset) for masks in (half, most, whole)]
    assert trainers[0].can_train(trainers[1].part)
    assert not trainers[0].can_train(trainers[2].part)
    assert not trainers[2].can_train(trainers[0].part)


def test_what_leads_nowhere_goes_first(dense, dataset):
    """A unit whose outgoing weights are gone is of no use: its incoming ones are removed next."""
    masks = {name: np.ones(kernel.shape, bool) for name, kernel in dense.hidden.items()}
    masks["hidden_2"][7] = False
    retrainer = retrainer_of(dense, dataset, config())
    pruned = dense.masked(masks)
    found = retrainer._masks(methods.parse("weight"), pruned, masks, 784 / 235_200)
    assert not found["hidden_1"][:, 7].any()
    assert found["hidden_1"].sum() == 235_200 - 784


def test_shifts_change_what_is_learned(dense, dataset):
    still = retrained(dense, dataset, "weight/finetune", 0.5)
    moved = retrained(dense, dataset, "weight/finetune", 0.5, shift=1)
    assert (still.kernels["output"] != moved.kernels["output"]).any()
