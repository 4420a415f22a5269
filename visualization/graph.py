"""The figures, drawn by matplotlib from finished numbers.

Every function returns a figure; `figures.save_png` writes it. No function uses pyplot, so that
nothing is shared between figures.
"""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..utils import shortened
from .controls import controls_of, of_methods
from .figures import legend_below, two_panels
from .palette import BLUE, GREY, METHOD_COLORS, ORANGE, VERMILION
from .sparsity_axis import label_sparsities, most_below_one, sparsity_position
from .tables import baseline_of, pair_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


# Together with markers and dashes no two of the first ten lines of methods are alike in anything,
# nor any two of the first hundreds in all.
METHOD_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p", "h", "8")
METHOD_DASHES = (
    *("-", "--", (0, (8, 1, 1, 1)), (0, (4, 1)), (0, (10, 3)), "-."),
    *((0, (6, 1, 1, 1, 1, 1)), (0, (12, 2, 3, 2)), (0, (2, 1)), (0, (5, 3, 1, 3, 1, 3))),
)
# Of chance, the floor of each granularity: neighbours are far apart in tone.
FLOOR_COLORS = ("#777777", "#222222", "#BBBBBB", "#4D4D4D")
FLOOR_MARKERS = ("X", "d", "P", "H", "*")
FLOOR_DASHES = (":", (0, (1, 3)), (0, (1, 1)))
MARKER_SIZE, FLOOR_MARKER_SIZE = 5, 7
# So many of the widest letters fit in a row.
LEGEND_LETTERS = 70
# Compression ratios up to here have room for three labels in every decade.
MANY_DECADES = 300
# More points than this are a line, and a marker here and there.
MOST_MARKERS = 30


def loss_accuracy(history: "pd.DataFrame", kept_epoch: int, title: str | None) -> "Figure":
    """Loss and accuracy over the epochs, with the epoch whose checkpoint was kept.

    Args:
        history: a table as `csv.read_history` gives it.
        kept_epoch: number of that epoch, from 1.
        title: name of the experiment.
    """
    figure, (left, right) = two_panels(f"Training of {title}")
    for axes, column, label in ((left, "loss", "loss"), (right, "accuracy", "accuracy (%)")):
        scale = 100 if column == "accuracy" else 1
        for name, key, style in (
            ("training", column, {"color": BLUE, "marker": "o"}),
            ("validation", f"val_{column}", {"color": ORANGE, "marker": "s"}),
        ):
            if history[key].notna().any():
                values = scale * history[key]
                axes.plot(history["epoch"], values, label=name, markersize=4, **style)
        axes.axvline(
            kept_epoch, color=GREY, linestyle=":", label=f"kept weights: epoch {kept_epoch}"
        )
        axes.set(xlabel="epoch", ylabel=label, title=column.capitalize())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, left)
    return figure


def pruned_loss_accuracy(
    weight: "pd.DataFrame", unit: "pd.DataFrame", title: str | None
) -> "Figure":
    """Test accuracy and loss over the sparsity that was reached, for both granularities.

    The axis is logarithmic in what remains, because everything happens between 90 % and 99.9 %.

    Args:
        weight: the metrics of weight pruning, with `k`, ascending, `test_accuracy` and `test_loss`,
            and `sparsity` where it is not `k`.
        unit: those of unit pruning, at the same sparsities; empty if no unit can be removed.
        title: name of the experiment.
    """
    figure, (left, right) = two_panels(f"Pruning of {title}")
    reached = [*map(float, _reached(weight)), *map(float, _reached(unit))]
    most = most_below_one(reached)
    for name, rows, style in (
        ("weight pruning", weight, {"color": BLUE, "marker": "o"}),
        ("unit pruning", unit, {"color": VERMILION, "marker": "s", "linestyle": "--"}),
    ):
        if rows.empty:
            continue
        x = [sparsity_position(float(k), most) for k in _reached(rows)]
        options: Any = {**style, "markevery": _marked(len(rows)), "markersize": 5, "label": name}
        left.plot(x, 100 * rows["test_accuracy"], **options)
        right.plot(x, rows["test_loss"], **options)
    left.set(ylabel="test accuracy (%)", title="Accuracy", ylim=(0, 102))
    right.set(ylabel="test loss", title="Loss")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("sparsity of the hidden weights (log scale of the remaining share)")
        label_sparsities(axes, reached)
    legend_below(figure, left)
    return figure


def _reached(rows):
    """The sparsities that networks reached; if not known, those that were requested."""
    return rows["sparsity"] if "sparsity" in rows else rows["k"]


