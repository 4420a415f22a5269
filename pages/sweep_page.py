"""The contents of a sweep's page, and of its entry on the index page, as JSON-ready values."""

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..experiments import finished
from ..experiments.paths import ArtifactPaths
from ..settings.objective import parsed
from ..sweeps.importance import (
    by_importance,
    is_available,
    objectives_of,
    plain,
    study_of,
)
from ..sweeps.levels import levels_of, setting_text, value_text
from ..sweeps.paths import FINISHED, read_record
from ..sweeps.screen import value
from ..sweeps.tables import OBJECTIVE, best_of, chosen_method, described
from ..utils import one_line, percent
from ..visualization.tables import BASELINE, json_number, json_numbers
from . import sweep_findings

if TYPE_CHECKING:
    from ..sweeps.paths import SweepPaths
    from ..sweeps.tables import Collected


def entry_of(paths: "SweepPaths") -> dict[str, Any]:
    """The entry of a sweep on the page of all experiments; never fails."""
    about = {
        "name": paths.root.name,
        "href": f"sweeps/{paths.root.name}/report.html" if paths.report.exists() else None,
        "states": None,
        "best": None,
    }
    try:
        record: Any = read_record(paths)
        best = best_of(record)[:1]
        text = "".join(
            f"{value(record['objective'], entry['mean'])}{described(entry['settings'], ' with ')}"
            for entry in best
        )
        return {**about, "states": sweep_findings.states_text(record), "best": text or None}
    except finished.FAILURES as error:
        return {**about, "states": f"broken: {one_line(error, 200)}"}


# The most settings that a figure has room for.
MOST_SLICES = 8
EXPLANATION = (
    "Importance (PED-ANOVA, by Optuna) measures how much the distribution of a setting's values "
    "among the best trials (a tenth of all and at least five, or half of a few) differs from that "
    "among all trials, as a share of the sum over all settings. With few trials for each value it "
    'is partly chance: "by chance" is the mean importance if results are shuffled at random.'
)
WITHOUT_OPTUNA = (
    "The importance of settings is missing, because Optuna is not installed: pip install "
    "'./network-pruning[sweep]' from the folder above the checkout, then run python -m "
    "network-pruning.report to make the page again."
)


def page_from(
    paths: "SweepPaths",
    record: dict[str, Any],
    found: "Collected",
    table: pd.DataFrame,
    shares: pd.DataFrame,
) -> dict[str, Any]:
    """The contents of a sweep's page, as JSON-ready values.

    Args:
        paths: the `SweepPaths`.
        record: of the sweep.
        found: the result of `collect`.
        table: the summary.
        shares: the table of `importance`.
    """
    order = by_importance(record, shares)
    method, k = chosen_method(record, table)
    levels = levels_of(record)
    pictures = [p.name for p in (paths.settings_figure, paths.curves_figure) if p.exists()]
    return {
        "id": paths.root.name,
        "home": "../..",
        "sentences": [
            sweep_findings.progress(record),
            *sweep_findings.best_settings(paths, record, table),
            *sweep_findings.most_important(shares),
        ],
        "rule": sweep_findings.rule(record),
        "explanation": EXPLANATION if is_available() else WITHOUT_OPTUNA,
        "command": str(record.get("command", "")),
        "failures": sweep_findings.failures(paths, record, found),
        "importance": _importance(record, shares, order),
        "by_k": _by_k(shares, method, order),
        "objective": record["objective"],
        "method": method,
        "settings": [_setting(name, levels[name]) for name in order],
        "slices": _slices(record, [name for name in order if levels[name].nunique() > 1]),
        "curves": _curves(record, table),
        "table": _table(paths, record, table, method, k, order),
        "at": None if k is None else percent(k),
        "pictures": pictures,
        "files": [p.name for p in (paths.summary, paths.importance, paths.record) if p.exists()],
        "versions": [[name, str(text)] for name, text in _provenance(record).items()],
    }


def _provenance(record):
    versions = record.get("versions")
    return {
        **({"machine": record["machine"]} if record.get("machine") else {}),
        **(versions if isinstance(versions, dict) else {}),
    }


def _importance(record, shares, order):
    """Rows of the settings' importance, in order; none where there is nothing to compare."""
    own = shares[shares["of"] == OBJECTIVE].set_index("setting")
    if is_available() and own["explained"].isna().all():
        return []
    return [
        {
            "setting": name,
            "explained": json_number(own.loc[name, "explained"]),
            "by_chance": json_number(own.loc[name, "by_chance"]),
            "values": int(own.loc[name, "values"]),
            # There is no best seed.
            "best": None if pd.isna(own.loc[name, "best"]) else own.loc[name, "best"],
            "mean": value(record["objective"], json_number(own.loc[name, "best_mean"])),
        }
        for name in order
    ]


