"""The page of a sweep, and its card among all experiments: what they show, as JSON takes it."""

import contextlib
import json

import numpy as np
import pandas as pd

from ..experiments import finished
from ..experiments.intervals import mean_and_interval
from ..experiments.paths import ArtifactPaths
from ..settings.objective import parsed
from ..sweeps.levels import value_text
from ..sweeps.paths import FAILED, FINISHED, RUNNING, STOPPED, WAITING, read_record
from ..sweeps.screen import value
from ..sweeps.tables import (
    OBJECTIVE,
    OVER_SEEDS,
    REST,
    SEED,
    best_of,
    chosen_method,
    collect,
    described,
    finished_trials,
    importance,
    levels_of_settings,
    ordered,
    says_something,
    setting_text,
    table_of,
)
from ..utils import one_line, percent, pluralize
from ..visualization.tables import BASELINE, json_number, json_numbers
from .findings import points

# So many best trials, of as many data sets, are told in words.
MOST_DATASETS = 4
RULE = (
    "Explained is the share of the variance of the objective over the finished trials that the "
    "means of a setting's values have (the correlation ratio; in a complete grid the first-order "
    "Sobol index). With few trials for each value chance alone explains much: how much, stands "
    "beside."
)


def card_of(paths):
    """What the page over all experiments tells of a sweep; never fails."""
    about = {
        "name": paths.root.name,
        "href": f"sweeps/{paths.root.name}/report.html" if paths.report.exists() else None,
        "states": None,
        "best": None,
    }
    try:
        record = read_record(paths)
        best = best_of(record)[:1]
        text = "".join(
            f"{value(record['objective'], entry['mean'])}{described(entry['settings'], ' with ')}"
            for entry in best
        )
        return {**about, "states": states_text(record), "best": text or None}
    except finished.FAILURES as error:
        return {**about, "states": f"broken: {one_line(error, 200)}"}


STATES = {
    FINISHED: "finished",
    STOPPED: "stopped early as hopeless",
    FAILED: "failed",
    RUNNING: "running",
    WAITING: "waiting",
}


def states_text(record):
    """ "60 trials: 50 finished, 8 stopped early as hopeless, 2 failed"."""
    states = [trial["state"] for trial in record["trials"]]
    if set(states) == {FINISHED}:
        return f"{pluralize(len(states), 'trial')}, all finished"
    told = [f"{states.count(state):,} {text}" for state, text in STATES.items() if state in states]
    return f"{pluralize(len(states), 'trial')}: {', '.join(told)}" if told else "no trials"


def page_of(paths, record):
    """What the page of a sweep shows, as JSON takes it."""
    found = collect(paths, record)
    table = table_of(record, found)
    return page_from(paths, record, found, table, importance(record, table))


