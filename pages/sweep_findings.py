"""Sentences on a sweep: its progress, the best settings, their importance, failures."""

import contextlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..experiments import finished
from ..experiments.intervals import mean_and_interval
from ..experiments.paths import ArtifactPaths
from ..settings.objective import parsed
from ..sweeps.paths import FAILED, FINISHED, RUNNING, STOPPED, WAITING
from ..sweeps.screen import value
from ..sweeps.tables import OBJECTIVE, OVER_SEEDS, SEED, best_of, described, finished_trials
from ..utils import percent, pluralize
from .findings import points

if TYPE_CHECKING:
    import pandas as pd

    from ..sweeps.paths import SweepPaths
    from ..sweeps.tables import Collected


# The best trials of at most so many data sets are described in words.
MOST_DATASETS = 4
STATES = {
    FINISHED: "finished",
    STOPPED: "stopped early as unpromising",
    FAILED: "failed",
    RUNNING: "running",
    WAITING: "waiting",
}


def states_text(record: dict[str, Any]) -> str:
    """ "60 trials: 50 finished, 8 stopped early as unpromising, 2 failed"."""
    states = [trial["state"] for trial in record["trials"]]
    if set(states) == {FINISHED}:
        return f"{pluralize(len(states), 'trial')}, all finished"
    found = [f"{states.count(state):,} {text}" for state, text in STATES.items() if state in states]
    return f"{pluralize(len(states), 'trial')}: {', '.join(found)}" if found else "no trials"


def progress(record: dict[str, Any]) -> str:
    """A sentence on the states of the trials, and whether the sweep has ended."""
    text = f"{states_text(record)[:1].upper()}{states_text(record)[1:]}."
    states = {trial["state"] for trial in record["trials"]}
    # The page lists failed trials separately.
    if {RUNNING, WAITING} & states or not (record.get("ended") or FAILED in states):
        text += " The sweep has not ended: run its command again to continue."
    return text


def best_settings(paths: "SweepPaths", record: dict[str, Any], table: "pd.DataFrame") -> list[str]:
    """Sentences on the best settings, with their test accuracies."""
    best = best_of(record)
    if not best and finished_trials(record):
        return [f"No finished trial has a value of the objective, {record['objective']}."]
    return [_best(paths, record, table, entry) for entry in best[:MOST_DATASETS]]


def _best(paths, record, table, entry):
    trials, mean = entry["trials"], value(record["objective"], entry["mean"])
    over = f", the mean of {len(trials)} seeds" if len(trials) > 1 else ""
    settings = described(entry["settings"])
    text = f"Best by {record['objective']}: {settings} ({mean}{over})"
    if not settings:
        text = f"{record['objective']} is {mean}{over}"
    names = [trial["experiment_id"] for trial in trials]
    tested = _tested(paths, record, table, names)
    return f"{text}; {tested}." if tested else f"{text}."


def _tested(paths, record, table, names):
    """The test accuracy of networks of some trials, in words; None if it is not known."""
    _, k = parsed(record["objective"])
    if k is None:
        found = [exported(paths, name) for name in names]
        found = [entry["accuracy"] for entry in found if entry]
        mean = 100 * float(np.mean(found)) if found else None
        return f"test accuracy of the exported files {mean:.2f} %" if found else None
    network = _network_at(table[table["experiment_id"].isin(names)], k)
    if network is None:
        return None
    half = network["half"]
    interval = "" if half is None else f" ±\u00a0{points(100 * half)} (95 % interval)"
    return (
        f"test accuracy {100 * network['test_accuracy']:.2f} %{interval} at a sparsity of "
        f"{percent(k)} ({network['method']})"
    )


def _network_at(rows, k):
    """The means over trials of the best method at a sparsity by validation, without random pruning;
    None if there is none. `half` is half the interval of its test accuracy, None for one trial."""
    rows = rows[(rows["k"] == k) & (rows["criterion"] != "random")]
    if rows.empty:
        return None
    columns = ["sparsity", "compression_ratio", *OVER_SEEDS]
    groups = rows.astype(dict.fromkeys(columns, float)).groupby(["method", "k"], sort=False)
    complete = groups.size() == groups.size().max()
    best = finished.best_at(groups[columns].mean()[complete].reset_index(), k)
    if best is None:
        return None
    own = mean_and_interval(groups["test_accuracy"], (None, None)).loc[(best["method"], k)]
    half = (own["high"] - own["low"]) / 2
    return {**best, "half": None if np.isnan(half) else float(half)}


def exported(paths: "SweepPaths", name: str) -> dict[str, float] | None:
    """Accuracy and compression of a trial's exported file; None if there is none."""
    with contextlib.suppress(*finished.FAILURES):
        text = ArtifactPaths(paths.output_dir / name).export_record.read_text(encoding="utf-8")
        record = json.loads(text)
        return {
            "accuracy": float(record["after"]["test_accuracy"]),
            "ratio": record["before"]["raw_bytes"] / record["after"]["npk_bytes"],
        }
    return None


def most_important(shares: "pd.DataFrame") -> list[str]:
    """A sentence on the most important setting, if there is something to compare."""
    own = shares[shares["of"] == OBJECTIVE].set_index("setting")["explained"].astype(float).dropna()
    settings = own.drop(SEED, errors="ignore")
    if settings.empty:
        return []
    text = (
        f"The most important setting is {settings.idxmax()}, with {100 * settings.max():.0f} % of "
        "the importance of all settings"
    )
    return [f"{text}; the seed has {100 * own[SEED]:.0f} %." if SEED in own else f"{text}."]


def rule(record: dict[str, Any]) -> str:
    """A sentence on the choice of the best trial."""
    column, _ = parsed(record["objective"])
    way = "largest" if record["goal"] != "min" else "smallest"
    text = f"The best trial is the one with the {way} {record['objective']}"
    if column.startswith("test"):
        return f"{text}: it is chosen on test data, so its accuracy is optimistic."
    if column.startswith("valid"):
        return f"{text}: it is chosen on validation data and reported on test data."
    return f"{text}; the method is chosen on validation data and reported on test data."


def failures(
    paths: "SweepPaths", record: dict[str, Any], found: "Collected"
) -> list[dict[str, Any]]:
    """Trials that failed, and finished ones whose results cannot be read."""
    failed = []
    for trial in record["trials"]:
        name = trial["experiment_id"]
        note = found.broken.get(name)
        if trial["state"] == FAILED:
            note = trial.get("note") or "The reason is not known."
        if note:
            log = paths.log(name)
            href = log.relative_to(paths.root).as_posix() if log.is_file() else None
            failed.append({"name": name, "note": str(note), "log": href})
    return failed
