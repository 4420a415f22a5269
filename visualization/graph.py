"""The figures, drawn by matplotlib from finished numbers.

Every function returns a figure or an image; `save_png` writes it. No function uses pyplot, so that
nothing is shared between figures.
"""

import itertools
import math
import textwrap
from dataclasses import dataclass
from functools import partial

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation
from PIL import Image

from ..utils import atomic_path, middle_cut, percent, shortened
from .controls import controls_of, of_methods
from .histograms import layer_histogram, spanning_edges, symmetric_edges
from .palette import BLUE, GREY, METHOD_COLORS, ORANGE, VERMILION
from .sparsity_axis import label_sparsities, most_below_one, sparsity_position
from .tables import baseline_of, pair_of

# With a place of their own, titles are not kept clear of the ticks: a sixth of a rerun's time.
matplotlib.rcParams.update(
    {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titley": 1.0}
)

DOTS_PER_INCH = 100
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
LEGEND_ROW = 0.22  # inches
# So many of the widest letters fit in a row.
LEGEND_LETTERS = 70
TITLE_ROW = 0.2  # inches
# Compression ratios up to here have room for three labels in every decade.
MANY_DECADES = 300
# More layers than this are shown in small.
MANY_PANELS = 8
# More points than this are a line, and a marker here and there.
MOST_MARKERS = 30


def loss_accuracy(history, kept_epoch, title):
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
        axes.axvline(kept_epoch, color=GREY, linestyle=":", label=f"kept: epoch {kept_epoch}")
        axes.set(xlabel="epoch", ylabel=label, title=column.capitalize())
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, left)
    return figure


def pruned_loss_accuracy(weight, unit, title):
    """Test accuracy and loss over the sparsity that was reached, for both granularities.

    The axis is logarithmic in what remains, because everything happens between 90 % and 99.9 %.

    Args:
        weight: the metrics of weight pruning, with `k`, ascending, `test_accuracy` and `test_loss`,
            and `sparsity` where it is not `k`.
        unit: those of unit pruning, at the same sparsities; none where no unit can be removed.
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
        style |= {"markevery": _marked(len(rows)), "markersize": 5, "label": name}
        left.plot(x, 100 * rows["test_accuracy"], **style)
        right.plot(x, rows["test_loss"], **style)
    left.set(ylabel="test accuracy (%)", title="Accuracy", ylim=(0, 102))
    right.set(ylabel="test loss", title="Loss")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("sparsity of the hidden weights (logarithmic in what remains)")
        label_sparsities(axes, reached)
    legend_below(figure, left)
    return figure


def _reached(rows):
    """The sparsities of networks: those reached where they are known, else those asked for."""
    return rows["sparsity"] if "sparsity" in rows else rows["k"]


def method_comparison(metrics, title, settings=""):
    """Test accuracy of every method over the compression ratio, whole and near the best.

    Every line begins at what its networks are compared with, the rows at `k` = 0: the baseline, or
    the control of a method that trains.

    Args:
        metrics: a `DataFrame` with `method`, `criterion`, `k`, `compression_ratio` and
            `test_accuracy`, a row at `k` = 0 among them; where there are several seeds also
            `test_accuracy_low` and `…_high`, which are drawn as a band, and of two seeds `seeds`
            and `test_accuracy_sd`, which are drawn as points.
        title: name of the experiment.
        settings: what the networks were made with, in small print.
    """
    figure, panels = two_panels(f"Methods compared on {title}", settings)
    # A network of which nothing lives has no ratio.
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
        axes.set_xlabel("compression ratio (all weights / weights that live)")
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
            label="baseline: dense, as it is",
        )
    for number, (_, row) in enumerate(controls_of(metrics).iterrows()):
        axes.axhline(
            100 * row["test_accuracy"],
            color="black",
            linewidth=0.9,
            linestyle=":",
            label="_" if number else "control: dense, with the same further training",
        )


def _locator_of_ratios(largest):
    """Where an axis of ratios from 1 on has ticks."""
    if largest <= 2:  # of which a logarithmic axis has none in between
        return MaxNLocator(6)
    return LogLocator(10, subs=(1, 2, 5) if largest < MANY_DECADES else (1,))


def _method_styles(metrics):
    """Colour, marker and dashes of every method's line, no two alike."""
    lines = METHOD_COLORS, METHOD_MARKERS, METHOD_DASHES, (MARKER_SIZE,)
    floors = FLOOR_COLORS, FLOOR_MARKERS, FLOOR_DASHES, (FLOOR_MARKER_SIZE,)
    lines, floors = (zip(*map(itertools.cycle, looks), strict=False) for looks in (lines, floors))
    names = ("color", "marker", "linestyle", "markersize")
    own = of_methods(metrics)  # the baseline is a line across all of the figure
    criteria = own.groupby("method", sort=False)["criterion"].first()
    return {
        method: dict(zip(names, next(floors if criterion == "random" else lines), strict=True))
        for method, criterion in criteria.items()
    }


