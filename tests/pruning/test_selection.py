"""In which order items go."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.models.arrays import to_numpy
from network_pruning.pruning.selection import ascending, least

pytestmark = pytest.mark.backends


@pytest.mark.parametrize("size", [0, 1, 7, 70_000])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_scores_are_in_a_stable_order_also_what_goes_first(size, kind):
    generator = np.random.default_rng(size)
    scores = np.abs(generator.normal(size=size)).astype(kind)
    scores[generator.random(size) < 0.3] = 0
    scores[generator.random(size) < 0.1] = -0.0
    scores[generator.random(size) < 0.1] = -1
    scores[generator.random(size) < 0.1] = np.finfo(kind).smallest_subnormal
    scores[generator.random(size) < 0.1] = np.finfo(kind).max
    order = ascending(scores)
    np.testing.assert_array_equal(order, np.argsort(scores, kind="stable"))
    assert order.dtype == np.intp


@given(
    st.lists(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 1.0, 7.0]), max_size=40), st.integers(-2, 42)
)
def test_the_least_are_those_that_come_first_in_order(values, number):
    for kind in (np.float16, np.float32, np.float64):
        scores = np.array(values, kind)
        expected = np.zeros(scores.size, bool)
        expected[np.argsort(scores, kind="stable")[: max(number, 0)]] = True
        np.testing.assert_array_equal(least(scores, number), expected)


@given(
    st.lists(st.sampled_from([-1.0, -0.0, 0.0, 1e-30, 0.5, 1.0, 3e38, np.inf]), max_size=40),
    st.integers(-2, 42),
)
def test_of_tensors_they_are_the_same(values, number):
    scores = np.array(values, np.float32).reshape(-1, 1)
    found = least(keras.ops.convert_to_tensor(scores), number)
    np.testing.assert_array_equal(to_numpy(found), least(scores, number))
