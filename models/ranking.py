"""The items of a layer in the order in which they are removed."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np


def num_pruned(k, size):
    """How many of `size` items are removed at sparsity `k`: exactly floor(k * size).

    `k` counts as the decimal number that was typed, so that 0.29 of 100 is 29 although the binary
    product is 28.999999999999996.
    """
    return int(Decimal(repr(float(k))) * size)


@dataclass(frozen=True)
class Ranking:
    """The items of one layer, from the least to the most important.

    One sort serves every sparsity, and masks nest: what is gone at `k` is gone at every larger `k`.

    Attributes:
        scores: importance of each item, of shape (inputs, units) or (units,), say.
        order: flat indices into `scores` of the items that may be removed, least important first;
            ties in order of position.
        shape: of the layer's kernel, (inputs, units).
    """

    scores: np.ndarray
    order: np.ndarray
    shape: tuple[int, int]

    @property
    def size(self):
        """The number of items."""
        return self.scores.size

    def num_removed(self, k):
        """How many items the layer loses at sparsity `k` on its own."""
        return num_pruned(k, self.size)

    def removed(self, count):
        """Flat indices of the first `count` items, or of as many as may be removed."""
        return self.order[:count]

    def kept(self, count):
        """Which items are kept if `count` are removed: booleans of the shape of `scores`."""
        kept = np.ones(self.scores.size, bool)
        kept[self.removed(count)] = False
        return kept.reshape(self.scores.shape)
