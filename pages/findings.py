"""What an experiment says in a sentence, and how far it can be trusted; from tables alone."""

import math
from typing import TYPE_CHECKING

import pandas as pd

from ..experiments.chance import half_interval
from ..experiments.intervals import FEWEST_SEEDS
from ..utils import percent, pluralize
from ..visualization import controls
from ..visualization.tables import baseline_of, trains

if TYPE_CHECKING:
    from ..experiments.chance import Chance


# What a network may lose on validation data to be called as good as, or nearly as good as before.
NOTHING, LITTLE = 0.0, 0.01
# That much should be at least so many validation examples.
FEW = 10
RULE = (
    "Named are, without retraining and with it, the sparsest network whose validation accuracy is "
    "not below that of what it is compared with, and the sparsest that is at most one point below. "
    "Without retraining that is the baseline, the dense network as it is; with it the control, the "
    "dense network with the same further training. Weights without influence count as removed. "
    "Losses are points of test accuracy; a gain counts as no loss."
)
NO_CONTROL = (
    "This table has no control, a dense network with the same further training: retrained networks "
    "are compared with the baseline, which had less of it. The same command, given again, trains "
    "the control."
)
RULE_WITHOUT_VALIDATION = (
    "Nothing was held out for validation, so that the networks were chosen by test accuracy: too "
    "good to be quite true."
)


def summarize(rows: pd.DataFrame, chance: "Chance | None" = None) -> tuple[list[str], str]:
    """The sentences of an experiment, and the rule that they come from.

    Args:
        rows: networks as in `metrics.csv`, of one dense network, a row at `k` = 0 among them.
        chance: the `Chance` of the test examples; None if nobody knows.

    Returns:
        A list of sentences, and the rule; none and "" where the dense network is no better than
        chance.
    """
    if chance is not None and chance.explains(baseline_of(rows)["test_accuracy"]):
        return [], ""
    if "effective_sparsity" in rows:
        known = rows["effective_sparsity"].fillna(rows["sparsity"])
        rows = rows.assign(effective_sparsity=known)
    # Networks of other settings may be in the table: they had another control.
    rows = rows[controls.are_trained_as_controls(rows)]
    baseline = baseline_of(rows)
    column = "valid_accuracy" if pd.notna(baseline["valid_accuracy"]) else "test_accuracy"
    pruned = rows[(rows["k"] > 0) & (rows["criterion"] != "random")]
    if chance is not None:
        pruned = pruned[~pruned["test_accuracy"].map(chance.explains).astype(bool)]
    retrained, found = trains(pruned), []
    for group in (pruned[~retrained], pruned[retrained]):
        losses = _losses(group, rows, column)
        for allowed in (NOTHING, LITTLE):
            chosen = _sparsest(group[losses <= allowed + 1e-9], column)
            if chosen is not None:
                found.append(_sentence(chosen, _compared_with(rows, chosen["method"]), baseline))
    nothing = "No network of this experiment is within a point of what it is compared with."
    sentences = list(dict.fromkeys(found or [nothing]))
    methods = dict.fromkeys(pruned[retrained]["method"])
    if any(controls.control_of(rows, method) is None for method in methods):
        sentences.append(NO_CONTROL)
    return sentences, RULE_WITHOUT_VALIDATION if column == "test_accuracy" else RULE


def _compared_with(rows, method):
    """The row that networks of a method are compared with."""
    control = controls.control_of(rows, method)
    return baseline_of(rows) if control is None else control


def _losses(group, rows, column):
    """What each network has lost against what it is compared with."""
    references = {m: _compared_with(rows, m)[column] for m in dict.fromkeys(group["method"])}
    return group["method"].map(references).astype(float) - group[column]


def _sparsest(good, column):
    if good.empty:
        return None
    return good.sort_values([_removed(good), column], kind="stable").iloc[-1]


def _removed(rows):
    """The column that tells how much is removed, also what has lost its influence."""
    return "effective_sparsity" if "effective_sparsity" in rows else "sparsity"


