import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.visualization.histograms import (
    layer_histogram,
    spanning_edges,
    symmetric_edges,
    widened,
)


def test_counts_by_hand():
    values = np.array([-2.0, -0.5, 0.5, 1.5])
    order = np.array([1, 2, 3, 0])
    edges = np.array([-2, -1, 0, 1, 2])
    histogram = layer_histogram("layer", values, order, [0, 1, 3, 4], edges)
    np.testing.assert_array_equal(histogram.dense, [1, 1, 1, 1])
    np.testing.assert_array_equal(
        histogram.counts, [[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    )
    assert histogram.removed == (0, 1, 3, 4)


def test_zeros_are_not_counted():
    values = np.array([0.0, 0.0, 1.0])
    histogram = layer_histogram("layer", values, np.arange(3), [0, 2], np.array([-1.0, 0, 1]))
    np.testing.assert_array_equal(histogram.counts, [[0, 1], [0, 1]])


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.floats(0, 1))
def test_the_same_as_numpy(seed, size, k):
    values = np.random.default_rng(seed).normal(size=size)
    order = np.argsort(np.abs(values))
    removed = int(k * size)
    edges = symmetric_edges(values, 20)
    histogram = layer_histogram("layer", values, order, [removed], edges)
    # Values on an edge may round to either side of it.
    assert np.abs(histogram.dense - np.histogram(values, edges)[0]).sum() <= 2
    assert histogram.counts[0].sum() == size - removed


def test_edges_of_degenerate_layers():
    assert symmetric_edges(np.zeros(4), 2).tolist() == [-1, 0, 1]
    assert spanning_edges(np.full(3, 2.0), 2).tolist() == [0, 0.5, 1]
    assert spanning_edges(np.array([2.0, 4.0]), 2).tolist() == [2, 3, 4]


def test_bins_are_widened_to_what_is_there():
    symmetric, spanning = np.array([-2.0, 0, 2]), np.array([1.0, 2, 3])
    assert widened(symmetric, np.array([1.0, -4])).tolist() == [-4, 0, 4]
    assert widened(spanning, np.array([0.5, 2])).tolist() == [0.5, 1.75, 3]
    for values in (np.array([1.0, 2]), np.array([])):
        assert widened(spanning, values) is spanning
