"""The tables of a sweep: every network of its trials, and how much each setting explains; read from
the trials' folders, without TensorFlow and Ray."""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..experiments import finished, folder
from ..experiments.intervals import BOUNDS, mean_and_interval
from ..experiments.paths import ArtifactPaths
from ..settings.objective import parsed
from ..utils import CLEARLY_LESS, RunError, one_line
from ..visualization import csv
from .levels import levels_of, value_text
from .paths import FINISHED

IDENTITY = ("method", "criterion", "k")
MEASURED = (
    *("sparsity", "compression_ratio", "speedup", "valid_accuracy", "test_accuracy"),
    *("test_cross_entropy", "nonzero", "living", "multiply_adds"),
)
# What has an interval over seeds.
OVER_SEEDS = ("valid_accuracy", "test_accuracy")
IMPORTANCE_COLUMNS = (
    *("of", "k", "column", "setting", "values", "explained", "by_chance"),
    *("best", "best_mean", "trials"),
)
OBJECTIVE = "objective"
REST = "(together or by chance)"
SEED = "seed"
# Where networks are compared if the objective does not say it.
USUAL_K = 0.99


@dataclass
class Collected:
    """What the folders of finished trials hold.

    Attributes:
        rows: tables of networks, by name of the experiment.
        sizes: bytes of exported files, by name of the experiment.
        broken: why the others cannot be read, by name of the experiment.
    """

    rows: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)
    broken: dict = field(default_factory=dict)


def collect(paths, record):
    """Reads what the folders of finished trials hold; what is broken costs its own rows only."""
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
        raise RunError(f"{paths.root} holds no tested networks.")
    columns = [name for name in (*IDENTITY, *MEASURED) if name in rows]
    rows[list(IDENTITY)], rows[list(OVER_SEEDS)].astype(float)
    return rows[columns]


def finished_trials(record):
    return [trial for trial in record["trials"] if trial["state"] == FINISHED]


def summary(paths, record):
    """Every network of the finished trials, a row each, as a table.

    Where seeds are varied, the rows of the same settings with other seeds belong together: each row
    tells how many `seeds` there are, and their means with 95 % intervals.

    Args:
        paths: the `SweepPaths`.
        record: of the sweep, as `sweep_paths.read_record` reads it.
    """
    return table_of(record, collect(paths, record))


def table_of(record, found):
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
    """The same with the mean and the interval over the seeds in every row."""
    by = [*(name for name in settings if name != SEED), *IDENTITY]
    names = [f"{name}_{what}" for name in OVER_SEEDS for what in ("mean", "sd", "low", "high")]
    if table.empty:
        return table.reindex(columns=[*table.columns, "seeds", *names])
    # Settings may be missing, and then are a value like others.
    groups = table.astype(dict.fromkeys(OVER_SEEDS, float)).groupby(by, dropna=False, sort=False)
    numbers = groups.ngroup()
    means = groups[SEED].nunique().rename("seeds").to_frame()
    for name in OVER_SEEDS:
        means = means.join(mean_and_interval(groups[name], BOUNDS[name]).add_prefix(f"{name}_"))
    joined = means.reset_index(drop=True).iloc[numbers].set_axis(table.index)
    return table.join(joined)


def importance(record, table):
    """How much of the differences between the trials each varied setting explains, as a table.

    `explained` is the variance of the means over a setting's values, weighted by their trials,
    divided by the variance over all trials: the correlation ratio, or eta squared, of an analysis
    of variance (Fisher 1925). In a complete grid it is the first-order Sobol index (I. M. Sobol',
    "Sensitivity estimates for nonlinear mathematical models", 1993) of that grid: what the setting
    does alone. What settings do together, and chance, is the rest, a row of its own there.

    Means of few trials differ by chance: were results dealt out at random, a setting would explain
    `by_chance`, (values - 1) / (trials - 1), on average.

    Args:
        record: of the sweep.
        table: its `summary`.

    Returns:
        Rows for the objective, then for every method and sparsity. `explained` is missing where
        nothing differs. Chance has no best value. Numbers drawn from a distribution are in bins.
    """
    found = []
    trials = [trial for trial in finished_trials(record) if trial.get("objective") is not None]
    column, k = parsed(record["objective"])
    values = pd.Series([float(trial["objective"]) for trial in trials], dtype=float)
    sign = -1 if record["goal"] == "min" else 1
    about = {"of": OBJECTIVE, "k": k, "column": column}
    found += _shares(about, values, levels_of_settings(record, trials), sign)
    every = every_level(record)
    for (method, criterion, k), rows in table.groupby(list(IDENTITY), sort=False):
        column = deciding_column(rows)
        rows = rows[rows[column].notna()]
        levels = levels_of_trials(record, every, rows["experiment_id"])
        about = {"of": method, "k": float(k), "column": column}
        values = rows[column].astype(float).reset_index(drop=True)
        found += _shares(about, values, levels, 0 if criterion == "random" else 1)
    shares = pd.DataFrame(found, columns=list(IMPORTANCE_COLUMNS))
    return shares.astype({"values": "Int64", "trials": "Int64"})


