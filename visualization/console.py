"""Tables for the terminal: plain text of 80 columns."""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..utils import COLUMNS, middle_cut, percent, pluralize
from . import export_text
from .csv import means_of
from .tables import missed

if TYPE_CHECKING:
    import pandas as pd


BEST, LESS = "*", "<"


def results_table(metrics: "pd.DataFrame", settings: str = "", compared_with: str = "") -> str:
    """Test accuracy and compression ratio of every method at every sparsity.

    The best network of each sparsity is marked, among those that reached it. Where there are no
    more than two methods besides random pruning, test losses are shown too.

    Args:
        metrics: a `DataFrame` with `method`, `granularity`, `criterion`, `k`, `sparsity`,
            `compression_ratio`, `test_accuracy` and `test_loss`.
        settings: the settings of retraining, as text.
        compared_with: the accuracies of baseline and control, as `controls.compared_with`.
    """
    metrics = _marked(metrics)
    with_loss = metrics[metrics["criterion"] != "random"]["method"].nunique() <= 2
    cells = {
        (row.method, row.k): _accuracy(row) + (f"{row.test_loss:9.4f}" if with_loss else "")
        for row in metrics.itertuples()
    }
    heading = "Test accuracy (%), compression ratio" + (", test loss" if with_loss else "")
    return _text(f"{heading}:", settings, metrics, cells, compared_with)


def summary_table(summary: "pd.DataFrame", settings: str = "", compared_with: str = "") -> str:
    """Mean test accuracy, with its 95 % interval, and mean compression ratio of every method at
    every sparsity. The best mean of each sparsity is marked as in `results_table`.

    Args:
        summary: a `DataFrame` with `method`, `granularity`, `k`, `seeds`, `sparsity_mean`,
            `compression_ratio_mean`, `test_accuracy_mean`, `test_accuracy_low` and
            `test_accuracy_high`; the last two are NaN for a single seed.
        settings, compared_with: as for `results_table`.
    """
    means = _marked(means_of(summary))
    cells = {(row.method, row.k): _accuracy(row, _interval(row)) for row in means.itertuples()}
    seeds = summary["seeds"].max()
    interval = " (95 % interval)" if means["test_accuracy_low"].notna().any() else ""
    heading = f"Test accuracy (%), mean of {seeds} seeds{interval}, compression ratio:"
    return _text(heading, settings, means, cells, compared_with)


def export_table(record: dict[str, Any]) -> str:
    """Sizes, latencies and accuracies of a dense network and its export, with ratios.

    Args:
        record: as in `export.json`.
    """
    lines: list[tuple[str, ...]] = [("", "dense", "exported", "ratio")]
    for label, before, after in export_text.sizes(record):
        lines.append((label, *_compared(before, after, "{:,}")))
    for runtime, batch, before, after in export_text.latencies(record):
        before_ms, after_ms = (None if t is None else 1000 * t for t in (before, after))
        cells = _compared(before_ms, after_ms, "{:.3g}")
        lines.append((f"{runtime}, {pluralize(batch, 'example')}, ms", *cells))
    for label, before, after in export_text.accuracies(record):
        pair = ("—" if value is None else f"{100 * value:.2f}" for value in (before, after))
        lines.append((f"{label} (%)", *pair, ""))
    table = _aligned(list(zip(*lines, strict=True)), numbers=True)
    return "\n".join(["", table, "", *export_text.sentences(record), ""])


def _compared(before, after, form):
    cells = ["—" if value is None else form.format(value) for value in (before, after)]
    has_ratio = before is not None and after
    return (*cells, f"{export_text.digits(before / after)}×" if has_ratio else "")


def _marked(metrics):
    """The table with `less`, whether clearly fewer weights were removed than requested, and `best`,
    whether a network is the best of those that reached its sparsity; none if all are equal."""
    less = missed(metrics)
    accuracy = metrics["test_accuracy"].where(~less)
    highest = accuracy.groupby(metrics["k"]).transform("max")
    differ = metrics.groupby("k")["test_accuracy"].transform("nunique") > 1
    return metrics.assign(less=less, best=(accuracy == highest) & differ)


def _accuracy(row, interval=""):
    mark = LESS if row.less else BEST if row.best else " "
    return f"{100 * row.test_accuracy:6.2f}{mark}{interval} {_ratio(row.compression_ratio):>6}"


def _ratio(ratio):
    """1.5×, 20×, 2386×; a dash if no parameter is effective."""
    return "—" if math.isinf(ratio) else f"{ratio:.{int(ratio < 9.95)}f}×"


def _interval(row):
    low, high = 100 * row.test_accuracy_low, 100 * row.test_accuracy_high
    return f"{'' if math.isnan(low) else f'({low:.2f}–{high:.2f})':14}"


def _footnotes(metrics, labels):
    """The meaning of the marks, and the largest sparsities of methods with a pattern."""
    best = [f"{BEST} best at this sparsity"] if metrics["best"].any() else []
    return best + reached_notes(metrics, labels)


def reached_notes(metrics: "pd.DataFrame", labels: Mapping[str, str] | None = None) -> list[str]:
    """Notes on networks with clearly fewer weights removed than requested.

    Args:
        metrics: a `DataFrame` with `method`, `granularity`, `k` and `sparsity`.
        labels: of the methods; by default their names.
    """
    less = metrics[missed(metrics)]
    if less.empty:
        return []
    is_pattern = less["granularity"].str.contains(":").astype(bool)
    reason = "" if is_pattern.all() else ": units and blocks are removed whole"
    most = less[is_pattern].groupby("method", sort=False)["sparsity"].max()
    return [f"{LESS} fewer weights removed than requested{reason}"] + [
        f"{labels[method] if labels else method} removes at most {100 * share:.2f} %: its pattern "
        "allows no more"
        for method, share in most.items()
    ]


