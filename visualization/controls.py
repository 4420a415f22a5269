"""The references that pruned networks are compared with, in tables: baseline and control.

The baseline is the untouched dense network. The control of a method that retrains is the dense
network with the same further training, so that differences are the cost of pruning and not the gain
of more training (Blalock et al., 2020, arXiv:2003.03033).
"""

import pandas as pd

from ..settings.experiment import retraining_settings
from .tables import BASELINE, baseline_of, trains


def control_of(rows: pd.DataFrame, method: str) -> pd.Series | None:
    """The row that networks of a method are compared with: its control, or the baseline where the
    method does not train. None if it is missing, as in tables of earlier versions."""
    own = rows[rows["method"] == method]
    if trains(own).any():
        own = own[is_control(own)]
        return own.iloc[-1] if len(own) else None
    return baseline_of(rows)


def is_control(rows: pd.DataFrame) -> pd.Series:
    """Which rows are controls, booleans: unpruned, but trained further."""
    if "rounds" not in rows:  # of an earlier version
        return rows["k"] != rows["k"]
    return (rows["k"] == 0) & (rows["rounds"].astype(float) > 0)


def is_trained(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of networks that were trained further, booleans."""
    return trains(rows) & ((rows["k"] > 0) | is_control(rows))


def trained_alike(rows: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """The rows whose networks were trained with the same settings and plugins as that of `row`, and
    those of networks that were not trained further."""
    alike = pd.Series(True, rows.index)
    for name in (*retraining_settings(), "plugins"):
        if name in rows:  # empty where the method does not use it, or by default
            same = rows[name].isna() if pd.isna(row[name]) else rows[name] == row[name]
            alike &= same.fillna(False).astype(bool)
    return rows[alike | ~is_trained(rows)]


def are_trained_as_controls(rows: pd.DataFrame) -> pd.Series:
    """Which rows may be compared with the control of their method, booleans: those whose networks
    were trained with the settings of the control, and all of methods without one."""
    found = pd.Series(True, rows.index)
    for method in rows.loc[is_control(rows), "method"].unique():
        own = rows[rows["method"] == method]
        found[own.index] = [is_control(trained_alike(own, row)).any() for _, row in own.iterrows()]
    return found


def of_methods(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the baseline's."""
    return rows[rows["method"] != BASELINE]


def controls_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The controls, a row for each that differs from those before."""
    return rows[is_control(rows)].drop_duplicates("test_accuracy")


def compared_with(rows: pd.DataFrame) -> str:
    """Test accuracies of baseline and control as a sentence; empty where no method retrains."""
    controls = controls_of(rows)
    if controls.empty:
        return ""
    several = len(controls) > 1
    found = ", ".join(
        f"{_percent(row)}{_rounds(row)}" + (f" ({row['method']})" if several else "")
        for _, row in controls.iterrows()
    )
    text = (
        f"Baseline, the untouched dense network: {_percent(baseline_of(rows))}. Control, the dense "
        f"network with the same further training (0 % of methods that retrain): {found}."
    )
    most = rows["rounds"].max()
    if most > controls["rounds"].max():
        text += f" The sparsest networks were retrained in {most:g} rounds; "
        text += f"--control_rounds={most:g} gives the control as many."
    return text


def _rounds(row):
    return f" after {row['rounds']:g} rounds" if row["rounds"] > 1 else " after one round"


def _percent(row):
    return f"{100 * row['test_accuracy']:.2f} %"
