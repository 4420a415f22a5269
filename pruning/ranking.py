"""The items of a layer in the order in which they are removed."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np


def num_pruned(k: float, size: int) -> int:
    """How many of `size` items are removed at sparsity `k`: exactly floor(k * size).

    `k` counts as the decimal number that was typed, so that 0.29 of 100 is 29 although the binary
    product is 28.999999999999996.
    """
    return int(Decimal(repr(float(k))) * size)


def ascending(scores: np.ndarray) -> np.ndarray:
    """Flat indices of scores in ascending order; ties by position.

    None of them is negative but those that go first, which are all the same.

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


@dataclass(frozen=True)
class Ranking:
    """The items of one layer, from the least to the most important.

    One sort serves every sparsity, and masks nest: what is gone at `k` is gone at every larger `k`.
    What has been removed before is counted, not sorted again: of a network that is pruned step by
    step only the living part needs to be ranked.

    Attributes:
        scores: importance of each item, of shape (inputs, units) or (units,), say.
        order: flat indices into `scores` of the items that may be removed, least important first;
            ties in order of position. Items that are gone are not among them.
        shape: of the layer's kernel, (inputs, units).
        alive: booleans of the shape of `scores`, False for what is gone; None if nothing is.
        dense_shape: of the layer's kernel in the dense network, where only the living part of it
            is ranked.
        dense_items: shape of all its items there.
        array_shapes: of the kernels in the dense network as they are stored, of a convolution
            (height, width, inputs, units), say; `dense_shape` only if not given.
    """

    scores: np.ndarray
    order: np.ndarray
    shape: tuple[int, int]
    alive: np.ndarray | None = None
    dense_shape: tuple[int, int] | None = None
    dense_items: Any = None
    array_shapes: tuple[tuple[int, ...], ...] | None = None

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
    def gone(self) -> int:
        """How many of them are gone already."""
        left = self.scores.size if self.alive is None else int(np.count_nonzero(self.alive))
        return self.size - left

    @property
    def capacity(self) -> int:
        """How many may be gone at most."""
        return self.gone + self.order.size

    def num_removed(self, k: float) -> int:
        """How many items the layer loses at sparsity `k` on its own."""
        return num_pruned(k, self.size)

    def removed(self, count: int | np.ndarray) -> np.ndarray:
        """Flat indices of the items that go so that `count` are gone, or as many as may be.

        Args:
            count: a number for the whole layer, or for each column of the scores, of shape
                (units,).
        """
        if np.ndim(count):
            return self._removed_of_each_column(count)
        return self.order[: max(int(count) - self.gone, 0)]

    def _removed_of_each_column(self, counts):
        columns = self.order % self.scores.shape[1]
        by_column = np.argsort(columns, kind="stable")  # within a column they stay in order
        left = np.bincount(columns, minlength=self.scores.shape[1])
        place = np.arange(self.order.size) - np.repeat(np.cumsum(left) - left, left)
        goes = np.asarray(counts) - (self.dense_items[0] - self._left_in_columns)
        return self.order[by_column[place < np.repeat(goes, left)]]

    @property
    def _left_in_columns(self):
        if self.alive is None:
            return np.full(self.scores.shape[1], self.scores.shape[0])
        return self.alive.sum(axis=0)

    def kept(self, count: int | np.ndarray) -> np.ndarray:
        """Which items are kept if `count` are gone: booleans of the shape of `scores`."""
        kept = np.ones(self.scores.shape, bool) if self.alive is None else self.alive.copy()
        kept.ravel()[self.removed(count)] = False
        return kept
