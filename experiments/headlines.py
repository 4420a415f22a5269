"""What an experiment says in a sentence, and how far it can be trusted; from tables alone."""

import math

import pandas as pd

from ..utils import counted, percent

# What a network may lose on validation data to be called as good as, or nearly as good as before.
NOTHING, LITTLE = 0.0, 0.01
RULE = (
    "Of each kind of method the sparsest network is named whose validation accuracy is at most "
    "one point below the dense network's ({little:.2f} %), or, for nothing, not below it; points "
    "are points of test accuracy."
)
RULE_WITHOUT_VALIDATION = (
    "Nothing was held out for validation, so that the networks were chosen by test accuracy: too "
    "good to be quite true."
)


def headline(rows):
    """The sentences of an experiment, and the rule that they come from.

    Args:
        rows: networks as in `metrics.csv`, of one dense network, a row at `k` = 0 among them.

    Returns:
        A list of sentences, and the rule.
    """
    dense = rows[rows["k"] == 0].iloc[0]
    column = "valid_accuracy" if pd.notna(dense["valid_accuracy"]) else "test_accuracy"
    pruned = rows[(rows["k"] > 0) & (rows["criterion"] != "random")]
    trains = (pruned["schedule"] != "oneshot") | (pruned["recovery"] != "none")
    found = []
    for group, with_training in ((pruned[~trains], False), (pruned[trains], True)):
        for allowed in (NOTHING, LITTLE):
            chosen = _sparsest(group, column, dense[column] - allowed)
            if chosen is not None:
                found.append((_sentence(chosen, dense, with_training), chosen["sparsity"]))
    if not found:
        sentences = ["No network of this experiment stays within a point of the dense one."]
    else:
        sentences = list(dict.fromkeys(text for text, _ in found))
    if column == "test_accuracy":
        return sentences, RULE_WITHOUT_VALIDATION
    return sentences, RULE.format(little=100 * (dense[column] - LITTLE))


def _sparsest(rows, column, least):
    good = rows[rows[column] >= least - 1e-9]
    if good.empty:
        return None
    return good.sort_values(["sparsity", column], kind="stable").iloc[-1]


def _sentence(row, dense, with_training):
    lost = 100 * (dense["test_accuracy"] - row["test_accuracy"])
    price = " for nothing" if lost < 0.005 else f" for {points(lost)}"
    if lost <= -0.005:
        price = f", and the network gets better by {points(-lost)}"
    how = f"with training ({row['method']}), " if with_training else ""
    share = percent(math.floor(1e4 * row["sparsity"] + 1e-6) / 1e4)
    text = f"{how}{share} of the hidden weights can go{price}"
    at = f"{100 * dense['test_accuracy']:.2f} % → {100 * row['test_accuracy']:.2f} %"
    return f"{text[0].upper()}{text[1:]} ({at})."


def points(number):
    """ "0.6 points", "1 point"."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return f"{text} {'point' if text == '1' else 'points'}"


def trust(rows, num_test, summary, published):
    """How far the numbers can be trusted: pairs of whether it speaks for them, and why.

    Args:
        rows: as for `headline`; None where there are only seeds.
        num_test: the number of test examples; None if nobody knows.
        summary: as in `summary.csv`; None for a single seed.
        published: the published accuracy of the dense network; None if there is none.
    """
    found = [_seeds(summary)]
    dense = None if rows is None else rows[rows["k"] == 0].iloc[0]
    accuracy = dense["test_accuracy"] if dense is not None else _dense_mean(summary)
    if num_test:
        half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / num_test)
        found.append(
            (
                True,
                f"{counted(num_test, 'test example')} alone leave the dense accuracy uncertain by "
                f"±{points(100 * half)} (95 %, binomial).",
            )
        )
    if published is not None:
        difference = 100 * (accuracy - published)
        way = "above" if difference >= 0 else "below"
        found.append(
            (
                difference > -1,
                f"The dense network has {100 * accuracy:.2f} % right; published are "
                f"{100 * published:.2f} %: {points(abs(difference))} {way}.",
            )
        )
    if dense is not None:
        validated = pd.notna(dense["valid_accuracy"])
        found.append(
            (validated, "Chosen by validation examples, reported on test examples.")
            if validated
            else (False, "No validation examples: whatever is chosen here is chosen on test data.")
        )
        floor = (rows["criterion"] == "random").any()
        found.append(
            (bool(floor), "Random pruning is there, as a floor.")
            if floor
            else (False, "No random pruning to compare with; any further method brings it along.")
        )
    return found


def _seeds(summary):
    if summary is None or summary["seeds"].max() < 2:
        return False, "One seed: small differences may be chance; --replicates=3 tells how much."
    dense = summary[summary["k"] == 0].iloc[0]
    half = 100 * (dense["test_accuracy_high"] - dense["test_accuracy_low"]) / 2
    seeds = int(summary["seeds"].max())
    return (
        seeds >= 3,
        f"{seeds} seeds: the dense network's mean test accuracy is "
        f"{100 * dense['test_accuracy_mean']:.2f} % ± {half:.2f} (95 % interval).",
    )


def _dense_mean(summary):
    return summary[summary["k"] == 0].iloc[0]["test_accuracy_mean"]


def of_means(summary):
    """A summary of several seeds as `headline` takes it: the means in the place of networks."""
    return summary.rename(columns=lambda name: name.removesuffix("_mean"))
