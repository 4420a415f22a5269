"""Selects the least of some scores."""

import numpy as np

from ..models.arrays import Array, count, is_numpy, namespace, size_of


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


def least(scores: Array, number: int) -> Array:
    """The least of some scores: booleans, True for so many; of equal ones for the first.

    Selecting takes a small part of the time of sorting.

    Args:
        scores: of any shape, not NaN.
        number: how many; less than none are none, more than all are all.
    """
    xp, size = namespace(scores), size_of(scores)
    number = min(max(int(number), 0), size)
    if number in (0, size):
        return xp.full(scores.shape, number > 0, dtype="bool")
    limit = _smallest(scores, number)
    below, equal = scores < limit, scores == limit
    missing = number - count(below)
    if missing < count(equal):
        equal = _first(equal, missing)
    return xp.logical_or(below, equal)


def _smallest(scores, number):
    """The score that is the `number`-th in ascending order."""
    if is_numpy(scores):
        return np.partition(scores, number - 1, axis=None)[number - 1]
    xp = namespace(scores)  # on a GPU sorting takes no longer, and one call
    return xp.take(xp.sort(xp.reshape(scores, (-1,))), number - 1)


def _first(mask, number):
    """The first so many of the entries that are True, in order of position."""
    if is_numpy(mask):
        found = np.zeros(mask.shape, bool)
        found.ravel()[np.flatnonzero(mask)[:number]] = True
        return found
    xp = namespace(mask)
    place = xp.reshape(xp.cumsum(xp.reshape(xp.where(mask, 1, 0), (-1,))), mask.shape)
    return xp.logical_and(mask, place <= number)
