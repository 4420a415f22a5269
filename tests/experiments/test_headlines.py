"""Sentences and verdicts, with numbers that were computed by hand."""

import pandas as pd
import pytest
from network_pruning.experiments import headlines


def networks(*rows):
    """A table of networks: method, schedule, k, validation and test accuracy."""
    columns = ["method", "schedule", "k", "valid_accuracy", "test_accuracy"]
    table = pd.DataFrame(rows, columns=columns)
    table["criterion"] = ["random" if "random" in m else "magnitude" for m in table["method"]]
    table["recovery"] = "none"
    table["granularity"] = [m.split("/")[0] for m in table["method"]]
    table["sparsity"] = table["k"]
    return table


ROWS = networks(
    ("weight", "oneshot", 0.0, 0.98, 0.981),
    ("weight", "oneshot", 0.5, 0.981, 0.982),
    ("weight", "oneshot", 0.9, 0.971, 0.9709),
    ("weight", "oneshot", 0.95, 0.9, 0.97),
    ("weight/random", "oneshot", 0.99, 0.98, 0.98),
    ("weight/gradual", "gradual", 0.99, 0.98, 0.981),
    ("weight/gradual", "gradual", 0.999, 0.97, 0.96),
)


def test_what_is_named_is_chosen_by_validation_and_told_by_test():
    sentences, rule = headlines.headline(ROWS)
    assert sentences == [
        "Without training (weight), 50 % of the hidden weights can go for nothing "
        "(98.10 % → 98.20 %).",
        "Without training (weight), 90 % of the hidden weights can go for 1.01 points "
        "(98.10 % → 97.09 %).",
        "With training (weight/gradual), 99 % of the hidden weights can go for nothing "
        "(98.10 % → 98.10 %).",
        "With training (weight/gradual), 99.9 % of the hidden weights can go for 2.1 points "
        "(98.10 % → 96.00 %).",
    ]
    assert "97.00 %" in rule


def test_nothing_can_go():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.9, 0.9),
        ("weight", "oneshot", 0.5, 0.1, 0.1),
    )
    sentences, _ = headlines.headline(rows)
    assert sentences == ["No network of this experiment stays within a point of the dense one."]


def test_without_validation_test_data_decide_and_that_is_said():
    sentences, rule = headlines.headline(ROWS.assign(valid_accuracy=None))
    assert sentences[0].startswith("Without training (weight), 50 %")
    assert rule == headlines.RULE_WITHOUT_VALIDATION


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1 point"), (0.6, "0.6 points"), (1.25, "1.25 points"), (0, "0 points")],
)
def test_points(number, text):
    assert headlines.points(number) == text


def test_trust_of_one_seed():
    found = headlines.trust(ROWS, 10_000, None, 0.977)
    # Random pruning was tried at a sparsity where weight was not: nothing beats what it did.
    assert [good for good, _ in found] == [False, True, True, True, True]
    # 1.96 · √(0.981 · 0.019 / 10,000) = 0.00268
    assert "±0.27 points" in found[1][1]
    assert "98.10 % right; published are 97.70 %: 0.4 points above." in found[2][1]
    found = headlines.trust(ROWS, 1000, None, None, num_valid=500)
    # 1.96 · √(0.981 · 0.019 / 1,000) = 0.0085; a point of 500 is less than ten examples.
    assert [good for good, _ in found] == [False, True, False, True]
    assert "Chosen by 500 validation examples" in found[2][1]
    assert headlines.trust(ROWS, 100, None, None)[1][0] is False
    without = ROWS[ROWS["criterion"] != "random"].assign(valid_accuracy=None)
    found = headlines.trust(without, None, None, 0.999)
    assert [good for good, _ in found] == [False, False, False, False]


def test_trust_of_several_seeds():
    summary = pd.DataFrame(
        {
            "k": [0.0, 0.9],
            "seeds": [3, 3],
            "test_accuracy_mean": [0.98, 0.9],
            "test_accuracy_low": [0.975, 0.8],
            "test_accuracy_high": [0.985, 1.0],
        }
    )
    (good, text), *_ = headlines.trust(None, None, summary, None)
    assert good
    assert "3 seeds: the dense network's mean test accuracy is 98.00 % ± 0.50" in text


def test_random_pruning_that_is_as_good_is_said():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.9, 0.9),
        ("weight", "oneshot", 0.5, 0.8, 0.8),
        ("weight", "oneshot", 0.9, 0.3, 0.3),
        ("weight/random", "oneshot", 0.5, 0.7, 0.7),
        ("weight/random", "oneshot", 0.9, 0.3, 0.3),
    )
    good, text = headlines.trust(rows, None, None, None)[-1]
    assert not good
    assert text.startswith("Random pruning is as good as weight at 90 %: ")
    better = rows.assign(test_accuracy=[0.9, 0.8, 0.4, 0.7, 0.3])
    assert headlines.trust(better, None, None, None)[-1][0]


def test_what_has_lost_its_influence_counts_as_gone():
    rows = networks(
        ("unit", "oneshot", 0.0, 0.9, 0.9),
        ("unit", "oneshot", 0.7, 0.9, 0.9),
    ).assign(effective_sparsity=[0.0, 0.841])
    (sentence,), _ = headlines.headline(rows)
    assert sentence.startswith("Without training (unit), 84.1 % of the hidden weights can go for")
