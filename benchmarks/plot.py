"""The picture of the benchmark: every ratio beside its target."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

GREEN, VERMILION, GREY = "#009E73", "#D55E00", "#555555"


def save_plot(rows, path):
    """Draws rows with `what`, `against`, `ratio` and `target`, the first on top."""
    figure = Figure(figsize=(9, 0.8 + 0.36 * len(rows)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = range(len(rows), 0, -1)
    colors = [GREEN if row.ratio <= row.target else VERMILION for row in rows]
    axes.barh(places, [row.ratio for row in rows], color=colors, height=0.6)
    for place, row in zip(places, rows, strict=True):
        axes.plot([row.target] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
        axes.annotate(
            f"{row.ratio:.2f}" if row.ratio > 0.095 else f"{row.ratio:.1g}",
            (max(row.ratio, row.target), place),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    names = [f"{row.what.split(' (')[0]} / {row.against}".replace("`", "") for row in rows]
    axes.set_yticks(places, names)
    axes.set_xscale("log")
    ticks = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 4)
    axes.set_xlim(0.001, 8)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_title("ours / theirs, smaller is better; black: the target", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
