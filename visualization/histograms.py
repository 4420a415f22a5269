"""Counting for the histograms: once per layer, for all sparsities."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LayerHistogram:
    """The distribution of the kept values of one layer at every sparsity.

    Attributes:
        layer: name of the layer.
        edges: bin edges, of shape (bins + 1,); the same for all sparsities.
        dense: nonzero values in each bin before anything is removed, of shape (bins,).
        counts: kept, nonzero values in each bin, of shape (sparsities, bins).
        removed: number of values removed at each sparsity.
        size: number of values in the layer.
    """

    layer: str
    edges: np.ndarray
    dense: np.ndarray
    counts: np.ndarray
    removed: tuple[int, ...]
    size: int


def layer_histogram(
    layer: str, values: np.ndarray, order: np.ndarray, removed: Sequence[int], edges: np.ndarray
) -> LayerHistogram:
    """Counts the kept values in each bin at every sparsity, in one pass over the values.

    Args:
        layer: name of the layer.
        values: the layer's weights or norms, of any shape.
        order: flat indices into `values` in the order of removal.
        removed: how many of them are removed at each sparsity, ascending.
        edges: equally spaced bin edges; values outside count in the first or last bin.

    Returns:
        A `LayerHistogram`. Values that are exactly zero are not counted.
    """
    bins = len(edges) - 1
    ordered = values.ravel()[order]
    index = bins_of(ordered, edges)
    index[ordered == 0] = bins  # one bin more, cut off below
    stops = [0, *removed, len(ordered)]
    # Values removed between two sparsities, summed from the end: the kept ones.
    removed_between = [
        np.bincount(index[start:stop], minlength=bins + 1)[:bins]
        for start, stop in itertools.pairwise(stops)
    ]
    dense, *counts = np.cumsum(removed_between[::-1], axis=0)[::-1]
    return LayerHistogram(layer, edges, dense, np.array(counts), tuple(removed), len(ordered))


def bins_of(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The number of the bin of each value; those outside are in the first or last one.

    Args:
        values: of any shape.
        edges: equally spaced bin edges.
    """
    bins = len(edges) - 1
    position = values - edges[0]
    position *= bins / (edges[-1] - edges[0])
    return np.clip(position.astype(np.int32), 0, bins - 1)


def symmetric_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges of equal bins around zero that span all values."""
    limit = float(np.abs(values).max(initial=0)) or 1.0
    return np.linspace(-limit, limit, bins + 1)


def spanning_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Edges of equal bins from the smallest to the largest value."""
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    return np.linspace(low, high, bins + 1) if low < high else np.linspace(0, 1, bins + 1)


def widened(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Equal edges, as many as before, that span the values too; the same ones where they do.

    Args:
        edges: equally spaced bin edges; around zero they stay symmetric.
        values: of any shape.
    """
    low = min(edges[0], values.min(initial=np.inf))
    high = max(edges[-1], values.max(initial=-np.inf))
    if (low, high) == (edges[0], edges[-1]):
        return edges
    if edges[0] == -edges[-1]:
        high = max(-low, high)
        low = -high
    return np.linspace(low, high, len(edges))
