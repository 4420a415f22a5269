"""In which order items go."""

import numpy as np
import pytest
from network_pruning.pruning.ranking import ascending


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
