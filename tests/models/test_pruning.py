import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from network_pruning.models import pruning

KERNEL = np.array([[1.0, -4.0, 0.0], [-3.0, 2.0, 5.0]], np.float32)


def pruned(kernel, granularity, k):
    kernels = {"layer": np.asarray(kernel)}
    masks = pruning.make_masks(pruning.rank(kernels, granularity), kernels, k)
    return pruning.apply_masks(masks, kernels)["layer"]


@pytest.mark.parametrize(
    ("k", "size", "expected"),
    [
        (0.0, 100, 0),
        (1.0, 100, 100),
        (0.29, 100, 29),  # the binary product is 28.999999999999996
        (0.57, 100, 57),  # and this one 56.99999999999999
        (0.999, 784_000, 783_216),
        (0.995, 200, 199),
        (0.999, 200, 199),
        (0.25, 3, 0),
        (0.5, 3, 1),
        (0.1 + 0.2, 10, 3),
        (1e-05, 100_000, 1),
        (0.5, 0, 0),
    ],
)
def test_num_pruned(k, size, expected):
    assert pruning.num_pruned(k, size) == expected


@given(st.integers(0, 1000), st.integers(0, 10**6))
def test_num_pruned_is_the_floor_of_the_decimal_product(thousandths, size):
    assert pruning.num_pruned(thousandths / 1000, size) == thousandths * size // 1000


def test_weight_pruning_by_hand():
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 0.0), KERNEL)
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 0.5), [[0, -4, 0], [-3, 0, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 0.84), [[0, 0, 0], [0, 0, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "weight", 1.0), np.zeros((2, 3)))


def test_unit_pruning_by_hand():
    # Column norms: sqrt(10), sqrt(20), 5.
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 0.33), KERNEL)
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 0.34), [[0, -4, 0], [0, 2, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 0.67), [[0, 0, 0], [0, 0, 5]])
    np.testing.assert_array_equal(pruned(KERNEL, "unit", 1.0), np.zeros((2, 3)))


def test_ties_go_by_position_and_keep_the_count_exact():
    np.testing.assert_array_equal(pruned(np.full((2, 2), -7.0), "weight", 0.75), [[0, 0], [0, -7]])
    np.testing.assert_array_equal(pruned(np.ones((2, 4)), "unit", 0.5), [[0, 0, 1, 1]] * 2)


def test_a_single_weight():
    assert pruned([[3.0]], "weight", 0.999)[0, 0] == 3
    assert pruned([[3.0]], "weight", 1.0)[0, 0] == 0


def test_each_layer_is_ranked_on_its_own():
    kernels = {"small": np.array([[0.1, 0.2]]), "large": np.array([[10.0, 20.0]])}
    masks = pruning.make_masks(pruning.rank(kernels, "weight"), kernels, 0.5)
    np.testing.assert_array_equal(masks["small"], [[False, True]])
    np.testing.assert_array_equal(masks["large"], [[False, True]])


def test_the_original_is_not_touched_and_the_type_stays():
    before = KERNEL.copy()
    after = pruned(KERNEL, "weight", 0.5)
    np.testing.assert_array_equal(KERNEL, before)
    assert after.dtype == np.float32


KERNELS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=8),
    elements=st.floats(-3, 3, width=16),  # few values: many ties
)


@given(KERNELS, st.sampled_from(["weight", "unit"]), st.floats(0, 1))
def test_the_count_is_exact_and_what_stays_is_no_less_important(kernel, granularity, k):
    ranking = pruning.rank({"layer": kernel}, granularity)["layer"]
    kept = ranking.kept(k)
    assert kept.size - kept.sum() == pruning.num_pruned(k, kept.size)
    if kept.any() and not kept.all():
        assert ranking.scores[kept].min() >= ranking.scores[~kept].max()


@given(KERNELS, st.sampled_from(["weight", "unit"]), st.floats(0, 1), st.floats(0, 1))
def test_masks_nest(kernel, granularity, one, other):
    ranking = pruning.rank({"layer": kernel}, granularity)["layer"]
    lower, higher = sorted((one, other))
    assert not (ranking.kept(higher) & ~ranking.kept(lower)).any()
