"""Histograms of all layers at each sparsity: the frames of the animations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import TICKLEFT
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ..utils import middle_cut, percent
from .figures import DOTS_PER_INCH, TITLE_ROW, image_of, set_in_lines, write_text_on
from .histograms import layer_histogram, spanning_edges, symmetric_edges
from .palette import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from PIL import Image

    from .histograms import LayerHistogram


# More layers than this are drawn small.
MANY_PANELS = 8
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def frames_of(
    granularity: str,
    values: Mapping[str, np.ndarray],
    rankings: Mapping[str, Any],
    k_vals: Sequence[float],
    title: str,
    labels: Mapping[str, str] | None = None,
) -> "HistogramFrames":
    """The `HistogramFrames` of one granularity.

    Args:
        granularity: `weight`, or `unit` for whole columns.
        values: the values by layer name: kernels, or the norms of their columns.
        rankings: by layer name, with `order` and `num_removed(k)`.
        k_vals: sparsities as fractions, ascending.
        title: name of the experiment.
        labels: of layers that are not called by their name.
    """
    style: Any = _HISTOGRAM_STYLES[granularity]
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
    """The layout of the panels of histograms, in inches, and their titles."""

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
    """The histograms of all layers at each sparsity, on one reused figure.

    Axes and scales are the same in all frames; the dense network is a grey outline.

    Args:
        histograms: one `LayerHistogram` for each layer.
        k_vals: their sparsities, as fractions.
        what: "weights" or "units".
        value: the label of the x-axis.
        color: of the bars.
        title: name of the experiment.
    """

    def __init__(
        self,
        histograms: "Sequence[LayerHistogram]",
        k_vals: Sequence[float],
        what: str,
        value: str,
        color: str,
        title: str,
    ) -> None:
        self.histograms, self.k_vals, self.what, self.title = histograms, k_vals, what, title
        self.color = color
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
            axes.set_ylim(0.8, 2 * max(1, dense.max()))
            _set_count_ticks(axes, with_marks=look.labelled)
            axes.xaxis.set_major_locator(MaxNLocator(look.ticks))
            if look.labelled:
                axes.set(xlabel=value, ylabel=f"{what} per bin")
            else:
                axes.tick_params(labelsize=look.tick_size)
        if not look.labelled:
            self.figure.supxlabel(value, y=0.1 / height, va="bottom", fontsize=10)
            self.figure.supylabel(f"{what} per bin", x=0.1 / look.width, fontsize=10)
        for axes in panels[len(histograms) :]:
            axes.set_axis_off()
        self.panels = panels
        self._show(0)
        # Axes, ticks and outlines are drawn once, in a tenth of the time; then only what changes.
        self.texts = [self.heading, *(axes.title for axes in panels)]
        for artist in (*self.bars, *self.texts):
            artist.set_animated(True)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(self.figure.bbox)

    def __len__(self) -> int:
        return len(self.k_vals)

    def draw(self, index: int) -> "Image.Image":
        """The image at the `index`-th sparsity."""
        self._show(index)
        self.canvas.restore_region(self.background)
        for bars in self.bars:
            self.figure.draw_artist(bars)
        image = image_of(self.canvas)
        for text in self.texts:
            write_text_on(image, text)
        return image

    def _set_heading(self, k):
        """Returns the number of its lines."""
        heading = f"{self.title}: {self.what} kept at {percent(k)} sparsity"
        return set_in_lines(self.heading, heading)

    def _show(self, index):
        self._set_heading(self.k_vals[index])
        for axes, bars, histogram in zip(self.panels, self.bars, self.histograms, strict=False):
            # Empty bins sit on the baseline, below what the axis shows.
            bars.set_data(values=np.maximum(histogram.counts[index], 0.5))
            title = self.look.title(histogram.layer, histogram.removed[index], histogram.size)
            axes.set_title(title, fontsize=self.look.title_size)


def _set_count_ticks(axes, with_marks):
    """Ticks of a logarithmic axis of counts: powers of ten, or a few numbers below ten.

    What matplotlib writes and marks between them takes a tenth of a rerun: every mark is five
    artists, and every label a formula that is parsed.
    """
    _, highest = axes.get_ylim()
    axes.yaxis.set_minor_locator(NullLocator())
    if highest < 10:
        axes.yaxis.set_major_locator(FixedLocator([n for n in (1, 2, 5) if n <= highest]))
        axes.yaxis.set_major_formatter("{x:g}")
        return
    axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: _power_of_ten(count)))
    if with_marks:
        decades = 10.0 ** np.arange(math.ceil(math.log10(highest)))
        counts = np.outer(decades, range(2, 10)).ravel()
        counts = counts[counts <= highest]
        marks = Line2D(
            np.zeros(len(counts)),
            counts,
            color="black",
            linestyle="",
            marker=TICKLEFT,
            markersize=matplotlib.rcParams["ytick.minor.size"],
            markeredgewidth=matplotlib.rcParams["ytick.minor.width"],
            transform=axes.get_yaxis_transform(),
            clip_on=False,
        )
        axes.add_artist(marks)


def _power_of_ten(count):
    return "10" + str(round(math.log10(count))).translate(SUPERSCRIPTS)
