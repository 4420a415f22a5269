"""The figures of a sweep, drawn by matplotlib from finished numbers, as those of `graph`."""

import math
import textwrap

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation

from ..utils import middle_cut
from .figures import DOTS_PER_INCH, TITLE_ROW, set_in_lines
from .graph import METHOD_DASHES, METHOD_MARKERS
from .palette import BLUE, GREY, METHOD_COLORS
from .sparsity_axis import label_sparsities, most_below_one, sparsity_position

MOST_COLUMNS = 3
# Levels of a setting that get panels of their own.
MOST_PANELS = 4
# Levels that get colours of their own in a legend.
MOST_COLORS = 8
FINISHED = "finished"
# How much of the room between two values the dots of one take.
SPREAD = 0.6
TEXT_LETTERS = 24
# So many letters of ticks, or of a legend, have room below a panel.
TICK_LETTERS, LEGEND_LETTERS = 40, 44
# A setting has rows of its own only if no more of the panels' lines would be missing.
MOST_MISSING = 0.25


def settings_figure(trials, levels, explained, objective, title):
    """The objective of every trial over each setting, a panel each, with the means of its values.

    Dots are coloured by the most important other setting. Those of trials that have not finished
    are hollow, and no part of the means.

    Args:
        trials: a table with `objective` and `state`.
        levels: the `Levels` of every setting over the same trials, the most important first.
        explained: the share of the variance that each setting explains, NaN where nobody knows.
        objective: what it is called.
        title: of the figure.
    """
    columns = min(MOST_COLUMNS, len(levels))
    rows = math.ceil(len(levels) / columns)
    width = {1: 6.5, 2: 9.5}.get(columns, 12.5)
    figure = _figure(width, 3.9 * rows, title)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    values, label = _scaled(trials["objective"].to_numpy(float), objective)
    finished = (trials["state"] == FINISHED).to_numpy()
    for axes, name in zip(panels, levels, strict=False):
        others = [other for other in levels if other != name and len(levels[other]) > 1]
        color_by = others[0] if others else None
        colors = levels[color_by].at_most(MOST_COLORS) if others else None
        _settings_panel(axes, levels[name], colors, values, finished)
        share = explained[name]
        known = "" if math.isnan(share) else f", explains {_share(share)}"
        axes.set_title(_plain(f"{middle_cut(name, TEXT_LETTERS)}{known}"), fontsize=11)
        if colors is not None:
            names = [middle_cut(level, TEXT_LETTERS) for level in colors.names]
            _legend_of_panel(axes, middle_cut(color_by, TEXT_LETTERS), names)
    for axes in panels[::columns]:
        axes.set_ylabel(_plain(label))
    for axes in panels[len(levels) :]:
        axes.set_axis_off()
    if not finished.all():
        figure.text(
            0.005,
            0.005,
            "hollow: stopped early, with what they had reached then",
            fontsize=8,
            color="#555555",
        )
    return figure


