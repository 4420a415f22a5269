"""The figures of a sweep, drawn by matplotlib from finished numbers."""

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..utils import middle_cut
from .figures import DOTS_PER_INCH, TITLE_ROW, set_in_lines
from .graph import METHOD_DASHES, METHOD_MARKERS
from .palette import BLUE, METHOD_COLORS
from .sparsity_axis import label_sparsities, most_below_one, sparsity_position

if TYPE_CHECKING:
    import pandas as pd


MOST_COLUMNS = 3
# Levels that can be distinguished by their colours.
MOST_COLORS = 8
# The width of the dots of a level, as a share of the distance between two levels.
SPREAD = 0.5
TEXT_LETTERS = 24
# Letters of ticks that have room below a panel.
TICK_LETTERS = 40


def settings_figure(
    objectives: "pd.Series",
    levels: "pd.DataFrame",
    explained: Mapping[str, float],
    objective: str,
    title: str,
) -> Figure:
    """The objective of every trial over each setting, a panel each, with the mean of each level.

    Args:
        objectives: of the trials, by the names of their experiments.
        levels: a table with a row for each of them and a categorical column for each setting.
        explained: the importance of each setting, NaN where it is not known.
        objective: its name.
        title: of the figure.
    """
    columns = min(MOST_COLUMNS, levels.shape[1])
    rows = math.ceil(levels.shape[1] / columns)
    figure = _figure({1: 6.5, 2: 9.5}.get(columns, 12.5), 3.6 * rows, title)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    in_percent = "accuracy" in objective or "sparsity" in objective
    values = objectives * (100 if in_percent else 1)
    for axes, (name, own) in zip(panels, levels.items(), strict=False):
        # In their order: later trials are to the right of earlier ones.
        places = own.cat.codes + SPREAD * (np.arange(len(own)) / max(1, len(own) - 1) - 0.5)
        axes.scatter(places, values, color=BLUE, s=26, alpha=0.6)
        means = values.groupby(own, observed=False).mean()
        axes.plot(range(len(means)), means, color="#444444", marker="_", markersize=16, zorder=1)
        share = explained[name]
        known = "" if math.isnan(share) else f", importance {100 * share:.0f} %"
        axes.set_title(_plain(f"{middle_cut(name, TEXT_LETTERS)}{known}"), fontsize=11)
        _name_ticks(axes, list(own.cat.categories))
        axes.grid(color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)
    for axes in panels[::columns]:
        axes.set_ylabel(_plain(f"{objective} (%)" if in_percent else objective))
    for axes in panels[levels.shape[1] :]:
        axes.set_axis_off()
    return figure


def _name_ticks(axes, names):
    """Names levels below an axis, in up to three short lines each; of many levels only some."""
    shown = range(0, len(names), math.ceil(len(names) / 10))
    room = max(5, TICK_LETTERS // len(shown))
    texts = [textwrap.wrap(middle_cut(names[number], 3 * room), room)[:3] for number in shown]
    axes.set_xticks(list(shown), [_plain("\n".join(lines)) for lines in texts], fontsize=8)
    axes.set_xlim(-0.6, len(names) - 0.4)


def curves_figure(rows: "pd.DataFrame", own: "pd.Series | None", title: str) -> Figure:
    """Test accuracy of one method over the sparsity: the mean over the trials of each level of a
    setting, and a band from their minimum to their maximum.

    Args:
        rows: a table with `k` and `test_accuracy`, and `sparsity` where it is not `k`, a row for
            each network.
        own: the level of the setting in every row, as a categorical series with its name; None for
            the mean over all trials.
        title: of the figure.
    """
    figure = _figure(7.5, 5, title)
    axes = figure.subplots()
    rows = rows.assign(sparsity=rows["sparsity"] if "sparsity" in rows else rows["k"])
    rows = rows.astype({"test_accuracy": float, "sparsity": float})
    most = most_below_one(rows["sparsity"].tolist())
    groups = [("all trials", rows)] if own is None else rows.groupby(own, observed=True)
    for number, (level, group) in enumerate(groups):
        by_k = group.groupby("k")
        accuracy = 100 * by_k["test_accuracy"].agg(["mean", "min", "max"])
        # Trials of the same target sparsity, at the sparsity that they reached on average.
        x = [sparsity_position(k, most) for k in by_k["sparsity"].mean()]
        color = METHOD_COLORS[number % len(METHOD_COLORS)]
        axes.fill_between(x, accuracy["min"], accuracy["max"], color=color, alpha=0.15, linewidth=0)
        style = {"marker": METHOD_MARKERS[number], "linestyle": METHOD_DASHES[number]}
        label = _plain(middle_cut(level, TEXT_LETTERS))
        axes.plot(x, accuracy["mean"], color=color, label=label, markersize=4, **style)
    axes.set_xlabel("sparsity of the hidden weights (log scale of the remaining share)")
    axes.set_ylabel("test accuracy (%)")
    axes.grid(color="#DDDDDD", linewidth=0.6)
    label_sparsities(axes, rows["sparsity"].tolist())
    figure.legend(
        title=f"{'' if own is None else _plain(middle_cut(own.name, TEXT_LETTERS)) + ': '}mean of "
        "the trials; bands from their minimum to their maximum",
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
        title_fontsize=8,
        handlelength=4,
    )
    return figure


def _figure(width, height, title):
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)  # which can measure text
    lines = set_in_lines(figure.suptitle("", fontsize=11), _plain(title))
    figure.set_figheight(height + TITLE_ROW * (lines - 1))
    return figure


def _plain(text):
    """A text in which dollars are no formulas."""
    return str(text).replace("$", r"\$")
