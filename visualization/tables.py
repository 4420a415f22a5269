"""Queries of a table of networks for figures, pages and the terminal: the baseline, networks that
missed their target sparsity, and the order of rows."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..utils import CLEARLY_LESS

# The method of the untouched dense network, where it has a row of its own.
BASELINE = "baseline"
# Recoveries without training on labels; all but the first take calibration data.
UNTRAINED = ("none", "reconstruct", "distill")


def json_number(value: Any) -> float | None:
    """A JSON-ready number, to six digits; null if it is missing or infinite."""
    if value is None or pd.isna(value) or np.isinf(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.6g}")


def json_numbers(values: Iterable[Any]) -> list[float | None]:
    """A list of JSON-ready numbers, see `json_number`."""
    return [json_number(value) for value in values]


def baseline_of(rows: pd.DataFrame) -> pd.Series:
    """The row of the untouched dense network, as a Series.

    That is the row of the method `baseline`; in tables without one, the first unpruned row of a
    method that trains nothing, or of any method.

    Args:
        rows: a table of networks with `method` and `k`, including a row at `k` = 0.
    """
    unpruned = rows[rows["k"] == 0]
    own = unpruned[unpruned["method"] == BASELINE]
    for chosen in (own, unpruned[~trains(unpruned)], unpruned):
        if len(chosen):
            return chosen.iloc[0]
    raise ValueError("the table has no unpruned network")


def trains(rows: pd.DataFrame) -> pd.Series:
    """Whether each network's method trains during or after pruning, as a mask."""
    if "schedule" not in rows or "recovery" not in rows:
        return rows["k"] != rows["k"]
    known = rows["schedule"].notna() & rows["recovery"].notna()
    return known & ((rows["schedule"] != "oneshot") | ~rows["recovery"].isin(UNTRAINED))


def are_calibrated(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of pruned networks that were made with calibration data, booleans."""
    if "scope" not in rows or "recovery" not in rows:
        return rows["k"] != rows["k"]
    return (rows["k"] > 0) & (rows["recovery"].isin(UNTRAINED[1:]) | (rows["scope"] == "budget"))


def missed(rows: pd.DataFrame) -> pd.Series:
    """Whether each network has clearly fewer weights removed than requested, as a mask."""
    return rows["sparsity"] < rows["k"] - CLEARLY_LESS


def pair_of(means: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The test accuracies of two seeds, from their mean and sample standard deviation; missing if
    there are not exactly two.

    Args:
        means: a table of means with `seeds`, `test_accuracy` and `test_accuracy_sd`.
    """
    half = means["test_accuracy_sd"].where(means["seeds"] == 2).astype(float) / 2**0.5
    return means["test_accuracy"] - half, means["test_accuracy"] + half


def in_order(rows: pd.DataFrame, requested: Sequence[str] = ()) -> pd.DataFrame:
    """The rows by method and, within it, by sparsity: the baseline, the requested methods in their
    order, others as they come, and random pruning last.

    Args:
        rows: a table of networks with `method` and `k`; `criterion` where it is known.
        requested: names of the requested methods.
    """
    methods = list(dict.fromkeys((BASELINE, *requested, *rows["method"])))
    place = rows["method"].map(methods.index)
    if "criterion" in rows:
        place = place + len(methods) * (rows["criterion"] == "random")
    return rows.iloc[np.lexsort((rows["k"], place))].reset_index(drop=True)
