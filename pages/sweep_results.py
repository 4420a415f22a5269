"""The results of a sweep: tables, figures and a page, written to its folder."""

from typing import TYPE_CHECKING, Any

from ..experiments import finished
from ..sweeps.importance import by_importance, importance, is_available, objectives_of
from ..sweeps.levels import levels_of
from ..sweeps.tables import SEED, chosen_method, collect, deciding_column, table_of
from ..utils import echo, percent, write_text
from ..visualization import csv, figures, sweep_graph
from . import rendering
from .sweep_findings import states_text
from .sweep_page import page_from

if TYPE_CHECKING:
    from ..sweeps.paths import SweepPaths


def write_results(paths: "SweepPaths", record: dict[str, Any]) -> None:
    """Writes the tables, figures and page of a sweep, of the trials that have finished. Without
    Optuna an existing table of importance is left as it is.

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
    if is_available() or not paths.importance.exists():
        csv.write_metrics(paths.importance, shares)
    for path, draw in (
        (paths.settings_figure, _settings_figure),
        (paths.curves_figure, _curves_figure),
    ):
        figure = draw(record, table, shares)
        if figure is None:
            path.unlink(missing_ok=True)  # drawn from trials that do not exist any more
        else:
            figures.save_png(figure, path)
    write_text(paths.report, rendering.sweep(page_from(paths, record, found, table, shares)))


def try_to_write_results(paths: "SweepPaths", record: dict[str, Any]) -> None:
    """Writes the results while trials run and at the end; a failure is only a warning, because the
    trials do not need these files."""
    try:
        write_results(paths, record)
    except finished.FAILURES as error:
        echo(f"Warning: the results of {paths.root} could not be written ({error}).")


def _settings_figure(record, _, shares):
    objectives = objectives_of(record)
    if objectives.empty:
        return None
    levels = levels_of(record).loc[objectives.index, by_importance(record, shares)]
    own = shares[shares["of"] == "objective"].set_index("setting")["explained"]
    return sweep_graph.settings_figure(
        objectives,
        levels.apply(lambda column: column.cat.remove_unused_categories()),
        own.astype(float).reindex(levels.columns).to_dict(),
        record["objective"],
        f"{record['sweep_id']}: {states_text(record)}",
    )


def _curves_figure(record, table, shares):
    method, k = chosen_method(record, table)
    if method is None:
        return None
    rows = table[table["method"] == method].reset_index(drop=True)
    title = f"{record['sweep_id']}: {method}, best by {deciding_column(rows)} at {percent(k)}"
    return sweep_graph.curves_figure(rows, _coloured(record, rows, shares), title)


def _coloured(record, rows, shares):
    """For every row of a table the level of the most important setting other than the seed; None
    where no setting differs and has few enough levels."""
    levels = levels_of(record).loc[rows["experiment_id"]].reset_index(drop=True)
    for name in by_importance(record, shares):
        if name != SEED and 1 < levels[name].nunique() <= sweep_graph.MOST_COLORS:
            return levels[name]
    return None