def page_from(paths, record, found, table, shares):
    order = ordered(record, shares)
    method, k = chosen_method(record, table)
    levels = levels_of_settings(record, record["trials"])
    pictures = [p.name for p in (paths.settings_figure, paths.curves_figure) if p.exists()]
    own = shares[shares["of"] == OBJECTIVE]
    return {
        "id": paths.root.name,
        "home": "../..",
        "sentences": [_progress(record), *_bests(paths, record, table), *_most(shares)],
        "rule": _rule(record),
        "explanation": RULE,
        "command": str(record.get("command", "")),
        "failures": _failures(paths, record, found),
        "importance": _importance(record, own, order),
        "by_k": _by_k(shares, method, order),
        "objective": record["objective"],
        "maximized": record["goal"] != "min",
        "in_percent": value(record["objective"], 0).endswith("%"),
        "method": method,
        "settings": [_setting(name, levels[name]) for name in order],
        "points": [
            {
                "name": trial["experiment_id"],
                "state": trial["state"],
                "objective": json_number(trial.get("objective")),
            }
            for trial in record["trials"]
        ],
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


def _progress(record):
    text = f"{states_text(record)[:1].upper()}{states_text(record)[1:]}."
    states = {trial["state"] for trial in record["trials"]}
    # One that has failed is told of elsewhere.
    if {RUNNING, WAITING} & states or not (record.get("ended") or FAILED in states):
        text += " The sweep has not ended: its command, given again, goes on."
    return text


def _bests(paths, record, table):
    """Sentences on the best settings, with what they reach on test data."""
    best = best_of(record)
    if not best and finished_trials(record):
        return [f"No finished trial has the objective, {record['objective']}."]
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
    """What networks of some trials reach on test data, in words; None if nobody knows."""
    _, k = parsed(record["objective"])
    if k is None:
        found = [_exported(paths, name) for name in names]
        found = [entry["accuracy"] for entry in found if entry]
        mean = 100 * float(np.mean(found)) if found else None
        return f"the exported files have {mean:.2f} % of the test examples right" if found else None
    network = _network_at(table[table["experiment_id"].isin(names)], k)
    if network is None:
        return None
    text = (
        f"{100 * network['test_accuracy']:.2f} % of the test examples right when {percent(k)} of "
        f"the weights are gone ({network['method']}"
    )
    half = network["half"]
    return (
        f"{text}; ±\u00a0{points(100 * half)}, 95 % interval)" if half is not None else f"{text})"
    )


def _network_at(rows, k):
    """The means over trials of the method that is the best at a sparsity by validation, chance left
    out; None for none. `half` is half the interval of its test accuracy, None for one trial."""
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


def _exported(paths, name):
    """Accuracy and compression of a trial's exported file; None if there is none."""
    with contextlib.suppress(*finished.FAILURES):
        text = ArtifactPaths(paths.output_dir / name).export_record.read_text(encoding="utf-8")
        record = json.loads(text)
        return {
            "accuracy": float(record["after"]["test_accuracy"]),
            "ratio": record["before"]["raw_bytes"] / record["after"]["npk_bytes"],
        }
    return None


def _most(shares):
    """A sentence on what matters most, if there is something to compare."""
    own = shares[(shares["of"] == OBJECTIVE) & (shares["setting"] != REST)]
    own = own[own["explained"].notna()].set_index("setting")
    settings = own[own.index != SEED]
    if settings.empty or not says_something(shares):
        return []
    most = settings.loc[settings["explained"].astype(float).idxmax()]
    text = (
        f"{most.name} matters most: alone it explains {_share(most['explained'])} of the variance"
    )
    if SEED in own.index:
        return [f"{text}, the seed, chance, {_share(own.loc[SEED, 'explained'])}."]
    return [f"{text}."]


def _share(number):
    return f"{100 * number:.0f} %" if not 0 < number < 0.005 else "less than 1 %"


def _rule(record):
    column, _ = parsed(record["objective"])
    way = "largest" if record["goal"] != "min" else "smallest"
    text = f"The best trial is the one with the {way} {record['objective']}"
    if column.startswith("test"):
        return f"{text}: chosen on test data, and therefore too good to be quite true."
    if column.startswith("valid"):
        return f"{text}: chosen on validation data, told on test data."
    return f"{text}; the method is chosen on validation data, told is test accuracy."


def _failures(paths, record, found):
    """What has failed, and what has finished and cannot be read any more."""
    failed = []
    for trial in record["trials"]:
        name = trial["experiment_id"]
        note = found.broken.get(name)
        if trial["state"] == FAILED:
            note = trial.get("note") or "Nobody knows why."
        if note:
            log = paths.log(name)
            href = log.relative_to(paths.root).as_posix() if log.is_file() else None
            failed.append({"name": name, "note": str(note), "log": href})
    return failed


def _importance(record, own, order):
    """Rows of the objective's importance, in order, the rest last."""
    if not says_something(own):
        return []
    own = own.set_index("setting")
    return [
        {
            "setting": name,
            "explained": json_number(own.loc[name, "explained"]),
            "by_chance": json_number(own.loc[name, "by_chance"]),
            "values": None if name == REST else int(own.loc[name, "values"]),
            # Of seeds there is no best one.
            "best": None if pd.isna(own.loc[name, "best"]) else own.loc[name, "best"],
            "mean": None
            if pd.isna(own.loc[name, "best_mean"])
            else value(record["objective"], own.loc[name, "best_mean"]),
        }
        for name in (*order, REST)
        if name in own.index
    ]


def _by_k(shares, method, order):
    """How much settings explain at every sparsity of a method; None if there is nothing."""
    own = shares[(shares["of"] == method) & shares["explained"].notna()]
    if method is None or own.empty:
        return None
    own = own.assign(explained=own["explained"].astype(float))
    wide = own.pivot_table(index="setting", columns="k", values="explained")
    names = [name for name in (*order, REST) if name in wide.index]
    return {
        "k": [float(k) for k in wide.columns],
        "rows": [{"setting": name, "shares": json_numbers(wide.loc[name])} for name in names],
    }


def _setting(name, levels):
    """A setting on the page: its levels, and which each trial has."""
    return {
        "name": name,
        "levels": levels.names,
        "codes": levels.codes.tolist(),
        "numbers": json_numbers(levels.numbers) if levels.on_axis else None,
        "log": bool(levels.log),
    }


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
        network = _exported(paths, name) if exported else None
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
        # What others had reached when they ended is no result.
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
