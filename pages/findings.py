"""The findings of an experiment in a few sentences, and their caveats; from tables alone."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from ..experiments.chance import half_interval
from ..experiments.intervals import FEWEST_SEEDS
from ..utils import percent, pluralize
from ..visualization import controls
from ..visualization.tables import are_calibrated, baseline_of, trains

if TYPE_CHECKING:
    from ..experiments.chance import Chance


# Allowed drops in validation accuracy, for networks as good as the dense one and nearly as good.
NOTHING, LITTLE = 0.0, 0.01
# What was done after pruning, by recovery, if labels were not used.
WITHOUT_LABELS = {
    "none": "Without retraining",
    "reconstruct": "Re-fitted, without training and labels",
    "distill": "Trained on the dense network's outputs, without labels",
}
# The smaller drop should be at least so many validation examples.
FEW = 10
RULE = (
    "How networks are chosen: among those that were only pruned, among those re-fitted or trained "
    "without labels on calibration data, and among those with retraining, the sparsest whose "
    "validation accuracy is at least that of its reference, and the sparsest that is at most one "
    "percentage point below it. The reference is the baseline (the untouched dense network) or, "
    "with retraining, the control (the dense network with the same further training). Hidden "
    "weights are those of all layers but the output layer; weights without influence on the "
    "outputs count as removed. Costs are percentage points of test accuracy; a gain counts as no "
    "cost."
)
NO_CONTROL = (
    "This table has no control, the dense network with the same further training: retrained "
    "networks are compared with the baseline instead, which was trained for fewer epochs. Run the "
    "same command again to train the control."
)
RULE_WITHOUT_VALIDATION = (
    "No examples were held out for validation, so the networks were chosen by their test accuracy: "
    "these numbers are optimistic."
)


def summarize(rows: pd.DataFrame, chance: "Chance | None" = None) -> tuple[list[str], str]:
    """The findings of an experiment, and the rule that selects them.

    Args:
        rows: networks as in `metrics.csv`, of one dense network, including a row at `k` = 0.
        chance: the `Chance` of the test examples; None if it is not known.

    Returns:
        A list of sentences, and the rule; [] and "" where the dense network is no better than
        chance.
    """
    if chance is not None and chance.explains(baseline_of(rows)["test_accuracy"]):
        return [], ""
    if "effective_sparsity" in rows:
        known = rows["effective_sparsity"].fillna(rows["sparsity"])
        rows = rows.assign(effective_sparsity=known)
    # The table may have networks of other settings, which had another control.
    rows = rows[controls.are_trained_as_controls(rows)]
    baseline = baseline_of(rows)
    column = "valid_accuracy" if pd.notna(baseline["valid_accuracy"]) else "test_accuracy"
    pruned = rows[(rows["k"] > 0) & (rows["criterion"] != "random")]
    if chance is not None:
        pruned = pruned[~pruned["test_accuracy"].map(chance.explains).astype(bool)]
    retrained, calibrated, found = trains(pruned), are_calibrated(pruned), []
    for group in (pruned[~retrained & ~calibrated], pruned[calibrated], pruned[retrained]):
        losses = _losses(group, rows, column)
        for allowed in (NOTHING, LITTLE):
            chosen = _sparsest(group[losses <= allowed + 1e-9], column)
            if chosen is not None:
                found.append(_sentence(chosen, _compared_with(rows, chosen["method"]), baseline))
    nothing = "No pruned network is within one percentage point of its reference."
    sentences = list(dict.fromkeys(found or [nothing]))
    methods = dict.fromkeys(pruned[retrained]["method"])
    if any(controls.control_of(rows, method) is None for method in methods):
        sentences.append(NO_CONTROL)
    return sentences, RULE_WITHOUT_VALIDATION if column == "test_accuracy" else RULE


def _compared_with(rows, method):
    """The row of the reference that networks of a method are compared with."""
    control = controls.control_of(rows, method)
    return baseline_of(rows) if control is None else control


def _losses(group, rows, column):
    """The accuracy that each network has lost relative to its reference."""
    references = {m: _compared_with(rows, m)[column] for m in dict.fromkeys(group["method"])}
    return group["method"].map(references).astype(float) - group[column]


def _sparsest(good, column):
    if good.empty:
        return None
    return good.sort_values([_removed(good), column], kind="stable").iloc[-1]


def _removed(rows):
    """The column of the share that is removed, if possible including dead weights."""
    return "effective_sparsity" if "effective_sparsity" in rows else "sparsity"


def _sentence(row, control, baseline):
    lost = 100 * (control["test_accuracy"] - row["test_accuracy"])
    cost = "at no cost" if lost < 0.005 else f"at a cost of {points(lost)}"
    share = percent(math.floor(1e4 * row[_removed(row)] + 1e-6) / 1e4)
    before, after, untouched = (
        f"{100 * each['test_accuracy']:.2f} %" for each in (control, row, baseline)
    )
    if row["schedule"] == "oneshot" and row["recovery"] in WITHOUT_LABELS:
        how, compared = WITHOUT_LABELS[row["recovery"]], f"test accuracy {before} → {after}"
    elif control["k"] == 0 and control["method"] == row["method"]:
        how, compared = (
            "With retraining",
            f"test accuracy: control {before} → {after}; baseline {untouched}",
        )
    else:
        how, compared = "With retraining", f"test accuracy: baseline {before} → {after}"
    return (
        f"{how}, {row['method']} pruning removes {share} of the hidden weights {cost} ({compared})."
    )


def points(number: float) -> str:
    """ "0.6 points", "1 point"."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return f"{text} {'point' if text == '1' else 'points'}"