def _by_k(shares, method, order):
    """The importance of settings at every sparsity of a method; None if there is nothing."""
    own = shares[(shares["of"] == method) & shares["explained"].notna()]
    if method is None or own.empty:
        return None
    own = own.assign(explained=own["explained"].astype(float))
    wide = own.pivot_table(index="setting", columns="k", values="explained").loc[order]
    return {
        "k": [float(k) for k in wide.columns],
        "rows": [{"setting": name, "shares": json_numbers(wide.loc[name])} for name in order],
    }


def _setting(name, own):
    """A setting on the page: its levels, and the level of each trial."""
    return {
        "name": name,
        "levels": list(own.cat.categories),
        "codes": own.cat.codes.tolist(),
    }


def _slices(record, settings):
    """Optuna's slice plot of the objective over settings, as JSON-ready values; None where there is
    nothing to draw, or no Optuna."""
    objectives = objectives_of(record)
    if not (settings and is_available() and len(objectives)):
        return None
    from optuna.visualization import plot_slice

    in_percent = value(record["objective"], 0).endswith("%")
    values = (objectives * (100 if in_percent else 1)).to_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trials without an objective are left out
        figure = plot_slice(
            study_of(record),
            params=[plain(name) for name in settings[:MOST_SLICES]],
            target=lambda trial: values.get(trial.user_attrs["experiment_id"], np.nan),
            target_name=plain(f"{record['objective']}{' (%)' if in_percent else ''}"),
        )
    # The page has a title and colours of its own.
    figure.update_layout(template="none", title=None, width=None)
    figure.update_traces(marker_size=9, marker_showscale=False)
    figure.for_each_xaxis(_label)
    return json.loads(figure.to_json())


def _label(axis):
    """Labels an axis with numbers in full and with plain texts, where Optuna has their `repr`."""
    if axis.type == "category":
        texts = [text.strip("'\"") for text in axis.categoryarray]
        axis.update(tickvals=axis.categoryarray, ticktext=texts)
    elif axis.type == "log":
        axis.update(tickformat="~g", nticks=4)


def _curves(record, table):
    """Test accuracy over the sparsity reached, by method and number of the trial."""
    places = {trial["experiment_id"]: number for number, trial in enumerate(record["trials"])}
    found = {}
    shown = (table["criterion"] != "random") & (table["method"] != BASELINE)
    table = table[shown & table["test_accuracy"].notna()]
    for (method, name), rows in table.groupby(["method", "experiment_id"], sort=False):
        rows = rows.sort_values("k")
        curve = {"trial": places[name], "k": json_numbers(rows["k"])}
        curve["sparsity"] = json_numbers(rows["sparsity"] if "sparsity" in rows else rows["k"])
        curve["accuracy"] = json_numbers(rows["test_accuracy"])
        found.setdefault(method, []).append(curve)
    return found


def _table(paths, record, table, method, k, order):
    """All trials, the best first: columns, and rows of cells to sort by and to read."""
    sign = -1 if record["goal"] == "min" else 1
    exported = parsed(record["objective"])[0] == "export_bytes"
    at = table[(table["method"] == method) & (table["k"] == k)].set_index("experiment_id")
    found = []
    for trial in record["trials"]:
        name = trial["experiment_id"]
        network = sweep_findings.exported(paths, name) if exported else None
        if network is None and name in at.index:
            row = at.loc[name]
            network = {"accuracy": row["test_accuracy"], "ratio": row["compression_ratio"]}
        network = network or {"accuracy": None, "ratio": None}
        there = ArtifactPaths(paths.output_dir / name).report.exists()
        found.append(
            {
                "name": name,
                "href": f"../../{name}/report.html" if there else None,
                "state": trial["state"],
                "objective": trial.get("objective"),
                "cells": [
                    *(_text_cell(trial["settings"].get(setting)) for setting in order),
                    _cell_of(
                        trial.get("objective"), value(record["objective"], trial.get("objective"))
                    ),
                    _cell_of(network["accuracy"], "{:.2f} %", 100),
                    _cell_of(network["ratio"], "{:,.1f}×"),
                    _cell_of(trial.get("epochs"), "{:,}"),
                    _cell_of(trial.get("seconds"), "{:,.1f}"),
                ],
            }
        )

    def rank(row):
        # The last objective of unfinished trials is not a result.
        return row["state"] != FINISHED, row["objective"] is None, -sign * (row["objective"] or 0)

    columns = [*order, record["objective"], "test accuracy", "compression", "epochs", "seconds"]
    return {"columns": columns, "rows": sorted(found, key=rank)}


def _text_cell(setting):
    number = setting if isinstance(setting, int | float) and not isinstance(setting, bool) else None
    return {
        "value": value_text(setting) if number is None else number,
        "text": setting_text(setting),
    }


def _cell_of(number, text, scale=1):
    number = json_number(number)
    if number is None:
        return {"value": None, "text": "–"}
    return {"value": number, "text": text.format(scale * number)}
