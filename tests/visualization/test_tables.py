"""Questions to tables of networks, answered by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from network_pruning.visualization import tables


def networks(*rows):
    """Method, criterion, recovery, k and sparsity of networks."""
    columns = ["method", "criterion", "recovery", "k", "sparsity"]
    return pd.DataFrame(rows, columns=columns).assign(schedule="oneshot")


def test_rows_are_in_the_order_of_methods_and_sparsities():
    rows = networks(
        ("unit/random", "random", "none", 0.5, 0.5),
        ("weight", "magnitude", "none", 0.9, 0.9),
        ("late", "magnitude", "none", 0.5, 0.5),
        ("early", "magnitude", "none", 0.5, 0.5),
        ("weight", "magnitude", "none", 0.0, 0.0),
        ("weight/random", "random", "none", 0.5, 0.5),
        ("baseline", "magnitude", "none", 0.0, 0.0),
    )
    ordered = tables.in_order(rows, ("weight", "early"))
    assert list(ordered["method"]) == [
        *("baseline", "weight", "weight", "early", "late", "unit/random", "weight/random")
    ]
    assert list(ordered["k"][1:3]) == [0, 0.9]


def test_the_baseline_is_the_untouched_network_not_a_control():
    control = ("weight/finetune", "magnitude", "finetune", 0.0, 0.0)
    plain = ("weight", "magnitude", "none", 0.0, 0.0)
    untouched = ("baseline", "magnitude", "none", 0.0, 0.0)
    for rows, expected in (
        ((control, plain, untouched), "baseline"),
        ((control, plain), "weight"),
        ((control,), "weight/finetune"),
    ):
        assert tables.baseline_of(networks(*rows))["method"] == expected
    with pytest.raises(ValueError, match="no unpruned network"):
        tables.baseline_of(networks(("weight", "magnitude", "none", 0.5, 0.5)))


def test_what_is_clearly_less_than_asked_is_missed():
    rows = networks(
        ("weight", "magnitude", "none", 0.9, 0.8999),
        ("2:4", "magnitude", "none", 0.9, 0.495),
    )
    assert tables.missed(rows).tolist() == [False, True]


def test_what_two_seeds_reached_is_known_from_their_mean_and_deviation():
    accuracies = np.array([0.7, 0.9])
    means = pd.DataFrame({"seeds": [2, 3], "test_accuracy": accuracies.mean()})
    one, other = tables.pair_of(means.assign(test_accuracy_sd=accuracies.std(ddof=1)))
    assert (one[0], other[0]) == pytest.approx((0.7, 0.9))
    assert math.isnan(one[1])


def test_numbers_for_json():
    assert tables.json_numbers([0.12345678, math.inf, math.nan]) == [0.123457, None, None]
    assert tables.json_numbers([1234567, None, np.float64(2)]) == [1234567, None, 2.0]