def caveats(
    rows: pd.DataFrame | None,
    num_test: int | None,
    summary: pd.DataFrame | None,
    published: float | None,
    num_valid: int | None = None,
    *,
    chance: "Chance | None" = None,
    is_one_of_several: bool = False,
) -> list[tuple[bool, str]]:
    """How reliable the numbers are: pairs of whether a point supports them, and a sentence.

    Args:
        rows: as for `summarize`, or means of several seeds; None if only `summary` is known.
        num_test: the number of test examples; None if it is not known.
        summary: as in `summary.csv`; None for a single seed.
        published: the published accuracy of the dense network; None if there is none.
        num_valid: the number of validation examples; None if it is not known.
        chance: as for `summarize`.
        is_one_of_several: whether the rows are of one seed of an experiment with several.
    """
    dense = None if rows is None else baseline_of(rows)
    accuracy = dense["test_accuracy"] if dense is not None else _dense_mean(summary)
    found = _no_better_than_chance(accuracy, chance)
    found.append(_seeds(summary, is_one_of_several))
    if num_test:
        half = half_interval(accuracy, num_test)
        found.append(
            (
                half <= LITTLE,
                f"With {pluralize(num_test, 'test example')}, the dense network's test accuracy is "
                f"uncertain by ±{points(100 * half)} (95 % binomial interval).",
            )
        )
    if published is not None:
        difference = 100 * (accuracy - published)
        way = "above" if difference >= 0 else "below"
        found.append(
            (
                difference > -1,
                f"The dense network's test accuracy is {100 * accuracy:.2f} %, "
                f"{points(abs(difference))} {way} the published {100 * published:.2f} % of the "
                "original experiment.",
            )
        )
    if dense is not None:
        validated = pd.notna(dense.get("valid_accuracy"))
        what = "validation example"
        deciding = pluralize(num_valid, what) if num_valid else f"{what}s"
        found.append(
            (
                num_valid is None or LITTLE * num_valid >= FEW,
                f"Networks are chosen on {deciding}; the accuracies given are those on test "
                "examples.",
            )
            if validated
            else (False, "No validation examples: networks are chosen on the test data.")
        )
        found.append(_floor(rows))
    return found


def _no_better_than_chance(accuracy, chance):
    if chance is None or not chance.explains(accuracy):
        return []
    return [
        (
            False,
            f"The dense network's test accuracy is {100 * accuracy:.2f} %, no better than always "
            f"predicting the most frequent class ({100 * chance.share:.2f} %): nothing can be "
            "concluded from its pruned networks.",
        )
    ]


def _floor(rows):
    """Whether methods beat random pruning of the same sparsity and granularity."""
    random = rows["criterion"] == "random"
    if not random.any():
        text = (
            "There is no random pruning to compare with: add --methods=weight/random,unit/random."
        )
        return False, text
    by = ["granularity", "k"]
    floor = rows[random].groupby(by)["test_accuracy"].max().rename("floor")
    pruned = rows[~random & (rows["k"] > 0) & (rows["k"] < 1)].join(floor, on=by)
    beaten = pruned[pruned["test_accuracy"] <= pruned["floor"]]
    if not beaten.empty:
        first = beaten.iloc[0]
        num_more = len(beaten) - 1
        others = f" (and in {pluralize(num_more, 'more case')})" if num_more else ""
        return False, (
            f"Random pruning is at least as accurate as the method {first['method']} at a target "
            f"sparsity of {percent(first['k'])}{others}: there, the method's choice of what to "
            "remove has no benefit."
        )
    known = pruned.groupby("method", sort=False)["floor"].count() > 0
    compared, others = list(known.index[known]), list(known.index[~known])
    if not compared:
        return False, "No method was compared with random pruning at the same sparsity."
    if others:
        verb = "does" if len(compared) == 1 else "do"
        return False, (
            f"{_enumerated(compared)} {verb} better than random pruning; not compared with it: "
            f"{_enumerated(others)}."
        )
    return True, "All methods do better than random pruning of the same granularity."


def _enumerated(names):
    """ "a", "a and b", "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _seeds(summary, is_one_of_several):
    if is_one_of_several:
        return False, "One of several seeds: the page of all seeds shows how much they vary."
    if summary is None or summary["seeds"].max() < 2:
        text = "One seed: small differences may be chance; --replicates=3 measures the variation."
        return False, text
    dense = baseline_of(summary)
    mean, seeds = 100 * dense["test_accuracy_mean"], int(summary["seeds"].max())
    text = f"{seeds} seeds: the dense network's mean test accuracy is {mean:.2f} %"
    if seeds < FEWEST_SEEDS:
        return False, f"{text}; an interval needs three seeds or more."
    half = 100 * (dense["test_accuracy_high"] - dense["test_accuracy_low"]) / 2
    return True, f"{text} ± {half:.2f} (95 % interval)."


def _dense_mean(summary):
    return baseline_of(summary)["test_accuracy_mean"]