def method_comparison(metrics: "pd.DataFrame", title: str | None, settings: str = "") -> "Figure":
    """Test accuracy of every method over the compression ratio, in full and near the best.

    Every line begins at the reference of its networks, the rows at `k` = 0: the baseline, or the
    control of a method that retrains.

    Args:
        metrics: a `DataFrame` with `method`, `criterion`, `k`, `compression_ratio` and
            `test_accuracy`, a row at `k` = 0 among them; where there are several seeds also
            `test_accuracy_low` and `…_high`, which are drawn as a band, and of two seeds `seeds`
            and `test_accuracy_sd`, which are drawn as points.
        title: name of the experiment.
        settings: the settings of retraining, in small print.
    """
    figure, panels = two_panels(f"Pruning methods compared: {title}", settings)
    # A network without effective parameters has no ratio.
    metrics = metrics[np.isfinite(metrics["compression_ratio"])].reset_index(drop=True)
    for number, (method, style) in enumerate(_method_styles(metrics).items()):
        points = from_control(metrics, method)
        style["markevery"] = _marked(len(points), number)
        for axes in panels:
            _plot_method(axes, points, method, style)
    for axes in panels:
        _plot_unpruned(axes, metrics)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(_locator_of_ratios(metrics["compression_ratio"].max()))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("compression ratio (all / effective parameters)")
    left, right = panels
    left.set(ylabel="test accuracy (%)", title="All", ylim=(0, 102))
    best = 100 * metrics["test_accuracy"].max()
    right.set(title="Near the best", ylim=(best - 5, best + 0.5))
    legend_below(figure, left, handlelength=5)
    return figure


def _plot_unpruned(axes, metrics):
    """Lines at the accuracy of the baseline, and of the controls."""
    if (metrics["k"] == 0).any():
        accuracy = 100 * baseline_of(metrics)["test_accuracy"]
        axes.axhline(
            accuracy,
            color="black",
            linewidth=0.6,
            linestyle="--",
            label="baseline: untouched dense network",
        )
    for number, (_, row) in enumerate(controls_of(metrics).iterrows()):
        axes.axhline(
            100 * row["test_accuracy"],
            color="black",
            linewidth=0.9,
            linestyle=":",
            label="_" if number else "control: dense network, same further training",
        )


def _locator_of_ratios(largest):
    """The ticks of an axis of ratios from 1 on."""
    if largest <= 2:  # where a logarithmic axis has no ticks in between
        return MaxNLocator(6)
    return LogLocator(10, subs=(1, 2, 5) if largest < MANY_DECADES else (1,))


def _method_styles(metrics):
    """Colour, marker and dashes of every method's line, no two alike."""
    lines = METHOD_COLORS, METHOD_MARKERS, METHOD_DASHES, (MARKER_SIZE,)
    floors = FLOOR_COLORS, FLOOR_MARKERS, FLOOR_DASHES, (FLOOR_MARKER_SIZE,)
    lines, floors = (zip(*map(itertools.cycle, style), strict=False) for style in (lines, floors))
    names = ("color", "marker", "linestyle", "markersize")
    own = of_methods(metrics)  # the baseline is a line across all of the figure
    criteria = own.groupby("method", sort=False)["criterion"].first()
    return {
        method: dict(zip(names, next(floors if criterion == "random" else lines), strict=True))
        for method, criterion in criteria.items()
    }


def from_control(metrics: "pd.DataFrame", method: str) -> "pd.DataFrame":
    """The rows of a method by sparsity, beginning with its own unpruned one, such as the control of
    a method that retrains, or else with the baseline."""
    chosen, unpruned = metrics["method"] == method, metrics["k"] == 0
    if unpruned.any() and not (chosen & unpruned).any():
        chosen |= metrics.index == baseline_of(metrics).name
    return metrics[chosen].sort_values("k")


def _plot_method(axes, points, label, style):
    x = points["compression_ratio"]
    label = shortened(label, LEGEND_LETTERS)
    axes.plot(x, 100 * points["test_accuracy"], label=label, **style)
    if "test_accuracy_low" in points and points["test_accuracy_low"].notna().any():
        band = (100 * points[f"test_accuracy_{end}"].astype(float) for end in ("low", "high"))
        axes.fill_between(x, *band, color=style["color"], alpha=0.18, linewidth=0)
    if "seeds" in points and (points["seeds"] == 2).any():
        for seed in pair_of(points):  # which have no interval
            axes.plot(x, 100 * seed, color=style["color"], marker=".", markersize=3, linestyle="")


def _marked(num_points, number=0):
    """Which points of the `number`-th line have a marker: all, or a few at equal distances."""
    return (0.02 * (number % 5), 0.1) if num_points > MOST_MARKERS else None
