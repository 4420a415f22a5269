"""What came out of a sweep: its tables, figures and page, from the folders of its trials; without
TensorFlow and Ray."""

import contextlib
import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..utils import RunError, counted, one_line, percent, say, write_text
from ..visualization import csv, graph, pages, sweep_graph
from ..visualization.console import CLEARLY_LESS
from ..visualization.levels import levels_of, value_text
from ..visualization.sweep_screen import parsed, value
from . import folder, reports
from .headlines import points
from .intervals import BOUNDS, mean_and_interval
from .paths import ArtifactPaths
from .sweep_paths import FAILED, FINISHED, RUNNING, STOPPED, WAITING, read_record

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
# So many best trials, of as many data sets, are told in words.
MOST_DATASETS = 4
RULE = (
    "Explained is the share of the variance of the objective over the finished trials that the "
    "means of a setting's values have (the correlation ratio; in a complete grid the first-order "
    "Sobol index). With few trials for each value chance alone explains much: how much, stands "
    "beside."
)


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
    for trial in _finished(record):
        name = trial["experiment_id"]
        try:
            found.rows[name] = _networks(ArtifactPaths(paths.output_dir / name))
            found.sizes[name] = reports.smallest_file(ArtifactPaths(paths.output_dir / name))
        except reports.FAILURES as error:
            found.broken[name] = one_line(error, 200)
    return found


def _networks(paths):
    """The table of networks of an experiment, or of the means of its seeds."""
    summary = reports.summary_of(paths)
    if summary is not None:
        rows = csv.means_of(summary)
    else:
        record = folder.read_record(paths)
        rows = None if record is None else reports.networks_of_record(paths, record)
    if rows is None:
        raise RunError(f"{paths.root} holds no tested networks.")
    columns = [name for name in (*IDENTITY, *MEASURED) if name in rows]
    rows[list(IDENTITY)], rows[list(OVER_SEEDS)].astype(float)
    return rows[columns]


def _finished(record):
    return [trial for trial in record["trials"] if trial["state"] == FINISHED]


def summary(paths, record):
    """Every network of the finished trials, a row each, as a table.

    Where seeds are varied, the rows of the same settings with other seeds belong together: each row
    tells how many `seeds` there are, and their means with 95 % intervals.

    Args:
        paths: the `SweepPaths`.
        record: of the sweep, as `sweep_paths.read_record` reads it.
    """
    return _summary(record, collect(paths, record))


def _summary(record, found):
    settings = list(record["varied"])
    columns = [
        *("experiment_id", "state", *settings, *IDENTITY, *MEASURED),
        *("export_bytes", OBJECTIVE),
    ]
    tables = []
    for trial in _finished(record):
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
    trials = [trial for trial in _finished(record) if trial.get("objective") is not None]
    column, k = parsed(record["objective"])
    values = pd.Series([float(trial["objective"]) for trial in trials], dtype=float)
    sign = -1 if record["goal"] == "min" else 1
    about = {"of": OBJECTIVE, "k": k, "column": column}
    found += _shares(about, values, _levels(record, trials), sign)
    every = _every_level(record)
    for (method, criterion, k), rows in table.groupby(list(IDENTITY), sort=False):
        column = _deciding(rows)
        rows = rows[rows[column].notna()]
        levels = _of_trials(record, every, rows["experiment_id"])
        about = {"of": method, "k": float(k), "column": column}
        values = rows[column].astype(float).reset_index(drop=True)
        found += _shares(about, values, levels, 0 if criterion == "random" else 1)
    shares = pd.DataFrame(found, columns=list(IMPORTANCE_COLUMNS))
    return shares.astype({"values": "Int64", "trials": "Int64"})


def _deciding(rows):
    """The column that decides: of validation data, or where nothing was held out, of test data."""
    return "valid_accuracy" if rows["valid_accuracy"].notna().any() else "test_accuracy"


def _levels(record, trials):
    """The `Levels` of every varied setting over some trials; bins are those of all finished."""
    return _of_trials(record, _every_level(record), [trial["experiment_id"] for trial in trials])


def _every_level(record):
    trials = record["trials"]
    finished = [trial["state"] == FINISHED for trial in trials]
    return {
        setting: levels_of([trial["settings"].get(setting) for trial in trials], among, finished)
        for setting, among in record["varied"].items()
    }


def _of_trials(record, levels, names):
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
        best = (sign * means).idxmax() if sign and len(means) else None
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


def write_results(paths, record):
    """Writes the tables of a sweep, its figures and its page, of as many trials as have finished.

    Args:
        paths: the `SweepPaths`.
        record: of the sweep.

    Raises:
        RunError: if a file cannot be written.
    """
    found = collect(paths, record)
    table = _summary(record, found)
    shares = importance(record, table)
    csv.write_metrics(paths.summary, table)
    csv.write_metrics(paths.importance, shares)
    for path, draw in (
        (paths.settings_figure, _settings_figure),
        (paths.curves_figure, _curves_figure),
    ):
        figure = draw(record, table, shares)
        if figure is None:
            path.unlink(missing_ok=True)  # of trials that are no more
        else:
            graph.save_png(figure, path)
    write_text(paths.report, pages.sweep(_page(paths, record, found, table, shares)))


def try_to_write_results(paths, record):
    """The same while and after trials run, whose results stand without; a failure is said."""
    try:
        write_results(paths, record)
    except reports.FAILURES as error:
        say(f"Warning: what came out of {paths.root} could not be written ({error}).")


