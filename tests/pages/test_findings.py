"""Sentences and verdicts, with numbers that were computed by hand."""

import numpy as np
import pandas as pd
import pytest
from network_pruning.experiments import chance
from network_pruning.pages import findings


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
    sentences, rule = findings.summarize(ROWS)
    assert sentences == [
        "Without retraining, weight pruning removes 50 % of the hidden weights at no cost "
        "(test accuracy 98.10 % → 98.20 %).",
        "Without retraining, weight pruning removes 90 % of the hidden weights at a cost of 1.01 "
        "points (test accuracy 98.10 % → 97.09 %).",
        "With retraining, weight/gradual pruning removes 99 % of the hidden weights at a cost of "
        "0.2 points (test accuracy: control 99.20 % → 99.00 %; baseline 98.10 %).",
        "With retraining, weight/gradual pruning removes 99.5 % of the hidden weights at a cost of "
        "1 point (test accuracy: control 99.20 % → 98.20 %; baseline 98.10 %).",
    ]
    assert rule == findings.RULE


def test_a_table_of_an_earlier_version_has_no_control_and_that_is_said():
    """There, what stands at 0 % of a method that trains is the dense network as it is."""
    old = ROWS[ROWS["method"] != "baseline"].drop(columns="rounds")
    old.loc[old["k"] == 0, ["valid_accuracy", "test_accuracy"]] = 0.98, 0.981
    *sentences, note = findings.summarize(old)[0]
    assert sentences[-1] == (
        "With retraining, weight/gradual pruning removes 99.9 % of the hidden weights at a cost of "
        "0.6 points (test accuracy: baseline 98.10 % → 97.50 %)."
    )
    assert note == findings.NO_CONTROL


def test_networks_of_other_settings_are_not_compared_with_the_control_of_these():
    """Of several runs, the table has the latest network of each method and sparsity."""
    epochs = [9 if k < 0.995 else 3 for k in ROWS["k"]]
    rows = ROWS.assign(finetune_epochs=pd.Series(epochs).where(ROWS["rounds"] > 0).astype("Int64"))
    sentences, _ = findings.summarize(rows)
    assert sentences[:3] == findings.summarize(ROWS)[0][:3]
    assert len(sentences) == 3  # 99.5 % was trained for three epochs, its control for nine


def test_nothing_can_go():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.9, 0.9),
        ("weight", "oneshot", 0.5, 0.1, 0.1),
    )
    sentences, _ = findings.summarize(rows)
    assert sentences == ["No pruned network is within one percentage point of its reference."]


def test_without_validation_test_data_decide_and_that_is_said():
    sentences, rule = findings.summarize(ROWS.assign(valid_accuracy=None))
    assert sentences[0].startswith("Without retraining, weight pruning removes 50 %")
    assert rule == findings.RULE_WITHOUT_VALIDATION


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1 point"), (0.6, "0.6 points"), (1.25, "1.25 points"), (0, "0 points")],
)
def test_points(number, text):
    assert findings.points(number) == text


def test_trust_of_one_seed():
    found = findings.caveats(ROWS, 10_000, None, 0.977)
    assert [good for good, _ in found] == [False, True, True, True, False]
    # Random pruning was tried at a sparsity where weight was not.
    assert found[4][1] == (
        "weight/gradual does better than random pruning; not compared with it: weight."
    )
    # 1.96 · √(0.981 · 0.019 / 10,000) = 0.00268
    assert "±0.27 points" in found[1][1]
    assert (
        "accuracy is 98.10 %, 0.4 points above the published 97.70 % of the original" in found[2][1]
    )
    found = findings.caveats(ROWS, 1000, None, None, num_valid=500)
    # 1.96 · √(0.981 · 0.019 / 1,000) = 0.0085; a point of 500 is less than ten examples.
    assert [good for good, _ in found] == [False, True, False, False]
    assert "chosen on 500 validation examples;" in found[2][1]
    assert findings.caveats(ROWS, 100, None, None)[1][0] is False
    without = ROWS[ROWS["criterion"] != "random"].assign(valid_accuracy=None)
    found = findings.caveats(without, None, None, 0.999)
    assert [good for good, _ in found] == [False, False, False, False]