def from_control(metrics, method):
    """The rows of a method by sparsity, the baseline first where it has no unpruned one of its own:
    methods that train begin at their control, the dense network with the same training."""
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


def histogram_frames(granularity, values, rankings, k_vals, title, labels=None):
    """The `HistogramFrames` of one granularity.

    Args:
        granularity: `weight`, or `unit` for whole columns.
        values: what is distributed, by layer name: the kernels, or the norms of their columns.
        rankings: by layer name, with `order` and `num_removed(k)`.
        k_vals: sparsities as fractions, ascending.
        title: name of the experiment.
        labels: what layers are called where that is not their name.
    """
    style = _HISTOGRAM_STYLES[granularity]
    histograms = [
        layer_histogram(
            (labels or {}).get(layer, layer),
            values[layer],
            ranking.order,
            [ranking.num_removed(k) for k in k_vals],
            style["edges"](values[layer]),
        )
        for layer, ranking in rankings.items()
    ]
    return HistogramFrames(histograms, k_vals, style["what"], style["axis"], style["color"], title)


_HISTOGRAM_STYLES = {
    "weight": {
        "what": "weights",
        "axis": "weight",
        "color": BLUE,
        "edges": partial(symmetric_edges, bins=200),
    },
    "unit": {
        "what": "units",
        "axis": "L2 norm of incoming weights",
        "color": VERMILION,
        "edges": partial(spanning_edges, bins=60),
    },
}


@dataclass(frozen=True)
class _Panels:
    """How the panels of histograms are laid out, in inches, and what is written on each."""

    columns: int
    width: float
    height: float  # of a row
    left: float
    right: float
    bottom: float
    top: float  # of one line of title
    between: tuple[float, float]  # as shares of a panel
    title_size: int
    tick_size: int
    ticks: int
    labelled: bool  # whether every panel names its axes; else the figure does, once

    @classmethod
    def of(cls, number):
        """Large for as many as fit on a screen, small for all others."""
        if number <= MANY_PANELS:
            return cls(
                *(min(2, number), 9, 2.9, 0.75, 0.2, 0.55, 0.8, (0.25, 0.42)), 10, 10, 6, True
            )
        return cls(6, 15, 1.5, 0.7, 0.15, 0.6, 0.75, (0.22, 0.62), 8, 7, 3, False)

    def title(self, layer, removed, size):
        """Of a panel."""
        if self.labelled:
            return f"{layer}: {removed:,} of {size:,} removed"
        return f"{middle_cut(layer, 24)}: −{percent(round(removed / size, 4))}"