def _settings_figure(record, _, shares):
    trials = [
        trial
        for trial in record["trials"]
        if trial["state"] in (FINISHED, STOPPED) and trial.get("objective") is not None
    ]
    if not trials:
        return None
    found = ordered(record, shares)
    levels = _levels(record, trials)
    if not says_something(shares):
        found = dict.fromkeys(found, np.nan)
    return sweep_graph.settings_figure(
        pd.DataFrame(trials)[["objective", "state"]],
        {name: levels[name] for name in found},
        found,
        record["objective"],
        f"{record['sweep_id']}: {_states(record)}",
    )


def _curves_figure(record, table, shares):
    method, k = chosen_method(record, table)
    if method is None:
        return None
    rows = table[table["method"] == method].reset_index(drop=True)
    levels = _levels_of_rows(record, rows, shares)
    title = f"{record['sweep_id']}: {method}, the best by {_deciding(rows)} at {percent(k)}"
    return sweep_graph.curves_figure(rows, levels, title)


def _levels_of_rows(record, rows, shares):
    """The `Levels` of settings, by importance, in every row of a table; without seeds and what is
    the same everywhere."""
    levels = _of_trials(record, _every_level(record), rows["experiment_id"])
    names = [name for name in ordered(record, shares) if name != SEED]
    return {name: levels[name] for name in names if len(levels[name]) > 1}


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
    groups = pruned.groupby("method", sort=False)[_deciding(pruned)]
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
    for trial in _finished(record):
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
        return {**about, "states": _states(record), "best": text or None}
    except reports.FAILURES as error:
        return {**about, "states": f"broken: {one_line(error, 200)}"}


def described(settings, before=""):
    """ "dataset=digits, l1_reg=0.001" behind another text; nothing where only seeds were varied."""
    text = ", ".join(f"{name}={_number(setting)}" for name, setting in settings.items())
    return f"{before}{text}" if text else ""


def _number(setting):
    """A setting in a sentence: drawn numbers have too many digits."""
    if isinstance(setting, float) and len(str(setting)) > 8:
        return f"{setting:.4g}"
    return one_line(value_text(setting), 60)


STATES = {
    FINISHED: "finished",
    STOPPED: "stopped early as hopeless",
    FAILED: "failed",
    RUNNING: "running",
    WAITING: "waiting",
}


def _states(record):
    """ "60 trials: 50 finished, 8 stopped early as hopeless, 2 failed"."""
    states = [trial["state"] for trial in record["trials"]]
    if set(states) == {FINISHED}:
        return f"{counted(len(states), 'trial')}, all finished"
    told = [f"{states.count(state):,} {text}" for state, text in STATES.items() if state in states]
    return f"{counted(len(states), 'trial')}: {', '.join(told)}" if told else "no trials"


def page_of(paths, record):
    """What the page of a sweep shows, as JSON takes it."""
    found = collect(paths, record)
    table = _summary(record, found)
    return _page(paths, record, found, table, importance(record, table))


def _page(paths, record, found, table, shares):
    order = ordered(record, shares)
    method, k = chosen_method(record, table)
    levels = _levels(record, record["trials"])
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
                "objective": _json_number(trial.get("objective")),
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
    text = f"{_states(record)[:1].upper()}{_states(record)[1:]}."
    if not record.get("ended"):
        text += " The sweep has not ended: its command, given again, goes on."
    return text


def _bests(paths, record, table):
    """Sentences on the best settings, with what they reach on test data."""
    best = best_of(record)
    if not best and _finished(record):
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
    best = reports.best_at(groups[columns].mean()[complete].reset_index(), k)
    if best is None:
        return None
    own = mean_and_interval(groups["test_accuracy"], (None, None)).loc[(best["method"], k)]
    half = (own["high"] - own["low"]) / 2
    return {**best, "half": None if np.isnan(half) else float(half)}


def _exported(paths, name):
    """Accuracy and compression of a trial's exported file; None if there is none."""
    with contextlib.suppress(*reports.FAILURES):
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


def says_something(shares):
    """Whether shares of the objective are more than that each value, once, explains itself."""
    own = shares[(shares["of"] == OBJECTIVE) & (shares["setting"] != REST)]
    return own["explained"].notna().any() and not (own["by_chance"] >= 1).any()


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
            "explained": _json_number(own.loc[name, "explained"]),
            "by_chance": _json_number(own.loc[name, "by_chance"]),
            "values": None if name == REST else int(own.loc[name, "values"]),
            "best": None if name == REST else own.loc[name, "best"],
            "mean": None
            if name == REST
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
        "rows": [{"setting": name, "shares": _json_list(wide.loc[name])} for name in names],
    }


def _setting(name, levels):
    """A setting on the page: its levels, and which each trial has."""
    return {
        "name": name,
        "levels": levels.names,
        "codes": levels.codes.tolist(),
        "numbers": _json_list(levels.numbers) if levels.on_axis else None,
        "log": bool(levels.log),
    }


def _curves(record, table):
    """Test accuracy over the sparsity, by method and number of the trial."""
    places = {trial["experiment_id"]: number for number, trial in enumerate(record["trials"])}
    found = {}
    table = table[(table["criterion"] != "random") & table["test_accuracy"].notna()]
    for (method, name), rows in table.groupby(["method", "experiment_id"], sort=False):
        rows = rows.sort_values("k")
        curve = {"trial": places[name], "k": _json_list(rows["k"])}
        curve["accuracy"] = _json_list(rows["test_accuracy"])
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
    return {"value": value_text(setting) if number is None else number, "text": _number(setting)}


def _cell_of(number, text, scale=1):
    number = _json_number(number)
    if number is None:
        return {"value": None, "text": "–"}
    return {"value": number, "text": text.format(scale * number)}


def _json_number(number):
    """As JSON takes it: what is missing or infinite is null."""
    if number is None or pd.isna(number) or np.isinf(number):
        return None
    return number if isinstance(number, int) else float(f"{number:.6g}")


def _json_list(numbers):
    return [_json_number(number) for number in numbers]