def _tables(cells, labels):
    """Tables with a column for each method and a row for each sparsity, an empty line above each.

    Args:
        cells: texts by method and sparsity.
        labels: of the methods.
    """
    methods, k_vals = list(labels), sorted({k for _, k in cells})
    first = ["sparsity", *map(percent, k_vals)]
    width = max(map(len, cells.values()))
    num_shown, tables = (COLUMNS - max(map(len, first))) // (width + 2), []
    for begin in range(0, len(methods), num_shown):
        columns = [
            [labels[method].center(width), *(cells.get((method, k), "") for k in k_vals)]
            for method in methods[begin : begin + num_shown]
        ]
        tables += ["", _aligned([first, *columns])]
    return tables


def _labels(cells):
    """The headings of the columns: names if they fit, else numbers and a legend."""
    methods = list(dict.fromkeys(method for method, _ in cells))
    width = max(map(len, cells.values()))
    if all(len(method) <= width for method in methods):
        return {method: method for method in methods}, []
    numbers = {method: f"[{number}]" for number, method in enumerate(methods, start=1)}
    return numbers, ["", *(f"{number:>4} {method}" for method, number in numbers.items())]


def _aligned(columns, numbers=False, first="right", width=COLUMNS):
    """Columns of texts as a table. The first column is aligned to the right, all columns if they
    are numbers; with `first` at the left, all others are aligned to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for place in range(len(columns)):
        on_the_right = place > 0 if first == "left" else numbers or not place
        table.add_column(justify="right" if on_the_right else "left", no_wrap=True)
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    text = io.StringIO()
    # No colours: the output may be a file.
    Console(file=text, width=width, color_system=None, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _text(heading, settings, metrics, cells, compared_with):
    """Heading, settings, tables and footnotes, between empty lines."""
    labels, legend = _labels(cells)
    made_with = [settings] if settings else []
    made_with += textwrap.wrap(compared_with, COLUMNS)
    below = [*legend, *_tables(cells, labels), *_footnotes(metrics, labels)]
    return "\n".join(["", heading, *made_with, *below, ""])


def experiments_table(entries: Sequence[dict[str, Any]], width: int = COLUMNS) -> str:
    """The experiments of a folder: state, accuracies, smallest file.

    Args:
        entries: as `index_page.entries_of` makes them.
        width: of the terminal; names that are too long are cut.
    """
    if not entries:
        return "There are no experiments yet."
    lines = [("experiment", "state", "dense", "at 90 %", "at 99 %", "file, bytes")]
    lines += map(_experiment_row, entries)
    name, *others = zip(*lines, strict=True)
    room = width - sum(max(map(len, column)) + 2 for column in others) - 2
    names = [middle_cut(each, max(room, 16)) for each in name]
    return _aligned([names, *others], first="left", width=10 * COLUMNS)


def _experiment_row(entry):
    best = (entry["best"].get(k) for k in ("0.9", "0.99"))
    accuracies = (entry["dense"], *(each and each["accuracy"] for each in best))
    size = f"{entry['bytes']:,}" if entry["bytes"] else "–"
    shown = ("–" if a is None else f"{100 * a:.2f} %" for a in accuracies)
    return (entry["name"], entry["state"], *shown, size)


# The columns of a table of networks in the terminal, the most important first, and their headings.
SHOWN = {
    "method": "method",
    "k": "k",
    "sparsity": "sparsity",
    "test_accuracy": "test acc.",
    "compression_ratio": "ratio",
    "valid_accuracy": "valid acc.",
    "speedup": "speed-up",
}
# Wider lines of text are hard to read.
WIDEST_TEXT = 100


def experiment(report: dict[str, Any], width: int = COLUMNS) -> str:
    """One experiment for the terminal: its findings, their caveats, and its table.

    Args:
        report: as `experiment_page.report_of` collects it.
        width: of the terminal.
    """
    caveats = [f"{'+' if good else '!'} {text}" for good, text in report["caveats"]]
    wrapped = [
        textwrap.fill(text, min(width, WIDEST_TEXT), subsequent_indent="  ")
        for text in (*report["sentences"], report["rule"], *caveats)
        if text
    ]
    return "\n".join(
        [
            report["id"],
            "",
            *wrapped,
            "",
            _networks_table(report["table"], width),
            *report["notes"],
            "",
            "Reproduce with:",
            f"  {report['command']}",
        ]
    )


def _networks_table(table, width):
    """A row for each method and sparsity, as wide as the terminal: where there is no room, names of
    methods are cut first, then the last columns are left out.

    Args:
        table: as `experiment_page.report_of` collects it.
        width: of the terminal.
    """
    names = [name.removesuffix("_mean") for name in table["columns"]]
    columns = [
        [heading, *(row[names.index(name)]["text"] for row in table["rows"])]
        for name, heading in SHOWN.items()
        if name in names
    ]
    methods, *numbers = columns
    while len(numbers) > 3 and _width_of(numbers) + LEAST_NAME > width:
        numbers.pop()
    room = max(width - _width_of(numbers), LEAST_NAME)
    methods = [middle_cut(name, room) for name in methods]
    return _aligned([methods, *numbers], first="left", width=10 * COLUMNS)


# Letters of a method's name that are always shown.
LEAST_NAME = 16


def _width_of(columns):
    """Of columns with the space between them, also before the first."""
    return sum(max(map(len, column)) + 2 for column in columns)
