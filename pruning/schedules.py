"""When is pruned? One registered function per schedule.

A schedule returns the `Round`s that take a network from one sparsity, `previous`, to the next, `k`.
Every round is followed by the recovery. The settings that a schedule reads are declared with it (a
ramp takes `prune_epochs`): networks depend on those and no others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..settings.registry import Registry

SCHEDULES = Registry("schedule", takes=("previous", "k", "config"))
register_schedule = SCHEDULES.register


@dataclass(frozen=True)
class Round:
    """One round: to a sparsity at once, or step by step while the network trains.

    Attributes:
        sparsity: at its end.
        ramp: the sparsity at a progress in [0, 1] of `prune_epochs` epochs of training, or None
            if everything is removed at once.
        from_dense: whether it begins with the dense network, not with the result of the previous
            round.
    """

    sparsity: float
    ramp: Callable[[float], float] | None = None
    from_dense: bool = False


@register_schedule("oneshot", settings=())
def oneshot(_previous: float, k: float, _config: Any) -> list[Round]:
    """All at once, for every sparsity from the dense network."""
    return [Round(k, from_dense=True)]


@register_schedule("gradual", settings=("prune_epochs",))
def gradual(previous: float, k: float, _config: Any) -> list[Round]:
    """While training, fast at first and slower towards the end: k + (k₀ - k)(1 - t)³ (Zhu & Gupta,
    2017, arXiv:1710.01878). Continues from the previous sparsity."""

    def ramp(progress):
        # Rounding must not ask for less than what is pruned already.
        return max(previous, k + (previous - k) * (1 - progress) ** 3)

    return [Round(k, ramp)]


@register_schedule("iterative", settings=("prune_fraction",))
def iterative(previous: float, k: float, config: Any) -> list[Round]:
    """Remove a share of what remains (`prune_fraction`), recover, repeat (Han et al., 2015; Frankle
    & Carbin, 2019). Continues from the previous sparsity."""
    # A tiny remainder, from the few digits of `k`, is not worth a round of its own.
    end = max(1 - k, SMALLEST_REST) / (1 - SMALLEST_ROUND)
    rounds, remaining = [], (1 - previous) * (1 - config.prune_fraction)
    while remaining > end:
        rounds.append(Round(1 - remaining))
        remaining *= 1 - config.prune_fraction
    return [*rounds, Round(k)]


# Rounds that remove a smaller share of the remaining weights, or of all, are not worthwhile.
SMALLEST_ROUND, SMALLEST_REST = 0.02, 1e-5