def _settings_panel(axes, own, colors, values, finished):
    number = 1 if colors is None else len(colors)
    codes = np.zeros(len(values), int) if colors is None else colors.codes
    x = own.numbers if own.on_axis else own.codes + SPREAD * (codes - (number - 1) / 2) / number
    for code in range(number):
        style = {"color": METHOD_COLORS[code % len(METHOD_COLORS)], "s": 26, "alpha": 0.8}
        style["marker"] = METHOD_MARKERS[code % len(METHOD_MARKERS)]
        label = None if colors is None else _plain(middle_cut(colors.names[code], TEXT_LETTERS))
        chosen = codes == code
        axes.scatter(x[chosen & finished], values[chosen & finished], label=label, **style)
        style |= {"facecolors": "none", "edgecolors": style.pop("color")}
        axes.scatter(x[chosen & ~finished], values[chosen & ~finished], **style)
    counted = sorted(set(own.codes[finished].tolist()))
    of_code = {code: (own.codes == code) & finished for code in counted}
    middles = [np.median(own.numbers[of_code[c]]) if own.on_axis else c for c in counted]
    means = [values[of_code[code]].mean() for code in counted]
    axes.plot(middles, means, color="#444444", linewidth=1.4, zorder=1, marker="_", markersize=16)
    if own.on_axis:
        if own.log:
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        _name_ticks(axes, own.names)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def _name_ticks(axes, names):
    """The names of levels below an axis, in up to three short lines each, of many some only."""
    step = math.ceil(len(names) / 10)
    shown = range(0, len(names), step)
    room = max(5, TICK_LETTERS // len(shown))
    texts = [textwrap.wrap(middle_cut(names[number], 3 * room), room)[:3] for number in shown]
    axes.set_xticks(list(shown), [_plain("\n".join(lines)) for lines in texts])
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.xaxis.set_minor_locator(NullLocator())
    if max(map(len, texts)) > 1 or len(shown) > 6:
        axes.tick_params(axis="x", labelsize=8)


def _legend_of_panel(axes, title, names):
    """Below the ticks, in as many columns as there is room for."""
    longest = max(len(name) for name in names) + 5
    lines = 1 + max((text.get_text().count("\n") for text in axes.get_xticklabels()), default=0)
    # An inch measure, because panels differ in height.
    below = ScaledTranslation(0, -0.16 - 0.14 * lines, axes.figure.dpi_scale_trans)
    axes.legend(
        title=_plain(f"colour: {title}"),
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=axes.transAxes + below,
        ncols=max(1, min(len(names), 5, LEGEND_LETTERS // longest)),
        fontsize=8,
        title_fontsize=8,
        frameon=False,
        handletextpad=0.2,
        columnspacing=0.8,
    )


def curves_figure(rows, levels, title):
    """Test accuracy over the sparsity of one method: means over all trials that have the same of up
    to three settings, and how far the trials lie apart as a band.

    The last of these settings is the colour, the first makes columns, one in between rows: lines
    are compared more easily within a panel.

    Args:
        rows: a table with `k` and `test_accuracy`, and `sparsity` where it is not `k`, a row per
            network.
        levels: the `Levels` of the settings over the same rows, the most important first.
        title: of the figure.
    """
    names = _parting(levels, len(rows))
    *parted, colored = [levels[name].at_most(MOST_PANELS) for name in names] or [None]
    columns, lines = (*parted, None, None)[:2]
    shape = (len(lines) if lines else 1, len(columns) if columns else 1)
    width = {1: 7.5, 2: 9.5}.get(shape[1], 3.4 * shape[1])
    figure = _figure(width, {1: 5, 2: 7}.get(shape[0], 1.2 + 2.7 * shape[0]), title)
    panels = figure.subplots(*shape, squeeze=False, sharex=True, sharey=True)
    rows = rows.assign(sparsity=rows["sparsity"] if "sparsity" in rows else rows["k"])
    reached = rows["sparsity"].astype(float).tolist()
    most = most_below_one(reached)
    everything = np.ones(len(rows), bool)
    accuracy = 100 * rows["test_accuracy"].astype(float)
    limits = 10 * math.floor(max(0, accuracy.min() - 2) / 10), min(accuracy.max() + 2, 102)
    for (row, column), axes in np.ndenumerate(panels):
        chosen = everything.copy()
        told = []
        for own, code, name in ((columns, column, names[:1]), (lines, row, names[1:2])):
            if own is not None:
                chosen &= own.codes == code
                told.append(middle_cut(f"{name[0]}: {own.names[code]}", 36))
        _curves_panel(axes, rows, chosen, colored, most)
        axes.set_title(_plain("\n".join(told)), fontsize=9)
        axes.set_ylim(*limits)
        axes.grid(color="#DDDDDD", linewidth=0.6)
        label_sparsities(axes, reached)
        axes.tick_params(axis="x", labelsize=8, labelrotation=45 if shape[1] > 1 else 0)
        if not chosen.any():
            axes.text(0.5, 0.5, "no trial", ha="center", color=GREY, transform=axes.transAxes)
    for axes in panels[:, 0]:
        axes.set_ylabel("test accuracy (%)")
    for axes in panels[-1]:
        axes.set_xlabel("sparsity (logarithmic in what remains)", fontsize=9)
    if colored is not None:
        _legend_of_curves(figure, panels, names[-1], colored)
    return figure


def _parting(levels, number):
    """The names of the settings that part the trials: up to three, as long as few lines would be
    missing, as most are where settings were drawn."""
    chosen = []
    for name in list(levels)[:3]:
        every = [levels[other].at_most(MOST_PANELS) for other in (*chosen, name)]
        cells = len(set(zip(*(own.codes.tolist() for own in every), strict=True)))
        if chosen and cells < (1 - MOST_MISSING) * math.prod(map(len, every)):
            break
        chosen.append(name)
    return chosen if number else []


def _curves_panel(axes, rows, chosen, colored, most):
    for code in range(1 if colored is None else len(colored)):
        own = rows[chosen if colored is None else chosen & (colored.codes == code)]
        if own.empty:
            continue
        by_k = own.astype({"test_accuracy": float, "sparsity": float}).groupby("k")
        groups = 100 * by_k["test_accuracy"].agg(["mean", "min", "max"])
        # Trials that were asked for the same, at the sparsity that they reached on average.
        x = [sparsity_position(k, most) for k in by_k["sparsity"].mean()]
        color = _color(code, colored)
        axes.fill_between(x, groups["min"], groups["max"], color=color, alpha=0.15, linewidth=0)
        style = {"marker": METHOD_MARKERS[code], "linestyle": METHOD_DASHES[code], "markersize": 4}
        label = None if colored is None else colored.names[code]
        axes.plot(x, groups["mean"], color=color, label=label, **style)


def _color(code, colored):
    return BLUE if colored is None else METHOD_COLORS[code % len(METHOD_COLORS)]


def _legend_of_curves(figure, panels, name, colored):
    """One legend for all panels: a panel may lack a level."""
    handles = [
        Line2D(
            [],
            [],
            color=_color(code, colored),
            marker=METHOD_MARKERS[code],
            linestyle=METHOD_DASHES[code],
            markersize=4,
            label=_plain(f"{middle_cut(name, TEXT_LETTERS)}: {middle_cut(level, TEXT_LETTERS)}"),
        )
        for code, level in enumerate(colored.names)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(handles), 4 if panels.shape[1] > 1 else 2),
        frameon=False,
        fontsize=9,
        handlelength=4,
        title="mean of all trials; the band is from the least to the most of them",
        title_fontsize=8,
    )


def _figure(width, height, title):
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)  # which can measure text
    lines = set_in_lines(figure.suptitle("", fontsize=11), _plain(title))
    figure.set_figheight(height + TITLE_ROW * (lines - 1))
    return figure


def _scaled(values, objective):
    """Values as they are drawn, and what the axis is called."""
    if "accuracy" in objective or "sparsity" in objective:
        return 100 * values, f"{objective} (%)"
    return values, objective


def _share(share):
    return "less than 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _plain(text):
    """A text in which dollars are no formulas."""
    return str(text).replace("$", r"\$")
