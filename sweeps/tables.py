"""The summary of a sweep: every network of its trials, and the best settings; read from the trials'
folders, without TensorFlow and Ray."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..experiments import finished, folder
from ..experiments.intervals import BOUNDS, mean_and_interval
from ..experiments.paths import ArtifactPaths
from ..settings.objective import parsed
from ..utils import CLEARLY_LESS, RunError, one_line
from ..visualization import csv
from .levels import setting_text, value_text
from .paths import FINISHED

if TYPE_CHECKING:
    from .paths import SweepPaths


IDENTITY = ("method", "criterion", "k")
MEASURED = (
    *("sparsity", "compression_ratio", "speedup", "valid_accuracy", "test_accuracy"),
    *("test_cross_entropy", "nonzero", "living", "multiply_adds"),
)
# Columns with an interval over seeds.
OVER_SEEDS = ("valid_accuracy", "test_accuracy")
OBJECTIVE = "objective"
SEED = "seed"
# The sparsity at which networks are compared if the objective has none.
USUAL_K = 0.99


@dataclass
class Collected:
    """The contents of the folders of finished trials.

    Attributes:
        rows: tables of networks, by name of the experiment.
        sizes: bytes of exported files, by name of the experiment.
        broken: reasons why the others cannot be read, by name of the experiment.
    """

    rows: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)
    broken: dict = field(default_factory=dict)


def collect(paths: "SweepPaths", record: dict[str, Any]) -> Collected:
    """Reads the folders of finished trials; broken ones only lack rows."""
    found = Collected()
    for trial in finished_trials(record):
        name = trial["experiment_id"]
        try:
            found.rows[name] = _networks(ArtifactPaths(paths.output_dir / name))
            found.sizes[name] = finished.smallest_file(ArtifactPaths(paths.output_dir / name))
        except finished.FAILURES as error:
            found.broken[name] = one_line(error, 200)
    return found


def _networks(paths):
    """The table of networks of an experiment, or of the means of its seeds."""
    summary = finished.summary_of(paths)
    if summary is not None:
        rows = csv.means_of(summary)
    else:
        record = folder.read_record(paths)
        rows = None if record is None else finished.networks_of_record(paths, record)
    if rows is None:
        raise RunError(f"{paths.root} has no tested networks.")
    columns = [name for name in (*IDENTITY, *MEASURED) if name in rows]
    rows[list(IDENTITY)], rows[list(OVER_SEEDS)].astype(float)
    return rows[columns]


def finished_trials(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [trial for trial in record["trials"] if trial["state"] == FINISHED]


def table_of(record: dict[str, Any], found: Collected) -> pd.DataFrame:
    """Every network of the finished trials, a row each, as a table.

    If seeds are varied, rows that differ only in the seed belong together: each row has the number
    of `seeds`, and their means with 95 % intervals.

    Args:
        record: of the sweep, as `paths.read_record` reads it.
        found: the result of `collect`.
    """
    settings = list(record["varied"])
    columns = [
        *("experiment_id", "state", *settings, *IDENTITY, *MEASURED),
        *("export_bytes", OBJECTIVE),
    ]
    tables = []
    for trial in finished_trials(record):
        name = trial["experiment_id"]
        if name not in found.rows:
            continue
        about = {
            "experiment_id": name,
            "state": trial["state"],
            **{setting: _cell(trial["settings"].get(setting)) for setting in settings},
            "export_bytes": found.sizes[name],
            OBJECTIVE: trial.get("objective"),
        }
        table = found.rows[name].assign(**about).reindex(columns=columns)
        tables.append(table.dropna(axis="columns", how="all"))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    table = table.reindex(columns=columns)
    table["export_bytes"] = table["export_bytes"].astype(float).astype("Int64")
    return _with_seeds(table, settings) if SEED in settings else table


def _cell(value):
    return value_text(value) if isinstance(value, list | tuple) else value


def _with_seeds(table, settings):
    """The table with means and intervals over the seeds in every row."""
    by = [*(name for name in settings if name != SEED), *IDENTITY]
    names = [f"{name}_{what}" for name in OVER_SEEDS for what in ("mean", "sd", "low", "high")]
    if table.empty:
        return table.reindex(columns=[*table.columns, "seeds", *names])
    # A missing setting is a value like others.
    groups = table.astype(dict.fromkeys(OVER_SEEDS, float)).groupby(by, dropna=False, sort=False)
    numbers = groups.ngroup()
    means = groups[SEED].nunique().rename("seeds").to_frame()
    for name in OVER_SEEDS:
        means = means.join(mean_and_interval(groups[name], BOUNDS[name]).add_prefix(f"{name}_"))
    joined = means.reset_index(drop=True).iloc[numbers].set_axis(table.index)
    return table.join(joined)


def deciding_column(rows: pd.DataFrame) -> str:
    """The column that decides: validation accuracy, or test accuracy without validation data."""
    return "valid_accuracy" if rows["valid_accuracy"].notna().any() else "test_accuracy"


def chosen_method(record: dict[str, Any], table: pd.DataFrame) -> tuple[str | None, float | None]:
    """The method other than random pruning with the best mean at the objective's sparsity, on
    validation data if possible; and that sparsity, or else the largest that was tried.

    Returns:
        None twice if there is none.
    """
    pruned = table[(table["k"] > 0) & (table["k"] < 1) & (table["criterion"] != "random")]
    if pruned.empty:
        return None, None
    wanted = parsed(record["objective"])[1]
    wanted = USUAL_K if wanted is None else wanted
    k = wanted if (pruned["k"] == wanted).any() else float(pruned["k"].max())
    pruned = pruned[pruned["k"] == k]
    pruned = pruned[pruned["sparsity"] >= k - CLEARLY_LESS]
    groups = pruned.groupby("method", sort=False)[deciding_column(pruned)]
    # The few trials of another method may have been easy ones.
    means = groups.mean()[groups.count() == groups.count().max()].dropna()
    return (None, None) if means.empty else (means.idxmax(), k)


def best_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The best settings by the objective, for each data set if there are several.

    Settings are compared by their means over seeds, and only if they have as many seeds as any
    others.

    Returns:
        Dictionaries of `settings`, the `trials` that have them, and the `mean` of the objective.
    """
    groups = {}
    for trial in finished_trials(record):
        if trial.get("objective") is None:
            continue
        settings = {name: trial["settings"].get(name) for name in record["varied"] if name != SEED}
        groups.setdefault(json.dumps(settings), (settings, []))[1].append(trial)
    found = {}
    for settings, trials in groups.values():
        mean = float(np.mean([trial["objective"] for trial in trials]))
        entry = {"settings": settings, "trials": trials, "mean": mean}
        found.setdefault(value_text(settings.get("dataset")), []).append(entry)
    sign = -1 if record["goal"] == "min" else 1
    best = []
    for entries in found.values():
        most = max(len(entry["trials"]) for entry in entries)
        full = [entry for entry in entries if len(entry["trials"]) == most]
        best.append(max(full, key=lambda entry: sign * entry["mean"]))
    return sorted(best, key=lambda entry: -sign * entry["mean"])


def described(settings: Mapping[str, Any], before: str = "") -> str:
    """ "dataset=digits, l1_reg=0.001" after another text; "" if only seeds were varied."""
    text = ", ".join(f"{name}={setting_text(setting)}" for name, setting in settings.items())
    return f"{before}{text}" if text else ""