class HistogramFrames:
    """The histograms of all layers at one sparsity after the other, on one reused figure.

    Axes and scales stay as they are from frame to frame; what is gone stays as a grey outline.

    Args:
        histograms: one `LayerHistogram` for each layer.
        k_vals: their sparsities, as fractions.
        what: what is counted, in the plural: "weights" or "units".
        value: what the x-axis shows.
        color: of the bars.
        title: name of the experiment.
    """

    def __init__(self, histograms, k_vals, what, value, color, title):
        self.histograms, self.k_vals, self.what, self.title = histograms, k_vals, what, title
        self.look = look = _Panels.of(len(histograms))
        rows = math.ceil(len(histograms) / look.columns)
        figure_size = look.width, 0.6 + look.height * rows
        self.figure = Figure(figsize=figure_size, dpi=DOTS_PER_INCH)
        self.canvas = FigureCanvasAgg(self.figure)
        self.heading = self.figure.suptitle("")
        title_rows = max(self._set_heading(k) for k in k_vals)
        height = self.figure.get_figheight() + TITLE_ROW * (title_rows - 1)
        self.figure.set_figheight(height)
        # Fixed margins, in inches: frames must not move, and fitting them takes most of the time.
        self.figure.subplots_adjust(
            left=look.left / look.width,
            right=1 - look.right / look.width,
            bottom=look.bottom / height,
            top=1 - (look.top + TITLE_ROW * (title_rows - 1)) / height,
            wspace=look.between[0],
            hspace=look.between[1],
        )
        panels = self.figure.subplots(rows, look.columns, squeeze=False).ravel()
        self.bars = []
        for axes, histogram in zip(panels, histograms, strict=False):
            dense = np.maximum(histogram.dense, 0.5)
            axes.stairs(dense, histogram.edges, baseline=0.5, color=GREY, linewidth=0.8)
            self.bars.append(
                axes.stairs(dense, histogram.edges, baseline=0.5, color=color, fill=True)
            )
            axes.set_yscale("log")
            axes.set_xlim(histogram.edges[0], histogram.edges[-1])
            lowest, highest = axes.set_ylim(0.8, 2 * max(1, dense.max()))
            if highest <= 10 * lowest:
                # Below a decade matplotlib's ticks would read 2×10⁰, wider than the margin.
                ticks = [number for number in (1, 2, 5) if number <= highest]
                axes.set_yticks(ticks, labels=map(str, ticks))
                axes.yaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_major_locator(MaxNLocator(look.ticks))
            if look.labelled:
                axes.set(xlabel=value, ylabel=f"{what} per bin")
            else:
                axes.tick_params(labelsize=look.tick_size)
                axes.yaxis.set_minor_locator(NullLocator())
        if not look.labelled:
            self.figure.supxlabel(value, y=0.1 / height, va="bottom", fontsize=10)
            self.figure.supylabel(f"{what} per bin", x=0.1 / look.width, fontsize=10)
        for axes in panels[len(histograms) :]:
            axes.set_axis_off()
        self.panels = panels
        self._show(0)
        # Axes, ticks and outlines are drawn once, for a tenth of the time; then only what moves.
        self.moving = [self.heading, *self.bars, *(axes.title for axes in panels)]
        for artist in self.moving:
            artist.set_animated(True)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(self.figure.bbox)

    def __len__(self):
        return len(self.k_vals)

    def draw(self, index):
        """The image at the `index`-th sparsity."""
        self._show(index)
        self.canvas.restore_region(self.background)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        return _image(self.canvas)

    def _set_heading(self, k):
        """Returns the number of its lines."""
        heading = f"{self.title}: {self.what} left at {percent(k)} sparsity"
        return set_in_lines(self.heading, heading)

    def _show(self, index):
        self._set_heading(self.k_vals[index])
        for axes, bars, histogram in zip(self.panels, self.bars, self.histograms, strict=False):
            # Empty bins sit on the baseline, below what the axis shows.
            bars.set_data(values=np.maximum(histogram.counts[index], 0.5))
            title = self.look.title(histogram.layer, histogram.removed[index], histogram.size)
            axes.set_title(title, fontsize=self.look.title_size)


def save_png(picture, path):
    """Writes a figure or an image as PNG, whole or not at all."""
    image = picture if isinstance(picture, Image.Image) else _render(picture)
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def _render(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # Few colours: a quarter of the size, and no difference that can be seen.
    return _image(canvas).quantize(256)


def _image(canvas):
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def two_panels(title, settings=""):
    figure = Figure(figsize=(11, 4.8), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)  # which can measure text
    small_print = textwrap.wrap(settings, 160)
    heading = figure.suptitle("")
    more = TITLE_ROW * (set_in_lines(heading, title) - 1)
    figure.set_figheight(figure.get_figheight() + more)
    heading.set_text(heading.get_text() + "\n" * len(small_print))
    # An inch measure, because the figure may grow.
    below_title = ScaledTranslation(0, -0.28 - more, figure.dpi_scale_trans)
    figure.text(
        0.5,
        1,
        "\n".join(small_print),
        transform=figure.transFigure + below_title,
        fontsize=8,
        color="#555555",
        ha="center",
        va="top",
    )
    panels = figure.subplots(1, 2)
    for axes in panels:
        axes.grid(color="#DDDDDD", linewidth=0.6)
    return figure, panels


def set_in_lines(text, content):
    """Sets a text of a figure, in lines that are no wider than the figure; returns their number."""
    columns, lines = len(content), [content]
    text.set_text(content)
    while text.get_window_extent().width > 0.98 * text.figure.bbox.width:
        columns = 9 * columns // 10
        lines = textwrap.wrap(content, columns)
        text.set_text("\n".join(lines))
    return len(lines)


def legend_below(figure, axes, handles=None, **options):
    """A legend in as many columns as the figure is wide for; the figure grows with its rows. It
    shows what `axes` hold, or these handles."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    labels = [handle.get_label() for handle in handles]
    for columns in range(min(len(labels), 4), 0, -1):
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, frameon=False, **options
        )
        if legend.get_window_extent().width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * (rows - 1))
