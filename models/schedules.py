"""When is pruned? One registered function per schedule.

A schedule says in which `Round`s a network gets from one sparsity, `previous`, to the next, `k`.
After every round the recovery follows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .registry import Registry

SCHEDULES = Registry("schedule")
register_schedule = SCHEDULES.register


@dataclass(frozen=True)
class Round:
    """One round: to a sparsity at once, or step by step while the network trains.

    Attributes:
        sparsity: what is reached at its end.
        ramp: the sparsity at a progress in [0, 1] of `--prune_epochs` epochs of training, or None
            where everything is removed at once.
        from_dense: whether it begins with the dense network, not with what the round before left.
    """

    sparsity: float
    ramp: Callable[[float], float] | None = None
    from_dense: bool = False


@register_schedule("oneshot")
def oneshot(_previous, k, _config):
    """All at once, for every sparsity from the dense network."""
    return [Round(k, from_dense=True)]


@register_schedule("gradual")
def gradual(previous, k, _config):
    """While training, fast at first and slower towards the end: k + (k₀ - k)(1 - t)³ (Zhu & Gupta,
    2017, arXiv:1710.01878). Goes on from the sparsity before."""
    return [Round(k, lambda progress: k + (previous - k) * (1 - progress) ** 3)]


@register_schedule("iterative")
def iterative(previous, k, config):
    """A share of what is left (`--prune_fraction`), recover, repeat (Han et al., 2015; Frankle &
    Carbin, 2019). Goes on from the sparsity before."""
    rounds, remaining = [], (1 - previous) * (1 - config.prune_fraction)
    while remaining > max(1 - k, SMALLEST_REST):
        rounds.append(Round(1 - remaining))
        remaining *= 1 - config.prune_fraction
    return [*rounds, Round(k)]


# Where everything goes in the end, rounds that remove next to nothing are of no use.
SMALLEST_REST = 1e-5
