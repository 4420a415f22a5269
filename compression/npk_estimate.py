"""Estimates the size of an `.npk` file, in a hundredth of the time that it takes to write it.

Each part is estimated by its entropy, given what the format's adaptive models (docs/small.md) use:
the weights of each row so far, and the neighbours in an image.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .npk_writer import (
    as_bytes,
    config_bytes,
    deflated,
    pictures_of,
    table_and_places,
)

HEAD = 16  # bytes before the config
SAMPLE = 1 << 18  # bytes of a table that are deflated to estimate its compression
# The priors of the format's models.
FIRST_WEIGHT, FIRST_COUNT, MOST_CHANCE = 2, 8, 0.98


def estimated_size(
    config: dict[str, Any], arrays: Iterable[np.ndarray], column_axes: Sequence[int]
) -> int:
    """The estimated number of bytes that `npk_writer.write` returns for the same arguments.

    Args:
        config: JSON-ready values.
        arrays: NumPy arrays, taken one after the other.
        column_axes: for each, how many of its last axes are the columns of a matrix.
    """
    bits = sum(map(_array_bits, arrays, column_axes))
    return HEAD + len(config_bytes(config)) + math.ceil(bits / 8)


def _array_bits(array, axes):
    table, places, axes = table_and_places(np.asarray(array), axes)
    return _table_bits(table) + (_matrix_bits(places, axes) if axes else 0)


def _table_bits(table):
    content, _ = as_bytes(table)
    sample = content[:SAMPLE]
    return 8 * len(deflated(sample)) * len(content) / len(sample) if sample else 0


def _matrix_bits(places, axes):
    """Bits of a matrix of whole numbers: positions of nonzeros, their signs and magnitudes."""
    matrix = places.reshape(-1, math.prod(places.shape[-axes:]))
    is_alive = matrix.any(axis=1)
    there, values = matrix[is_alive] != 0, matrix[matrix != 0]
    counts = np.count_nonzero(there, axis=0)
    bits = _entropy(is_alive) + _entropy(np.diff(np.sort(counts))) + _entropy(np.abs(values))
    bits += _choices(len(there), counts).sum() - _known_of_rows(there, counts)
    without = 0.0, _entropy(np.sign(values))
    pictures = (
        _known_of_neighbours(matrix, is_alive, counts, picture)
        for picture in pictures_of(places.shape)
    )
    return bits + min(signs - known for known, signs in (without, *pictures))


def _entropy(values):
    """Bits of values by the entropy of their frequencies."""
    _, found = np.unique(values, return_counts=True)
    return -(found * np.log2(found / found.sum())).sum()


def _choices(rows, counts):
    """Bits that encode which rows are nonzero, for columns with so many nonzeros."""
    from scipy.special import gammaln

    choices = gammaln(rows + 1) - gammaln(counts + 1) - gammaln(rows - counts + 1)
    return choices / math.log(2)


def _known_of_rows(there, counts):
    """Bits saved because rows with many nonzeros in earlier columns have more in the next."""
    columns, rows = np.nonzero(there.T)
    by_row = np.argsort(rows, kind="stable")
    ordered, earlier = rows[by_row], np.empty(len(rows))
    earlier[by_row] = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
    on_average = (np.cumsum(counts) - counts) / max(len(there), 1)
    weights = (FIRST_WEIGHT + earlier) / (FIRST_WEIGHT + on_average[columns])
    return np.log2(weights).sum()


def _known_of_neighbours(matrix, is_alive, counts, picture):
    """Bits saved because nonzeros of an image are neighbours, and bits of their signs given those
    of their neighbours."""
    step, line = picture
    near, far = (step, line), (line + step, line - step, 2 * step, 2 * line)
    there, signs = (matrix != 0).astype(np.int8), np.sign(matrix).astype(np.int8)
    seen = 4 * _neighbours(there, near) + np.minimum(_neighbours(there, far), 3)
    seen, there_alive = seen[is_alive].ravel(), there[is_alive]
    hits = np.bincount(seen, there_alive.ravel(), minlength=12)
    expected = np.bincount(seen, _chances(there_alive, counts).ravel(), minlength=12)
    known = (hits * np.log2((FIRST_COUNT + hits) / (FIRST_COUNT + expected))).sum()
    around = np.clip(_neighbours(signs, (*near, *far[:2])), -2, 2)[there > 0]
    values = signs[there > 0]
    return known, sum(_entropy(values[around == value]) for value in range(-2, 3))


def _neighbours(values, ways):
    """Sums of the values at these distances in earlier rows."""
    found = np.zeros_like(values)
    for way in ways:
        if 0 < way < len(values):
            found[way:] += values[:-way]
    return found


def _chances(there, counts):
    """The probability of each cell to be nonzero, by earlier ones of its row and its column's
    count."""
    weights = FIRST_WEIGHT + np.cumsum(there, axis=1, dtype=np.float32) - there
    total = np.maximum(weights.sum(axis=0), FIRST_WEIGHT)  # there may be no rows
    return np.minimum(weights * (counts / total), MOST_CHANCE)
