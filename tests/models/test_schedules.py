from types import SimpleNamespace

import pytest
from network_pruning.models.recoveries import RECOVERIES
from network_pruning.models.schedules import SCHEDULES

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
