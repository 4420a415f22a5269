"""Which weights to remove: criteria, granularities, scopes, and the masks they make.

A mask is a boolean array of its kernel's shape, True where the weight is kept. Everything here is
pure NumPy on kernels of shape (inputs, units).
"""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np


def magnitude(kernel):
    """Importance of each weight: its absolute value (Han et al., 2015)."""
    return np.abs(kernel)


def unit_norm(kernel):
    """Importance of each unit: the L2 norm of its column of incoming weights (Li et al., 2017)."""
    return np.linalg.norm(kernel, axis=0)


SCORES = {"weight": magnitude, "unit": unit_norm}


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
        scores: importance of each item, of shape (inputs, units) or (units,).
        order: flat indices into `scores`, least important first; ties in order of position.
    """

    scores: np.ndarray
    order: np.ndarray

    @classmethod
    def of(cls, scores):
        return cls(scores, np.argsort(scores, axis=None, kind="stable"))

    def removed(self, k):
        """Flat indices of the items that are removed at sparsity `k`."""
        return self.order[: num_pruned(k, self.order.size)]

    def kept(self, k):
        """Which items are kept at sparsity `k`: booleans of the shape of `scores`."""
        kept = np.ones(self.scores.size, bool)
        kept[self.removed(k)] = False
        return kept.reshape(self.scores.shape)


def rank(kernels, granularity):
    """A `Ranking` of the items of every layer, each layer on its own (scope `layer`).

    Args:
        kernels: arrays of shape (inputs, units) by layer name.
        granularity: `weight`, or `unit` for whole columns.
    """
    return {name: Ranking.of(SCORES[granularity](kernel)) for name, kernel in kernels.items()}


def make_masks(rankings, kernels, k):
    """The mask of every layer at sparsity `k`, by layer name, of the kernels' shapes."""
    # A unit's single boolean stands for its whole column.
    return {
        name: np.broadcast_to(ranking.kept(k), kernels[name].shape)
        for name, ranking in rankings.items()
    }


def apply_masks(masks, kernels):
    """Copies of the masked kernels with the removed weights set to exactly 0.0."""
    return {name: np.where(mask, kernels[name], 0) for name, mask in masks.items()}