def test_trust_of_several_seeds():
    summary = pd.DataFrame(
        {
            "method": "weight",
            "k": [0.0, 0.9],
            "seeds": [3, 3],
            "test_accuracy_mean": [0.98, 0.9],
            "test_accuracy_low": [0.975, 0.8],
            "test_accuracy_high": [0.985, 1.0],
        }
    )
    (good, text), *_ = findings.caveats(None, None, summary, None)
    assert good
    assert "3 seeds: the dense network's mean test accuracy is 98.00 % ± 0.50" in text
    (good, text), *_ = findings.caveats(None, None, summary.assign(seeds=2), None)
    assert not good
    assert text.startswith(
        "2 seeds: the dense network's mean test accuracy is 98.00 %; an interval"
    )


def test_one_of_several_seeds_is_not_called_the_only_one():
    (good, text), *_ = findings.caveats(ROWS, None, None, None, is_one_of_several=True)
    assert not good
    assert text.startswith("One of several seeds: ")


# The commonest of two classes has 60 of 100 examples; 1.96 · √(0.6 · 0.4 / 100) = 0.096.
CHANCE = chance.Chance.of(np.repeat([0, 1], [40, 60]))


@pytest.mark.parametrize(("accuracy", "is_chance"), [(0.5, True), (0.69, True), (0.7, False)])
def test_a_network_at_chance_has_no_headline_and_is_named_first(accuracy, is_chance):
    rows = networks(
        ("weight", "oneshot", 0.0, accuracy, accuracy),
        ("weight", "oneshot", 0.9, accuracy, accuracy),
    )
    assert CHANCE.explains(accuracy) == is_chance
    sentences, rule = findings.summarize(rows, CHANCE)
    assert bool(sentences) == bool(rule) == (not is_chance)
    good, text = findings.caveats(rows, 100, None, None, chance=CHANCE)[0]
    assert not good
    assert text.startswith(
        f"The dense network's test accuracy is {100 * accuracy:.2f} %, no better than always "
        "predicting the most frequent class (60.00 %)"
    ) == (is_chance)


def test_pruned_networks_at_chance_are_not_praised():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.7, 0.7),
        ("weight", "oneshot", 0.5, 0.7, 0.7),
        ("weight", "oneshot", 0.9, 0.7, 0.69),
    )
    (sentence,), _ = findings.summarize(rows, CHANCE)
    assert "50 % of the hidden weights" in sentence


def test_random_pruning_that_is_as_good_is_said():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.9, 0.9),
        ("weight", "oneshot", 0.5, 0.8, 0.8),
        ("weight", "oneshot", 0.9, 0.3, 0.3),
        ("weight/random", "oneshot", 0.5, 0.7, 0.7),
        ("weight/random", "oneshot", 0.9, 0.3, 0.3),
    )
    good, text = findings.caveats(rows, None, None, None)[-1]
    assert not good
    assert text.startswith(
        "Random pruning is at least as accurate as the method weight at a target sparsity of 90 %: "
    )
    better = rows.assign(test_accuracy=[0.9, 0.8, 0.4, 0.7, 0.3])
    good, text = findings.caveats(better, None, None, None)[-1]
    assert good
    assert text == "All methods do better than random pruning of the same granularity."


def test_methods_that_were_not_compared_with_random_pruning_are_named():
    rows = networks(
        ("weight", "oneshot", 0.0, 0.9, 0.9),
        ("weight", "oneshot", 0.5, 0.8, 0.8),
        ("weight/lamp", "oneshot", 0.5, 0.8, 0.8),
        ("unit", "oneshot", 0.5, 0.1, 0.1),
        ("2:4", "oneshot", 0.5, 0.1, 0.1),
        ("weight/random", "oneshot", 0.5, 0.7, 0.7),
    )
    assert findings.caveats(rows, None, None, None)[-1] == (
        False,
        "weight and weight/lamp do better than random pruning; not compared with it: unit and 2:4.",
    )
    units = rows[rows["method"].isin(["unit", "weight/random"]) | (rows["k"] == 0)]
    assert findings.caveats(units, None, None, None)[-1] == (
        False,
        "No method was compared with random pruning at the same sparsity.",
    )


def test_what_has_lost_its_influence_counts_as_gone():
    rows = networks(
        ("unit", "oneshot", 0.0, 0.9, 0.9),
        ("unit", "oneshot", 0.7, 0.9, 0.9),
    ).assign(effective_sparsity=[0.0, 0.841])
    (sentence,), _ = findings.summarize(rows)
    assert sentence.startswith(
        "Without retraining, unit pruning removes 84.1 % of the hidden weights"
    )


def test_all_right_is_not_certain():
    assert chance.half_interval(1.0, 500) == chance.half_interval(0.0, 500) == 0.006
    assert chance.half_interval(0.5, 10_000) == pytest.approx(0.0098)
