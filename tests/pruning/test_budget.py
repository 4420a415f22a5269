"""The scope `budget`: layers lose what costs least."""

import dataclasses

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from network_pruning.pruning.ranking import Ranking, counts_to_measure, num_pruned
from network_pruning.pruning.scopes import SCOPES
from network_pruning.utils import RunError

budget = SCOPES.get("budget")


def ranking(size, counts=None, errors=None):
    """Of a layer of so many weights, scores 0, 1, 2, …"""
    scores = np.arange(size, dtype=np.float32).reshape(size, 1)
    found = Ranking(scores, (size, 1))
    if counts is None:
        return found
    return dataclasses.replace(found, errors=(np.array(counts), np.array(errors)))


def test_the_next_item_is_that_with_the_least_further_error():
    layers = {
        "dear": ranking(4, [0, 1, 2, 3, 4], [0, 1, 3, 6, 10]),
        "cheap": ranking(4, [0, 1, 2, 3, 4], [0, 0.5, 1.0, 3.5, 9]),
    }
    # Slopes 1, 2, 3, 4 and 0.5, 0.5, 2.5, 5.5.
    assert budget(layers, 0.25) == {"dear": 0, "cheap": 2}
    assert budget(layers, 0.5) == {"dear": 2, "cheap": 2}
    assert budget(layers, 0.75) == {"dear": 3, "cheap": 3}
    assert budget(layers, 0.0) == {"dear": 0, "cheap": 0}
    assert budget(layers, 1.0) == {"dear": 4, "cheap": 4}


def test_a_step_that_is_dear_alone_but_cheap_with_the_next_is_taken_with_it():
    layers = {
        "bump": ranking(2, [0, 1, 2], [0, 5, 6]),  # on the hull: 3 for each
        "even": ranking(2, [0, 1, 2], [0, 4, 8]),
    }
    assert budget(layers, 0.5) == {"bump": 2, "even": 0}


def test_between_two_measurements_items_cost_the_same():
    layers = {"a": ranking(10, [0, 10], [0, 1]), "b": ranking(10, [0, 5, 10], [0, 1, 9])}
    assert budget(layers, 0.35) == {"a": 7, "b": 0}
    assert budget(layers, 0.75) == {"a": 10, "b": 5}


def test_what_is_pruned_already_stays_pruned():
    first = ranking(4, [0, 4], [0, 100])
    remaining = np.array([[False], [True], [True], [True]])
    first = dataclasses.replace(first, candidates=remaining, remaining=remaining)
    assert budget({"first": first, "second": ranking(4, [0, 4], [0, 1])}, 0.5) == {
        "first": 1,
        "second": 3,
    }


def test_without_measured_errors_it_says_so():
    with pytest.raises(RunError, match="needs reconstruction errors"):
        budget({"a": ranking(4)}, 0.5)


@hypothesis.given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 99)), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_the_total_is_what_was_asked_for(layers, k):
    rankings = {}
    for number, (size, seed) in enumerate(layers):
        counts = counts_to_measure(size)
        steps = np.random.default_rng(seed).random(len(counts) - 1)
        rankings[f"layer {number}"] = ranking(size, counts, [0, *np.cumsum(steps)])
    counts = budget(rankings, k)
    total = sum(size for size, _ in layers)
    assert sum(counts.values()) == num_pruned(k, total)
    assert all(0 <= counts[name] <= each.size for name, each in rankings.items())


def test_numbers_to_measure_begin_with_none_and_end_with_all():
    assert [*counts_to_measure(1)] == [0, 1]
    assert [*counts_to_measure(4)] == [0, 1, 2, 3, 4]
    assert [*counts_to_measure(10)][-4:] == [7, 8, 9, 10]


def test_errors_that_cannot_be_measured_are_estimated_by_the_scores():
    counts, errors = ranking(3).estimated_errors()
    assert [*counts] == [0, 1, 2, 3]
    np.testing.assert_allclose(errors, [0, 0, 1 / 5, 1])
