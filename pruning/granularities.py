"""What is removed together? One registered class or function per granularity.

A granularity turns the scores of single weights into scores of items, and the items that are kept
into a mask of the kernel's shape. Items are numbered; ties are broken by position. Those registered
with `tensors=True` take tensors of Keras' backend as well as NumPy arrays.
"""

import numpy as np

from ..models.arrays import Array, namespace
from ..settings.registry import Registry
from ..utils import UsageError

GRANULARITIES = Registry("granularity")
register_granularity = GRANULARITIES.register


@register_granularity("weight", tensors=True)
class Weight:
    """Single weights: the most accurate, the hardest to make fast."""

    # How many neighbouring inputs form a group.
    inputs_together = 1

    @staticmethod
    def items(shape: tuple[int, int]) -> tuple[int, ...]:
        """The shape of the items of a kernel of this shape."""
        return shape

    @staticmethod
    def scores(scores: Array, _outgoing: Array) -> Array:
        """Importance of each item.

        Args:
            scores: of the layer's weights, of shape (inputs, units).
            _outgoing: those of the next layer's, of shape (units, next units).
        """
        return scores

    @staticmethod
    def mask(kept: Array, shape: tuple[int, int]) -> Array:
        """The mask of a kernel of this shape from booleans of the shape that `scores` returned."""
        return namespace(kept).reshape(kept, shape)

    @staticmethod
    def removable(_scores: Array, remaining: Array | None) -> Array | None:
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


@register_granularity("unit", tensors=True)
class Unit(_Columns):
    """A neuron: its column of incoming weights, by its L2 norm (the L1 norm in Li et al., 2017,
    arXiv:1608.08710). Its outgoing weights become dead."""

    @staticmethod
    def scores(scores: Array, _outgoing: Array) -> Array:
        return namespace(scores).linalg.norm(scores, axis=0)


@register_granularity("unit_in_out", tensors=True)
class UnitInOut(_Columns):
    """A neuron by its incoming *and* outgoing weights: the product of both L2 norms, because its
    effect vanishes with either."""

    @staticmethod
    def scores(scores: Array, outgoing: Array) -> Array:
        norm = namespace(scores).linalg.norm
        return norm(scores, axis=0) * norm(outgoing, axis=1)


@register_granularity("N:M", pattern=r"(\d+):(\d+)", tensors=True)
class AtMostNOfM(Weight):
    """All but the N best weights of every M neighbouring inputs of a unit may be removed, the
    pattern that hardware supports (Mishra et al., 2021, arXiv:2104.08378). It is complete from
    k = 1 - N/M on, where nothing more is removed; below, some groups keep more than N."""

    def __init__(self, n: int, m: int) -> None:
        _check(0 < n < m, f"{n}:{m}: give N:M with 0 < N < M, such as 2:4")
        self.n, self.m = n, m
        self.inputs_together = m

    def removable(self, scores: Array, remaining: Array | None) -> Array:
        # Within each group, all but the N best; of equal ones the last. What has been removed ranks
        # below all, and the padding of the last group, which must not take the place of a weight,
        # above.
        (inputs, units), xp = scores.shape, namespace(scores)
        if remaining is not None:
            scores = xp.where(remaining, scores, -np.inf)
        missing = -inputs % self.m
        padded = (
            xp.pad(scores, ((0, missing), (0, 0)), constant_values=np.inf) if missing else scores
        )
        groups = xp.reshape(padded, (-1, self.m, units))
        best = np.full((len(groups), 1), self.n)
        best[-1] += missing
        found = []
        for place in range(self.m):
            one = groups[:, place : place + 1]
            better = xp.sum(groups[:, :place] > one, axis=1)
            better = better + xp.sum(groups[:, place + 1 :] >= one, axis=1)
            found.append(xp.greater_equal(better, best))
        removable = xp.reshape(xp.stack(found, axis=1), (-1, units))[:inputs]
        return removable if remaining is None else removable & remaining


@register_granularity("AxB", pattern=r"(\d+)x(\d+)", tensors=True)
class Block(Weight):
    """Blocks of A inputs by B units, by the L2 norm of their scores (Gray et al., 2017, "GPU
    Kernels for Block-Sparse Weights"). Blocks at the edges may be smaller."""

    def __init__(self, rows: int, columns: int) -> None:
        _check(rows > 0 and columns > 0, f"{rows}x{columns}: give blocks such as 4x4")
        self.rows, self.columns = rows, columns
        self.inputs_together = rows

    def items(self, shape: tuple[int, int]) -> tuple[int, ...]:
        return -(-shape[0] // self.rows), -(-shape[1] // self.columns)

    def scores(self, scores: Array, _outgoing: Array) -> Array:
        (inputs, units), xp = scores.shape, namespace(scores)
        padded = xp.pad(scores, ((0, -inputs % self.rows), (0, -units % self.columns)))
        shape = (padded.shape[0] // self.rows, self.rows, -1, self.columns)
        return xp.sqrt(xp.sum(xp.reshape(xp.square(padded), shape), axis=(1, 3)))

    def mask(self, kept: Array, shape: tuple[int, int]) -> Array:
        whole = np.repeat(np.repeat(kept, self.rows, axis=0), self.columns, axis=1)
        return whole[: shape[0], : shape[1]]


def _check(holds, message):
    if not holds:
        raise UsageError(f"{message}.")
