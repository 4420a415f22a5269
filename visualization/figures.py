"""What all figures share: their size, titles and legends, and how they become PNG files."""

import io
import math
import textwrap
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from PIL import Image

from ..utils import write_bytes

if TYPE_CHECKING:
    from matplotlib.text import Text


matplotlib.rcParams.update(
    {
        "font.size": 10,
        # Fitting letters to pixels takes almost half of the time of drawing them.
        "text.hinting": "no_hinting",
        "axes.spines.top": False,
        "axes.spines.right": False,
        # With a place of their own, titles are not kept clear of the ticks: a sixth of a rerun.
        "axes.titley": 1.0,
    }
)

DOTS_PER_INCH = 100
LEGEND_ROW = 0.22  # inches
TITLE_ROW = 0.2  # inches


def save_png(picture: Any, path: str | PathLike) -> None:
    """Writes a figure or an image as PNG, whole or not at all."""
    write_bytes(path, png_of(picture))


def png_of(picture: Any) -> bytes:
    """A figure or an image as PNG."""
    image = picture if isinstance(picture, Image.Image) else _render(picture)
    content = io.BytesIO()
    # By a fifth larger than at the usual level, and twice as fast.
    image.save(content, format="PNG", compress_level=3)
    return content.getvalue()


def _render(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # Few colours: a third of the size, and no difference that can be seen.
    return image_of(canvas).quantize(256, Image.Quantize.FASTOCTREE)


def image_of(canvas: FigureCanvasAgg) -> Image.Image:
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def two_panels(title: str, settings: str = "") -> tuple[Figure, Any]:
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


def set_in_lines(text: "Text", content: str) -> int:
    """Sets a text of a figure, in lines that are no wider than the figure; returns their number."""
    columns, lines = len(content), [content]
    text.set_text(content)
    while text.get_window_extent().width > 0.98 * text.figure.bbox.width:
        columns = 9 * columns // 10
        lines = textwrap.wrap(content, columns)
        text.set_text("\n".join(lines))
    return len(lines)


def legend_below(
    figure: Figure, axes: Any, handles: Sequence[Any] | None = None, **options: Any
) -> None:
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
