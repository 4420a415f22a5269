"""The items of a layer in the order in which they are pruned."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from ..models.arrays import Array, count, is_numpy, namespace, size_of, to_numpy
from .selection import ascending, least


def num_pruned(k: float, size: int) -> int:
    """How many of `size` items are pruned at sparsity `k`: exactly floor(k * size).

    `k` is taken as the decimal number that was typed: 0.29 of 100 is 29, although the binary
    product is 28.999999999999996.
    """
    return int(Decimal(repr(float(k))) * size)


TINY = np.finfo(float).tiny
# Densities at which the reconstruction error of a layer is measured, but for 1 and 0.
DENSITIES = tuple(0.7**step for step in range(1, 25))

# Ascending numbers of pruned items of a layer, and its reconstruction error without each so many.
Errors = tuple[np.ndarray, np.ndarray]


def counts_to_measure(size: int) -> np.ndarray:
    """Numbers of pruned items, of `size`, at which errors are measured."""
    kept = np.unique([0, *(round(size * density) for density in DENSITIES), size])
    return size - kept[::-1]


@dataclass(frozen=True)
class Ranking:
    """The items of one layer, from the least to the most important; of equal ones, the first is
    the less important.

    Masks nest: what is pruned at `k` is pruned at every larger `k`. Of a network that is pruned
    step by step only the remaining part is ranked. Arrays are all of NumPy, or all tensors on an
    accelerator.

    Attributes:
        scores: importance of each item, for example of shape (inputs, units) or (units,).
        shape: of the layer's kernel, (inputs, units).
        candidates: booleans of the shape of `scores`, False for items that may not be pruned, or
            are pruned already; None if all may be.
        remaining: booleans of the shape of `scores`, False for items that are pruned already; None
            if none is.
        dense_shape: of the layer's kernel in the dense network, where only the remaining part of
            it is ranked.
        dense_items: shape of all its items there.
        array_shapes: of the kernels in the dense network as they are stored, for example
            (height, width, inputs, units) of a convolution; by default only `dense_shape`.
        errors: the layer's reconstruction `Errors`, for the scope `budget`; None if they were not
            measured.
    """

    scores: Array
    shape: tuple[int, int]
    candidates: Array | None = None
    remaining: Array | None = None
    dense_shape: tuple[int, int] | None = None
    dense_items: Any = None
    array_shapes: tuple[tuple[int, ...], ...] | None = None
    errors: Errors | None = None

    def __post_init__(self) -> None:
        if self.dense_shape is None:
            object.__setattr__(self, "dense_shape", self.shape)
        if self.dense_items is None:
            object.__setattr__(self, "dense_items", tuple(self.scores.shape))
        if self.array_shapes is None:
            object.__setattr__(self, "array_shapes", (self.dense_shape,))

    @property
    def size(self) -> int:
        """The number of items of the layer in the dense network."""
        return int(np.prod(self.dense_items))

    @cached_property
    def num_pruned(self) -> int:
        """How many of them are pruned already."""
        return self.size - self._number(self.remaining)

    def _number(self, mask):
        """How many items are in a mask."""
        return size_of(self.scores) if mask is None else count(mask)

    @cached_property
    def order(self) -> np.ndarray:
        """Flat indices of the candidates, least important first."""
        scores = to_numpy(self.scores)
        if self.candidates is None:
            return ascending(scores)
        indices = np.flatnonzero(to_numpy(self.candidates))
        return indices[ascending(scores.ravel()[indices])]

    @property
    def candidate_scores(self) -> Array:
        """The scores of the candidates, in order of position, of shape (candidates,); tensors with
        infinity in place of all others, because functions are compiled for each shape."""
        xp = namespace(self.scores)
        if self.candidates is None:
            return xp.reshape(self.scores, (-1,))
        if is_numpy(self.scores):
            return self.scores[self.candidates]
        return xp.reshape(xp.where(self.candidates, self.scores, np.inf), (-1,))

    def estimated_errors(self) -> Errors:
        """`Errors` where none can be measured: the share of the squares of the scores."""
        squares = np.square(to_numpy(self.scores).ravel()[self.order], dtype=np.float64)
        errors = np.concatenate([[0.0], np.cumsum(squares)]) / max(squares.sum(), TINY)
        counts = counts_to_measure(self.size)
        return counts, np.interp(counts, self.num_pruned + np.arange(len(errors)), errors)

    @cached_property
    def max_prunable(self) -> int:
        """How many may be pruned at most, including those that are pruned already."""
        return self.num_pruned + self._number(self.candidates)

    def num_removed(self, k: float) -> int:
        """How many items the layer loses at sparsity `k` if it is pruned on its own."""
        return num_pruned(k, self.size)

    def kept(self, number: int | np.ndarray) -> Array:
        """Which items are kept if so many are pruned in all, or as many as may be.

        Args:
            number: for the whole layer, or for each column of the scores, of shape (units,).

        Returns:
            Booleans of the shape of `scores`.
        """
        pruned = self._next_by_column(number) if np.ndim(number) else self._next(int(number))
        kept = namespace(pruned).logical_not(pruned)
        return kept if self.remaining is None else kept & self.remaining

    def _next(self, number):
        xp, number = namespace(self.scores), min(number, self.max_prunable) - self.num_pruned
        chosen = least(self.candidate_scores, number)
        if self.candidates is None or not is_numpy(chosen):
            return xp.reshape(chosen, self.scores.shape)
        pruned = np.zeros(self.scores.shape, bool)
        pruned[self.candidates] = chosen
        return pruned

    def _next_by_column(self, numbers):
        scores, candidates, xp = self.scores, self.candidates, namespace(self.scores)
        if candidates is not None:
            scores = xp.where(candidates, scores, np.inf)
        left = len(scores) if self.remaining is None else to_numpy(xp.sum(self.remaining, axis=0))
        pruned = xp.less(_ranks(scores), np.asarray(numbers) - (self.dense_items[0] - left))
        return pruned if candidates is None else pruned & candidates


def _ranks(scores):
    """The place of each score in the ascending order of its column; ties by position."""
    xp = namespace(scores)
    if not is_numpy(scores):
        return xp.argsort(xp.argsort(scores, axis=0), axis=0)
    order, ranks = np.argsort(scores, axis=0, kind="stable"), np.empty(scores.shape, np.intp)
    np.put_along_axis(ranks, order, np.arange(len(scores))[:, np.newaxis], axis=0)
    return ranks
