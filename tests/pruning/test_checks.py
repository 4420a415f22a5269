"""What a value of an axis returns is looked at before it is used."""

import numpy as np
import pytest
from network_pruning.pruning import checks, masks, methods
from network_pruning.pruning.granularities import GRANULARITIES, Unit, Weight
from network_pruning.pruning.ranking import Ranking
from network_pruning.pruning.recoveries import RECOVERIES, Recovery
from network_pruning.pruning.schedules import SCHEDULES, Round
from network_pruning.pruning.scopes import SCOPES
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.utils import RunError

KERNELS = {name: np.ones((2, 2), np.float32) for name in ("hidden_1", "output")}

pytestmark = pytest.mark.usefixtures("registries")


@pytest.mark.parametrize(
    "counts",
    [
        None,
        3,
        {},
        {"output": 1},
        {"hidden_1": 1.0},
        {"hidden_1": 5},
        {"hidden_1": -1},
        {"hidden_1": [1, 3]},
        {"hidden_1": [1, 1, 1]},
        {"hidden_1": "1"},
        {"hidden_1": [[1], []]},
    ],
    ids=repr,
)
def test_counts_of_a_scope(counts):
    SCOPES.register("mine")(lambda _rankings, _k: counts)
    method = methods.parse("mine")
    with pytest.raises(
        RunError, match=r"The scope 'mine' .*must return the number of pruned items"
    ):
        masks.make_masks(method, masks.rank(method, KERNELS), 0.5)


@pytest.mark.parametrize("counts", [0, 4, np.int64(2), [1, 2], np.array([0, 2])])
def test_counts_that_will_do(counts):
    scores = np.arange(4.0).reshape(2, 2)
    rankings = {"hidden_1": Ranking(scores, (2, 2))}
    assert checks.checked_counts("mine", {"hidden_1": counts}, rankings) == {"hidden_1": counts}


@pytest.mark.parametrize(
    "rounds",
    [
        None,
        3,
        [],
        [Round(0.5)],
        [0.9],
        [Round(1.5), Round(0.9)],
        [Round(0.9, ramp=3)],
        [Round("a"), Round(0.9)],
        [Round(np.nan), Round(0.9)],
    ],
    ids=repr,
)
def test_rounds_of_a_schedule(rounds):
    SCHEDULES.register("mine")(lambda _previous, _k, _config: rounds)
    with pytest.raises(RunError, match=r"The schedule 'mine' .*must return Rounds .* of 0\.9, but"):
        methods.schedule_rounds(methods.parse("mine"), 0.0, 0.9, ExperimentConfig())


def test_rounds_may_be_a_generator():
    SCHEDULES.register("mine")(lambda _previous, k, _config: (Round(s) for s in (0.5, k)))
    rounds = methods.schedule_rounds(methods.parse("mine"), 0.0, 0.9, ExperimentConfig())
    assert [part.sparsity for part in rounds] == [0.5, 0.9]


@pytest.mark.parametrize("sparsity", [None, -0.1, 1.1, np.nan, "0.5"])
def test_a_ramp(sparsity):
    with pytest.raises(RunError, match="A ramp of the schedule 'mine' must return a sparsity in"):
        checks.checked_ramp("mine", sparsity)


@pytest.mark.parametrize(
    "recovery",
    [None, 6, Recovery(-1, abs), Recovery(1.5, abs), Recovery(6, 0.001), (6, abs)],
    ids=repr,
)
def test_what_a_recovery_returns(recovery):
    RECOVERIES.register("mine")(lambda _config: recovery)
    with pytest.raises(RunError, match=r"The recovery 'mine' .*must return a Recovery"):
        methods.recovery_of(methods.parse("mine"), ExperimentConfig())


def test_a_schedule_that_declares_nothing_sees_what_networks_depend_on():
    seen = []
    RECOVERIES.register("mine")(lambda config: seen.append(config) or Recovery(0, abs))
    methods.recovery_of(methods.parse("mine"), ExperimentConfig())
    assert seen[0].finetune_epochs == 6
    assert seen[0].batch_size == 128
    # Of these networks do not depend: what a method made of them would be stale.
    assert not {"k_vals", "methods", "output_dir", "replicates"} & set(vars(seen[0]))


class Nan(Weight):
    @staticmethod
    def scores(scores, _outgoing):
        return scores * np.nan


class Number(Weight):
    @staticmethod
    def scores(scores, _outgoing):
        return scores.sum()


class Numbers(Weight):
    @staticmethod
    def mask(kept, _shape):
        return 1.0 * kept


class Smaller(Weight):
    @staticmethod
    def mask(kept, _shape):
        return kept[1:]


@pytest.mark.parametrize(
    ("granularity", "sentence"),
    [
        (object, "lacks scores, mask, removable; derive it from"),
        (Nan, "the result is not finite in 4 of 4 places"),
        (Number, "the result is a number"),
        (Numbers, "but the result is of type float64 and shape (2, 2)"),
        (Smaller, "but the result is of type bool and shape (1, 2)"),
    ],
)
def test_a_granularity(granularity, sentence):
    GRANULARITIES.register("mine")(granularity)
    method = methods.parse("mine")
    with pytest.raises(RunError) as caught:
        masks.make_masks(method, masks.rank(method, KERNELS), 0.5)
    assert str(caught.value).startswith("The granularity 'mine' ")
    assert sentence in str(caught.value)


def test_units_of_a_plugin_do_not_compete_with_the_inputs_of_one():
    GRANULARITIES.register("mine")(Unit)
    method = methods.parse("mine/output")
    with pytest.raises(RunError, match="it cannot prune whole units; choose layer, global or erk"):
        masks.make_masks(method, masks.rank(method, KERNELS), 0.5)


def test_items_of_blocks():
    block = GRANULARITIES.get("2x3")
    assert block.items((5, 7)) == block.scores(np.ones((5, 7)), None).shape == (3, 3)


def test_scores_may_be_whole_numbers():
    items = checks.checked_items("mine", "hidden_1", np.array([3, 0], np.int64))
    assert items.dtype.kind == "f"
    np.testing.assert_array_equal(items, [3, 0])
