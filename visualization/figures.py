"""Shared by all figures: their size, titles and legends, and writing them as PNG files."""

import io
import math
import textwrap
from collections.abc import Sequence
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.transforms import ScaledTranslation
from PIL import Image, ImageDraw, ImageFont

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
# In inches, as all that does not grow with the figure.
LEGEND_ROW, TITLE_ROW = 0.22, 0.2
PANEL_TITLE, BELOW_PANEL = 0.26, 0.52
PAD, TICK, DIGIT = 0.05, 0.1, 0.09
LAST_DIGITS = 2 * DIGIT  # of a tick at the right end


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


def write_text_on(image: Image.Image, text: Any) -> None:
    """Puts a centred text of a figure on its image, in a tenth of matplotlib's time.

    Args:
        image: of the figure without this text.
        text: of matplotlib, whose position is at its top or at its baseline.
    """
    pixels = text.get_fontsize() * DOTS_PER_INCH / 72
    x, y = text.get_transform().transform(text.get_position())
    ImageDraw.Draw(image).multiline_text(
        (x, image.height - y),
        text.get_text(),
        fill=text.get_color(),
        font=_font(findfont(text.get_fontproperties()), pixels),
        anchor="ma" if text.get_verticalalignment() == "top" else "ms",
        align="center",
    )


_font = cache(ImageFont.truetype)


def two_panels(title: str, settings: str = "") -> tuple[Figure, Any]:
    """A figure with its title, settings in small print below, and two empty panels, which
    `legend_below` puts into their places."""
    figure = Figure(figsize=(11, 4.8), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)  # which can measure text
    small_print = textwrap.wrap(settings, 160)
    heading = figure.suptitle("", y=1, transform=_below_top(figure, PAD))
    more = TITLE_ROW * (set_in_lines(heading, title) - 1)
    figure.set_figheight(figure.get_figheight() + more)
    heading.set_text(heading.get_text() + "\n" * len(small_print))
    figure.text(
        0.5,
        1,
        "\n".join(small_print),
        transform=_below_top(figure, 0.28 + more),
        fontsize=8,
        color="#555555",
        ha="center",
        va="top",
    )
    panels = figure.subplots(1, 2)
    for axes in panels:
        axes.grid(color="#DDDDDD", linewidth=0.6)
    return figure, panels


def _below_top(figure, inches):
    """Places measured from the top in inches, because the figure may grow."""
    return figure.transFigure + ScaledTranslation(0, -inches, figure.dpi_scale_trans)


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
    shows what `axes` hold, or these handles. The panels, which must be complete, come between it
    and the title."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    labels = [handle.get_label() for handle in handles]
    for columns in range(min(len(labels), 4), 0, -1):
        legend = figure.legend(
            handles, labels, loc="lower center", ncols=columns, frameon=False, **options
        )
        if legend.get_window_extent().width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    rows = math.ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * (rows - 1))
    title_rows = figure.get_suptitle().count("\n") + 1
    _arrange(figure, PAD + TITLE_ROW * title_rows, PAD + LEGEND_ROW * rows)


def _arrange(figure, above, below):
    """Puts panels side by side, each with room for what is written at its left.

    matplotlib's layouts find the same by drawing everything twice more: a twentieth of a rerun.
    """
    width, height = figure.get_size_inches()
    bottom, top = (below + BELOW_PANEL) / height, 1 - (above + PANEL_TITLE) / height
    figure.subplots_adjust(bottom=bottom, top=top)  # how many ticks there are depends on it
    room = [PAD + _left_of(axes.yaxis) for axes in figure.axes]
    across = (width - sum(room) - LAST_DIGITS) / len(room) - PAD
    left = 0
    for axes, own in zip(figure.axes, room, strict=True):
        axes.set_position(((left + own) / width, bottom, across / width, top - bottom))
        left += own + across + PAD


def _left_of(axis):
    """How many inches the ticks of an axis, their labels and its own take."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
    letters = max(map(len, axis.get_major_formatter().format_ticks(ticks)), default=0)
    return TICK + DIGIT * letters + (TITLE_ROW if axis.get_label_text() else 0)