def _sentence(row, control, baseline):
    lost = 100 * (control["test_accuracy"] - row["test_accuracy"])
    price = "nothing" if lost < 0.005 else points(lost)
    share = percent(math.floor(1e4 * row[_removed(row)] + 1e-6) / 1e4)
    before, after, untouched = (
        f"{100 * each['test_accuracy']:.2f} %" for each in (control, row, baseline)
    )
    if row["schedule"] == "oneshot" and row["recovery"] == "none":
        how, compared = "Without retraining", f"{before} → {after}"
    elif control["k"] == 0 and control["method"] == row["method"]:
        how, compared = "With retraining", f"control {before} → {after}; baseline {untouched}"
    else:
        how, compared = "With retraining", f"baseline {before} → {after}"
    return (
        f"{how} ({row['method']}), {share} of the hidden weights can be removed for {price} "
        f"({compared})."
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
    """How far the numbers can be trusted: pairs of whether it speaks for them, and why.

    Args:
        rows: as for `summarize`, or means of several seeds; None for nothing but the seeds.
        num_test: the number of test examples; None if nobody knows.
        summary: as in `summary.csv`; None for a single seed.
        published: the published accuracy of the dense network; None if there is none.
        num_valid: the number of validation examples; None if nobody knows.
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
                f"{pluralize(num_test, 'test example')} alone leave the dense accuracy uncertain "
                f"by ±{points(100 * half)} (95 %, binomial).",
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
        validated = pd.notna(dense.get("valid_accuracy"))
        what = "validation example"
        deciding = pluralize(num_valid, what) if num_valid else f"{what}s"
        found.append(
            (
                num_valid is None or LITTLE * num_valid >= FEW,
                f"Chosen by {deciding}, reported on test examples.",
            )
            if validated
            else (False, "No validation examples: whatever is chosen here is chosen on test data.")
        )
        found.append(_floor(rows))
    return found


def _no_better_than_chance(accuracy, chance):
    if chance is None or not chance.explains(accuracy):
        return []
    return [
        (
            False,
            f"The dense network has {100 * accuracy:.2f} % right, no better than always answering "
            f"the commonest class ({100 * chance.share:.2f} %): nothing can be concluded from what "
            "its pruned networks reach.",
        )
    ]


def _floor(rows):
    """Whether methods do better than chance, at the same sparsity and granularity."""
    random = rows["criterion"] == "random"
    if not random.any():
        text = "No random pruning to compare with; add --methods=weight/random,unit/random."
        return False, text
    by = ["granularity", "k"]
    floor = rows[random].groupby(by)["test_accuracy"].max().rename("floor")
    pruned = rows[~random & (rows["k"] > 0) & (rows["k"] < 1)].join(floor, on=by)
    beaten = pruned[pruned["test_accuracy"] <= pruned["floor"]]
    if not beaten.empty:
        first = beaten.iloc[0]
        others = f" ({len(beaten) - 1} more such)" if len(beaten) > 1 else ""
        return False, (
            f"Random pruning is as good as {first['method']} at {percent(first['k'])}{others}: "
            "what is removed might as well be drawn by lot."
        )
    known = pruned.groupby("method", sort=False)["floor"].count() > 0
    compared, others = list(known.index[known]), list(known.index[~known])
    if not compared:
        return False, "No method was compared with random pruning at a sparsity of its own."
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
        text = "One of several seeds: how much is chance, the page of all seeds says."
        return False, text
    if summary is None or summary["seeds"].max() < 2:
        return False, "One seed: small differences may be chance; --replicates=3 tells how much."
    dense = baseline_of(summary)
    mean, seeds = 100 * dense["test_accuracy_mean"], int(summary["seeds"].max())
    text = f"{seeds} seeds: the dense network's mean test accuracy is {mean:.2f} %"
    if seeds < FEWEST_SEEDS:
        return False, f"{text}; so few have no interval, three or more do."
    half = 100 * (dense["test_accuracy_high"] - dense["test_accuracy_low"]) / 2
    return True, f"{text} ± {half:.2f} (95 % interval)."


def _dense_mean(summary):
    return baseline_of(summary)["test_accuracy_mean"]
