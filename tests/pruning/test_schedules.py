from types import SimpleNamespace

import numpy as np
import pytest
from network_pruning.pruning.recoveries import RECOVERIES
from network_pruning.pruning.schedules import SCHEDULES

CONFIG = SimpleNamespace(
    prune_fraction=0.5, learning_rate=0.1, finetune_learning_rate=None, finetune_epochs=3
)


def rounds(schedule, previous, k):
    return SCHEDULES.get(schedule)(previous, k, CONFIG)


def test_oneshot_is_one_round_from_the_dense_network():
    (only,) = rounds("oneshot", 0.5, 0.9)
    assert (only.sparsity, only.ramp, only.from_dense) == (0.9, None, True)


def test_gradual_is_cubic():
    (only,) = rounds("gradual", 0.2, 0.8)
    assert only.ramp(0) == pytest.approx(0.2)
    assert only.ramp(0.5) == pytest.approx(0.8 - 0.6 / 8)
    assert only.ramp(1) == only.sparsity == 0.8


@pytest.mark.parametrize(("previous", "k"), [(0.9, 0.95), (0.7, 0.9), (0.29, 0.57), (0.1, 1.0)])
def test_gradual_never_asks_for_less_than_is_gone(previous, k):
    (only,) = rounds("gradual", previous, k)
    for progress in (0, 1e-9, 0.001):
        assert only.ramp(progress) >= previous


@pytest.mark.parametrize("count", range(1, 25))
def test_iterative_ends_without_a_round_too_many_at_its_canonical_sparsities(count):
    """After `count` rounds of a fifth, 1 - 0.8^count is left to reach: 0.2, 0.36, 0.488 …"""
    config = SimpleNamespace(prune_fraction=0.2)
    k = round(1 - 0.8**count, 12)
    found = SCHEDULES.get("iterative")(0.0, k, config)
    assert len(found) == count
    assert found[-1].sparsity == k


@pytest.mark.parametrize(
    ("count", "digits"),
    [*((count, 3) for count in range(1, 17)), *((count, 4) for count in range(1, 26))],
)
def test_nor_where_these_are_typed_with_few_digits(count, digits):
    """0.673 for 0.67232, 0.8323 for 0.832228, say."""
    config = SimpleNamespace(prune_fraction=0.2)
    k = round(1 - 0.8**count, digits)
    found = [part.sparsity for part in SCHEDULES.get("iterative")(0.0, k, config)]
    assert len(found) == count
    assert found[-1] == k


def test_the_last_round_of_iterative_is_worth_a_recovery():
    """It removes a fiftieth of what is left, or it is none."""
    for k in np.linspace(0.01, 0.99, 981):
        left = [1.0, *(1 - part.sparsity for part in rounds("iterative", 0, k))]
        assert len(left) == 2 or left[-1] <= 0.98 * left[-2] + 1e-12
        assert left[-1] >= 0.48 * left[-2]


def test_iterative_halves_what_is_left():
    assert [r.sparsity for r in rounds("iterative", 0, 0.9)] == [0.5, 0.75, 0.875, 0.9]
    assert [r.sparsity for r in rounds("iterative", 0, 0.5)] == [0.5]
    assert [r.sparsity for r in rounds("iterative", 0.75, 0.9)] == [0.875, 0.9]
    *rest, last = rounds("iterative", 0, 1.0)
    assert last.sparsity == 1
    assert len(rest) == 16  # 2^-16 is the last above 10^-5


def test_recoveries():
    assert RECOVERIES.get("none")(CONFIG).epochs == 0
    finetune = RECOVERIES.get("finetune")(CONFIG)
    assert finetune.epochs == 3
    assert [finetune.learning_rate(t) for t in (0, 0.5, 1)] == pytest.approx([0.1, 0.05, 0])
    assert RECOVERIES.get("weight_rewind")(CONFIG).rewinds
    assert RECOVERIES.get("lr_rewind")(CONFIG).learning_rate(0.9) == 0.1