def deciding_column(rows):
    """The column that decides: of validation data, or where nothing was held out, of test data."""
    return "valid_accuracy" if rows["valid_accuracy"].notna().any() else "test_accuracy"


def levels_of_settings(record, trials):
    """The `Levels` of every varied setting over some trials; bins are those of all finished."""
    return levels_of_trials(
        record, every_level(record), [trial["experiment_id"] for trial in trials]
    )


def every_level(record):
    trials = record["trials"]
    finished = [trial["state"] == FINISHED for trial in trials]
    return {
        setting: levels_of([trial["settings"].get(setting) for trial in trials], among, finished)
        for setting, among in record["varied"].items()
    }


def levels_of_trials(record, levels, names):
    places = {trial["experiment_id"]: number for number, trial in enumerate(record["trials"])}
    index = np.array([places[name] for name in names], int)
    return {setting: own.of(index) for setting, own in levels.items()}


def _shares(about, values, levels, sign):
    """The rows of `importance` of one column.

    Args:
        about: what the rows begin with.
        values: of each trial.
        levels: of each varied setting over the same trials.
        sign: 1 where more is better, -1 where less is, 0 where nothing is.
    """
    found = []
    total = float(((values - values.mean()) ** 2).sum())
    # The squares of tiny differences are nothing; those to a mean are more than that by rounding.
    differ = len(values) > 1 and np.ptp(values) > 0 and total > 0
    for setting, own in levels.items():
        groups = values.groupby(own.codes)
        means, sizes = groups.mean(), groups.size()
        share = None
        if differ:
            between = float((sizes * (means - values.mean()) ** 2).sum())
            share = min(1.0, between / total)
        # Of seeds there is no best one, only a lucky one.
        best = (sign * means).idxmax() if sign and len(means) and setting != SEED else None
        found.append(
            {
                **about,
                "setting": setting,
                "values": len(own),
                "explained": share,
                "by_chance": (len(own) - 1) / (len(values) - 1) if len(values) > 1 else None,
                "best": None if best is None else own.names[best],
                "best_mean": None if best is None else means[best],
                "trials": len(values),
            }
        )
    if differ and is_complete(levels):
        rest = max(0.0, 1 - sum(row["explained"] for row in found))
        found.append({**about, "setting": REST, "explained": rest, "trials": len(values)})
    return found


def is_complete(levels):
    """Whether trials are a grid: every combination of levels, each as often as any other."""
    codes = pd.DataFrame({name: own.codes for name, own in levels.items()})
    if codes.empty or any(own.binned for own in levels.values()):
        return False
    sizes = codes.groupby(list(codes.columns)).size()
    return len(sizes) == np.prod([len(own) for own in levels.values()]) and sizes.nunique() == 1


def ordered(record, shares):
    """What each varied setting explains of the objective, the most important first, seeds last."""
    own = shares[(shares["of"] == OBJECTIVE) & (shares["setting"] != REST)]
    explained = own.set_index("setting")["explained"].astype(float)
    found = {name: explained.get(name, np.nan) for name in record["varied"]}

    def rank(item):
        return item[0] == SEED, -np.nan_to_num(item[1], nan=-1.0)

    return dict(sorted(found.items(), key=rank))


def chosen_method(record, table):
    """The method whose mean is the best at the objective's sparsity, on validation data where there
    is any, and that sparsity, or the largest that was tried instead; chance left out.

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
    # A method of few trials may have had the easy ones.
    means = groups.mean()[groups.count() == groups.count().max()].dropna()
    return (None, None) if means.empty else (means.idxmax(), k)


def best_of(record):
    """The best settings by the objective, for each data set where several were tried.

    Seeds are chance: of trials that differ in nothing else it is their mean that counts, of as many
    seeds as any settings have.

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


def described(settings, before=""):
    """ "dataset=digits, l1_reg=0.001" behind another text; nothing where only seeds were varied."""
    text = ", ".join(f"{name}={setting_text(setting)}" for name, setting in settings.items())
    return f"{before}{text}" if text else ""


def setting_text(setting):
    """A setting in a sentence: drawn numbers have too many digits."""
    if isinstance(setting, float) and len(str(setting)) > 8:
        return f"{setting:.4g}"
    return one_line(value_text(setting), 60)


def says_something(shares):
    """Whether shares of the objective are more than that each value, once, explains itself."""
    own = shares[(shares["of"] == OBJECTIVE) & (shares["setting"] != REST)]
    return own["explained"].notna().any() and not (own["by_chance"] >= 1).any()
