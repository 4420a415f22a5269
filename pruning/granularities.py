"""What is removed together? One registered class or function per granularity.

A granularity turns the scores of single weights into scores of items, and the items that are kept
into a mask of the kernel's shape. Items are numbered; ties are broken by position.
"""

import numpy as np

from ..settings.registry import Registry
from ..utils import UsageError

GRANULARITIES = Registry("granularity")
register_granularity = GRANULARITIES.register


@register_granularity("weight")
class Weight:
    """Single weights: the most accurate, the hardest to make fast."""

    # How many neighbouring inputs form a group.
    inputs_together = 1

    @staticmethod
    def items(shape: tuple[int, int]) -> tuple[int, ...]:
        """The shape of the items of a kernel of this shape."""
        return shape

    @staticmethod
    def scores(scores: np.ndarray, _outgoing: np.ndarray) -> np.ndarray:
        """Importance of each item.

        Args:
            scores: of the layer's weights, of shape (inputs, units).
            _outgoing: those of the next layer's, of shape (units, next units).
        """
        return scores

    @staticmethod
    def mask(kept: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """The mask of a kernel of this shape from booleans of the shape that `scores` returned."""
        return kept.reshape(shape)

    @staticmethod
    def removable(_scores: np.ndarray, remaining: np.ndarray | None) -> np.ndarray | None:
        """Which items may be removed next: booleans of their shape, or None if all may be.

        Args:
            _scores: of the items.
            remaining: booleans, False for those that have been removed before; None if none has.
        """
        return remaining


class _Columns(Weight):
    @staticmethod
    def items(shape):
        return shape[1:]

    @staticmethod
    def mask(kept, shape):
        return np.broadcast_to(kept, shape)


@register_granularity("unit")
class Unit(_Columns):
    """A neuron: its column of incoming weights, by its L2 norm (the L1 norm in Li et al., 2017,
    arXiv:1608.08710). Its outgoing weights become dead."""

    @staticmethod
    def scores(scores: np.ndarray, _outgoing: np.ndarray) -> np.ndarray:
        return np.linalg.norm(scores, axis=0)


@register_granularity("unit_in_out")
class UnitInOut(_Columns):
    """A neuron by its incoming *and* outgoing weights: the product of both L2 norms, because its
    effect vanishes with either."""

    @staticmethod
    def scores(scores: np.ndarray, outgoing: np.ndarray) -> np.ndarray:
        return np.linalg.norm(scores, axis=0) * np.linalg.norm(outgoing, axis=1)


@register_granularity("N:M", pattern=r"(\d+):(\d+)")
class AtMostNOfM(Weight):
    """All but the N best weights of every M neighbouring inputs of a unit may be removed, the
    pattern that hardware supports (Mishra et al., 2021, arXiv:2104.08378). It is complete from
    k = 1 - N/M on, where nothing more is removed; below, some groups keep more than N."""

    def __init__(self, n: int, m: int) -> None:
        _check(0 < n < m, f"{n}:{m}: give N:M with 0 < N < M, such as 2:4")
        self.n, self.m = n, m
        self.inputs_together = m

    def removable(self, scores: np.ndarray, remaining: np.ndarray | None) -> np.ndarray:
        # Within each group, all but the N best; of equal ones the last. What has been removed ranks
        # below all, and the padding of the last group, which must not take the place of a weight,
        # above.
        inputs, units = scores.shape
        if remaining is not None:
            scores = np.where(remaining, scores, -np.inf)
        missing = -inputs % self.m
        padded = np.pad(scores, ((0, missing), (0, 0)), constant_values=np.inf)
        groups = padded.reshape(-1, self.m, units)
        best = np.full((len(groups), 1), self.n)
        best[-1] += missing
        found = np.empty(groups.shape, bool)
        for place in range(self.m):
            one = groups[:, place, np.newaxis]
            better = (groups[:, :place] > one).sum(axis=1) + (groups[:, place + 1 :] >= one).sum(1)
            found[:, place] = better >= best
        found = found.reshape(-1, units)[:inputs]
        return found if remaining is None else found & remaining


@register_granularity("AxB", pattern=r"(\d+)x(\d+)")
class Block(Weight):
    """Blocks of A inputs by B units, by the L2 norm of their scores (Gray et al., 2017, "GPU
    Kernels for Block-Sparse Weights"). Blocks at the edges may be smaller."""

    def __init__(self, rows: int, columns: int) -> None:
        _check(rows > 0 and columns > 0, f"{rows}x{columns}: give blocks such as 4x4")
        self.rows, self.columns = rows, columns
        self.inputs_together = rows

    def items(self, shape: tuple[int, int]) -> tuple[int, ...]:
        return -(-shape[0] // self.rows), -(-shape[1] // self.columns)

    def scores(self, scores: np.ndarray, _outgoing: np.ndarray) -> np.ndarray:
        inputs, units = scores.shape
        pad = ((0, -inputs % self.rows), (0, -units % self.columns))
        padded = np.pad(scores, pad)
        shape = (padded.shape[0] // self.rows, self.rows, -1, self.columns)
        return np.sqrt(np.square(padded).reshape(shape).sum(axis=(1, 3)))

    def mask(self, kept: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        whole = np.repeat(np.repeat(kept, self.rows, axis=0), self.columns, axis=1)
        return whole[: shape[0], : shape[1]]


def _check(holds, message):
    if not holds:
        raise UsageError(f"{message}.")
