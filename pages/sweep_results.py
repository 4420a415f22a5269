"""What comes out of a sweep: tables, figures and a page, written to its folder."""

import numpy as np
import pandas as pd

from ..experiments import finished
from ..sweeps.paths import FINISHED, STOPPED
from ..sweeps.tables import (
    SEED,
    chosen_method,
    collect,
    deciding_column,
    every_level,
    importance,
    levels_of_settings,
    levels_of_trials,
    ordered,
    says_something,
    table_of,
)
from ..utils import echo, percent, write_text
from ..visualization import csv, figures, sweep_graph
from . import rendering
from .sweep_page import page_from, states_text


def write_results(paths, record):
    """Writes the tables of a sweep, its figures and its page, of as many trials as have finished.

    Args:
        paths: the `SweepPaths`.
        record: of the sweep.

    Raises:
        RunError: if a file cannot be written.
    """
    found = collect(paths, record)
    table = table_of(record, found)
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
            figures.save_png(figure, path)
    write_text(paths.report, rendering.sweep(page_from(paths, record, found, table, shares)))


def try_to_write_results(paths, record):
    """The same while and after trials run, whose results stand without; a failure is said."""
    try:
        write_results(paths, record)
    except finished.FAILURES as error:
        echo(f"Warning: what came out of {paths.root} could not be written ({error}).")


def _settings_figure(record, _, shares):
    trials = [
        trial
        for trial in record["trials"]
        if trial["state"] in (FINISHED, STOPPED) and trial.get("objective") is not None
    ]
    if not trials:
        return None
    found = ordered(record, shares)
    levels = levels_of_settings(record, trials)
    if not says_something(shares):
        found = dict.fromkeys(found, np.nan)
    return sweep_graph.settings_figure(
        pd.DataFrame(trials)[["objective", "state"]],
        {name: levels[name] for name in found},
        found,
        record["objective"],
        f"{record['sweep_id']}: {states_text(record)}",
    )


def _curves_figure(record, table, shares):
    method, k = chosen_method(record, table)
    if method is None:
        return None
    rows = table[table["method"] == method].reset_index(drop=True)
    levels = _levels_of_rows(record, rows, shares)
    title = f"{record['sweep_id']}: {method}, the best by {deciding_column(rows)} at {percent(k)}"
    return sweep_graph.curves_figure(rows, levels, title)


def _levels_of_rows(record, rows, shares):
    """The `Levels` of settings, by importance, in every row of a table; without seeds and what is
    the same everywhere."""
    levels = levels_of_trials(record, every_level(record), rows["experiment_id"])
    names = [name for name in ordered(record, shares) if name != SEED]
    return {name: levels[name] for name in names if len(levels[name]) > 1}
