"""The items of a layer in the order in which they are pruned."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np


def num_pruned(k: float, size: int) -> int:
    """How many of `size` items are pruned at sparsity `k`: exactly floor(k * size).

    `k` is taken as the decimal number that was typed: 0.29 of 100 is 29, although the binary
    product is 28.999999999999996.
    """
    return int(Decimal(repr(float(k))) * size)


def ascending(scores: np.ndarray) -> np.ndarray:
    """Flat indices of scores in ascending order; ties by position.

    Scores are not negative, except those of items to prune first, which are all equal.

    The bits of such `float32`s are whole numbers in the same order, and NumPy finds a stable order
    of halves of them several times as fast, by counting: first by the lower, then by the upper.
    """
    if scores.dtype != np.float32:
        return np.argsort(scores, axis=None, kind="stable")
    flat = scores.ravel() + np.float32(0)  # -0.0 becomes 0.0
    bits = flat.view(np.uint32) + np.uint32(1)
    bits[flat < 0] = 0
    order = np.argsort(bits.astype(np.uint16), kind="stable")
    upper = (bits >> np.uint32(16)).astype(np.uint16)
    return order[np.argsort(upper[order], kind="stable")]


def least(scores: np.ndarray, number: int) -> np.ndarray:
    """The least of some scores: booleans, True for so many; of equal ones for the first.

    Selecting takes a small part of the time of sorting.
    """
    number = int(np.clip(number, 0, scores.size))
    if number in (0, scores.size):
        return np.full(scores.shape, number > 0)
    limit = np.partition(scores, number - 1, axis=None)[number - 1]
    chosen = scores < limit
    equal = np.flatnonzero(scores == limit)
    chosen.ravel()[equal[: number - np.count_nonzero(chosen)]] = True
    return chosen


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
    step by step only the remaining part is ranked.

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

    scores: np.ndarray
    shape: tuple[int, int]
    candidates: np.ndarray | None = None
    remaining: np.ndarray | None = None
    dense_shape: tuple[int, int] | None = None
    dense_items: Any = None
    array_shapes: tuple[tuple[int, ...], ...] | None = None
    errors: Errors | None = None

    def __post_init__(self) -> None:
        if self.dense_shape is None:
            object.__setattr__(self, "dense_shape", self.shape)
        if self.dense_items is None:
            object.__setattr__(self, "dense_items", self.scores.shape)
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
        return self.scores.size if mask is None else int(np.count_nonzero(mask))

    @cached_property
    def order(self) -> np.ndarray:
        """Flat indices of the candidates, least important first."""
        if self.candidates is None:
            return ascending(self.scores)
        indices = np.flatnonzero(self.candidates)
        return indices[ascending(self.scores.ravel()[indices])]

    @property
    def candidate_scores(self) -> np.ndarray:
        """The scores of the candidates, in order of position, of shape (candidates,)."""
        return self.scores.ravel() if self.candidates is None else self.scores[self.candidates]

    def estimated_errors(self) -> Errors:
        """`Errors` where none can be measured: the share of the squares of the scores."""
        squares = np.square(self.scores.ravel()[self.order], dtype=np.float64)
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

    def kept(self, count: int | np.ndarray) -> np.ndarray:
        """Which items are kept if `count` are pruned in all, or as many as may be.

        Args:
            count: a number for the whole layer, or for each column of the scores, of shape
                (units,).

        Returns:
            Booleans of the shape of `scores`.
        """
        pruned = self._next_by_column(count) if np.ndim(count) else self._next(int(count))
        return ~pruned if self.remaining is None else self.remaining & ~pruned

    def _next(self, count):
        chosen = least(self.candidate_scores, count - self.num_pruned)
        if self.candidates is None:
            return chosen.reshape(self.scores.shape)
        pruned = np.zeros(self.scores.shape, bool)
        pruned[self.candidates] = chosen
        return pruned

    def _next_by_column(self, counts):
        scores, candidates = self.scores, self.candidates
        if candidates is not None:
            scores = np.where(candidates, scores, np.inf)
        order = np.argsort(scores, axis=0, kind="stable")
        left = len(scores) if self.remaining is None else self.remaining.sum(axis=0)
        pruned = np.empty(scores.shape, bool)
        to_prune = np.asarray(counts) - (self.dense_items[0] - left)
        np.put_along_axis(pruned, order, np.arange(len(scores))[:, np.newaxis] < to_prune, axis=0)
        return pruned if candidates is None else pruned & candidates
