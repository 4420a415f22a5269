"""What pruned networks are compared with, in `metrics.csv`: the baseline and the control.

The baseline is the dense network as it is. The control of a method that trains is the dense network
with the same further training, so that a difference is the price of pruning and not the gain of
more training (Blalock et al., 2020, arXiv:2003.03033).
"""

import pandas as pd

from ..config import retraining_settings

BASELINE = "baseline"  # in the column `method`


def baseline_of(rows):
    """The row of the dense network as it is; None if there is none.

    Args:
        rows: a `DataFrame` as `metrics.csv`, of one dense network.
    """
    unpruned = rows[(rows["k"] == 0) & ~is_control(rows)]
    named = unpruned[unpruned["method"] == BASELINE]
    found = named if len(named) else unpruned
    return found.iloc[0] if len(found) else None


def control_of(rows, method):
    """The row of the control of a method; that of the baseline if the method does not train.

    Args:
        rows: as above; of methods that train, networks of the same settings, see `trained_alike`.
        method: as the column `method` names it.

    Returns:
        A row; None if there is none, as in tables of earlier versions.
    """
    own = rows[rows["method"] == method]
    if not trains(own).any():
        return baseline_of(rows)
    controls = own[is_control(own)]
    return controls.iloc[-1] if len(controls) else None


def trained_alike(rows, row):
    """The rows whose networks were trained with the same settings as that of `row`, as far as both
    depend on them; networks that were not trained depend on none."""
    for name in retraining_settings():
        if name in rows and pd.notna(row[name]):
            rows = rows[rows[name].isna() | (rows[name] == row[name])]
    return rows


def is_control(rows):
    """Which rows are of controls, booleans: unpruned, yet trained further for so many `rounds`."""
    if "rounds" not in rows:  # of an earlier version, which had none
        return rows["k"] != rows["k"]
    return (rows["k"] == 0) & (rows["rounds"].astype(float) > 0)


def is_trained(rows):
    """Which rows are of networks that were trained further, booleans."""
    return trains(rows) & ((rows["k"] > 0) | is_control(rows))


def trains(rows):
    """Which rows are of methods that train, booleans."""
    return (rows["schedule"] != "oneshot") | (rows["recovery"] != "none")
