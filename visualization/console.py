"""The tables on the screen at the end: plain text of 80 columns, the same on every terminal."""

import io
import math

from ..utils import COLUMNS, percent

# A sparsity this much below the one asked for is no rounding to whole items.
CLEARLY_LESS = 0.005
BEST, LESS = "*", "<"


def results_table(metrics, settings=""):
    """Test accuracy and compression ratio of every method at every sparsity.

    The best of each sparsity is marked, of the networks that lost as much as asked. Where there
    are no more than two methods, their test loss is shown too.

    Args:
        metrics: a `DataFrame` with `method`, `granularity`, `k`, `sparsity`, `compression_ratio`,
            `test_accuracy` and `test_loss`.
        settings: what the networks were made with.
    """
    metrics = metrics.assign(less=metrics["sparsity"] < metrics["k"] - CLEARLY_LESS)
    metrics["best"] = _is_best(metrics)
    with_loss = metrics["method"].nunique() <= 2
    cells = {
        (row.method, row.k): _accuracy(row) + (f"{row.test_loss:9.4f}" if with_loss else "")
        for row in metrics.itertuples()
    }
    heading = "Test accuracy (%), compression ratio" + (", test loss" if with_loss else "")
    return _text(f"{heading}:", *_made_with(settings), *_tables(cells), *_footnotes(metrics))


def summary_table(summary, settings=""):
    """Mean test accuracy of every method at every sparsity, with its 95 % interval.

    Args:
        summary: a `DataFrame` with `method`, `granularity`, `k`, `seeds`, `sparsity_mean`,
            `test_accuracy_mean`, `test_accuracy_low` and `test_accuracy_high`; the last two are
            NaN for a single seed.
        settings: what the networks were made with.
    """
    summary = summary.assign(
        less=summary["sparsity_mean"] < summary["k"] - CLEARLY_LESS, best=False
    )
    cells = {(row.method, row.k): _mean_and_interval(row) for row in summary.itertuples()}
    heading = f"Test accuracy (%), mean of {summary['seeds'].max()} seeds (95 % interval):"
    return _text(heading, *_made_with(settings), *_tables(cells), *_footnotes(summary))


def _is_best(metrics):
    """Whether a network is the best at its sparsity; none is where all are equal."""
    accuracy = metrics["test_accuracy"].where(~metrics["less"])
    by_k = accuracy.groupby(metrics["k"])
    highest = by_k.transform("max")
    return (accuracy == highest) & (by_k.transform("min") < highest)


def _accuracy(row):
    mark = LESS if row.less else BEST if row.best else " "
    return f"{100 * row.test_accuracy:6.2f}{mark} {_ratio(row.compression_ratio):>6}"


def _ratio(ratio):
    """1.5×, 20×, 2386×; a dash where nothing is left."""
    return "—" if math.isinf(ratio) else f"{ratio:.{int(ratio < 9.95)}f}×"


def _mean_and_interval(row):
    mean, low, high = (
        100 * value
        for value in (row.test_accuracy_mean, row.test_accuracy_low, row.test_accuracy_high)
    )
    interval = "" if math.isnan(low) else f"({low:.2f}–{high:.2f})"
    return f"{mean:6.2f}{LESS if row.less else ' '}{interval:13}"


def _footnotes(metrics):
    notes = [f"{BEST} best of its row"] if metrics["best"].any() else []
    if metrics["less"].any():
        is_pattern = metrics[metrics["less"]]["granularity"].str.contains(":")
        reasons = ["the pattern allows no more"] if is_pattern.any() else []
        reasons += [] if is_pattern.all() else ["units and blocks go whole"]
        notes.append(f"{LESS} fewer weights removed than asked: {', or '.join(reasons)}")
    return notes


def _tables(cells):
    """Tables with a column for each method and a row for each sparsity, and a legend if need be.

    Args:
        cells: texts by method and sparsity.
    """
    methods = list(dict.fromkeys(method for method, _ in cells))
    k_vals = sorted({k for _, k in cells})
    first = ["sparsity", *map(percent, k_vals)]
    width = max(map(len, cells.values()))
    labels, legend = _labels(methods, width)
    num_shown = (COLUMNS - max(map(len, first))) // (width + 2)
    for begin in range(0, len(methods), num_shown):
        columns = [
            [labels[method].center(width), *(cells.get((method, k), "") for k in k_vals)]
            for method in methods[begin : begin + num_shown]
        ]
        legend += ["", _aligned([first, *columns])]
    return legend


def _labels(methods, width):
    """What stands above each column: the names where they fit, else numbers and their legend."""
    if all(len(method) <= width for method in methods):
        return {method: method for method in methods}, []
    numbers = {method: f"[{number}]" for number, method in enumerate(methods, start=1)}
    return numbers, ["", *(f"{number:>4} {method}" for method, number in numbers.items())]


def _aligned(columns):
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    for row in zip(*columns, strict=True):
        table.add_row(*row)
    text = io.StringIO()
    # No colours, whatever the terminal: it may be a file.
    Console(file=text, width=COLUMNS, color_system=None, markup=False, emoji=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _made_with(settings):
    return [settings] if settings else []


def _text(*lines):
    """Lines under each other, between empty ones."""
    return "\n".join(["", *lines, ""])
