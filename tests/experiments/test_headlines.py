"""Sentences and verdicts, with numbers that were computed by hand."""

import pandas as pd
import pytest
from network_pruning.experiments import headlines


def networks(*rows):
    """A table of networks: method, schedule, k, validation and test accuracy, and rounds of further
    training: 1 where the schedule trains."""
    columns = ["method", "schedule", "k", "valid_accuracy", "test_accuracy"]
    table = pd.DataFrame(rows, columns=columns)
    table["criterion"] = ["random" if "random" in m else "magnitude" for m in table["method"]]
    table["recovery"] = "none"
    table["granularity"] = [m.split("/")[0] for m in table["method"]]
    table["sparsity"] = table["k"]
    table["rounds"] = (table["schedule"] != "oneshot").astype("Int64")
    return table


ROWS = networks(
    ("baseline", "oneshot", 0.0, 0.98, 0.981),
    ("weight", "oneshot", 0.0, 0.98, 0.981),
    ("weight", "oneshot", 0.5, 0.981, 0.982),
    ("weight", "oneshot", 0.9, 0.971, 0.9709),
    ("weight", "oneshot", 0.95, 0.9, 0.97),
    ("weight/random", "oneshot", 0.99, 0.98, 0.98),
    ("weight/gradual", "gradual", 0.0, 0.99, 0.992),  # its control
    ("weight/gradual", "gradual", 0.99, 0.99, 0.99),
    ("weight/gradual", "gradual", 0.995, 0.985, 0.982),
    ("weight/gradual", "gradual", 0.999, 0.975, 0.975),  # within a point of the baseline only
)


def test_what_is_named_is_chosen_by_validation_and_told_by_test():
    sentences, rule = headlines.headline(ROWS)
    assert sentences == [
        "Without retraining (weight), 50 % of the hidden weights can be removed for nothing "
        "(98.10 % → 98.20 %).",
        "Without retraining (weight), 90 % of the hidden weights can be removed for 1.01 points "
        "(98.10 % → 97.09 %).",
        "With retraining (weight/gradual), 99 % of the hidden weights can be removed for 0.2 "
        "points (control 99.20 % → 99.00 %; baseline 98.10 %).",
        "With retraining (weight/gradual), 99.5 % of the hidden weights can be removed for 1 point "
        "(control 99.20 % → 98.20 %; baseline 98.10 %).",
    ]
    assert rule == headlines.RULE


def test_a_table_of_an_earlier_version_has_no_control_and_that_is_said():
    """There, what stands at 0 % of a method that trains is the dense network as it is."""
    old = ROWS[ROWS["method"] != "baseline"].drop(columns="rounds")
    old.loc[old["k"] == 0, ["valid_accuracy", "test_accuracy"]] = 0.98, 0.981
    *sentences, note = headlines.headline(old)[0]
    assert sentences[-1] == (
        "With retraining (weight/gradual), 99.9 % of the hidden weights can be removed for 0.6 "
        "points (baseline 98.10 % → 97.50 %)."
    )
    assert note == headlines.NO_CONTROL


def test_nothing_can_go():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.9, 0.9),
        ("weight", "oneshot", 0.5, 0.1, 0.1),
    )
    sentences, _ = headlines.headline(rows)
    assert sentences == [
        "No network of this experiment is within a point of what it is compared with."
    ]


def test_without_validation_test_data_decide_and_that_is_said():
    sentences, rule = headlines.headline(ROWS.assign(valid_accuracy=None))
    assert sentences[0].startswith("Without retraining (weight), 50 %")
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
            "method": ["weight", "weight"],
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
    assert sentence.startswith("Without retraining (unit), 84.1 % of the hidden weights can be")
