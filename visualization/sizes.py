"""The picture of an export: how accurate is a file of how many bytes."""

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .graph import legend_below, two_panels
from .palette import GREY, METHOD_COLORS

# Percentage points below the best that the right panel shows.
CLOSELY = 3
ROUNDED, TUNED = "o", "D"


def size_accuracy(record):
    """Test accuracy over the bytes of whole files: every candidate, the chosen one, the dense one.

    Args:
        record: of an export, as in `export.json`.
    """
    chosen, before = record["chosen"], record["before"]
    figure, panels = two_panels(f"Files of {record['source']}", _summary(chosen, before))
    candidates = record["candidates"]
    every = [*sorted({c["bits"] for c in candidates if c["bits"]}), None]
    for axes in panels:
        for bits in every:
            _plot(axes, [c for c in candidates if c["bits"] == bits], bits)
        axes.plot(
            chosen["bytes"],
            100 * chosen["test_accuracy"],
            marker="o",
            markersize=16,
            markerfacecolor="none",
            markeredgecolor="black",
            linestyle="none",
            label="chosen by validation accuracy",
        )
        axes.axhline(
            100 * before["test_accuracy"], color="black", linewidth=0.8, label="dense network"
        )
        axes.set_xscale("log")
        axes.set_xlabel("bytes of the whole file (logarithmic)")
        _set_ticks(axes, [c["bytes"] for c in candidates])
    left, right = panels
    left.set(ylabel="test accuracy (%)", title="All", ylim=(0, 102))
    best = 100 * max(c["test_accuracy"] for c in (*candidates, before))
    lowest = min(best - CLOSELY, 100 * chosen["test_accuracy"] - CLOSELY / 3)
    right.set(title="Near the best", ylim=(lowest, best + 0.1 * (best - lowest)))
    legend_below(figure, left)
    return figure


def _summary(chosen, before):
    ratio = before["raw_bytes"] / chosen["bytes"]
    return (
        f"dense: {before['raw_bytes']:,} bytes as float32, {100 * before['test_accuracy']:.2f} %;  "
        f"chosen: {chosen['bytes']:,} bytes ({ratio:,.0f}× smaller), "
        f"{100 * chosen['test_accuracy']:.2f} %"
    )


def _plot(axes, candidates, bits):
    color = GREY if bits is None else METHOD_COLORS[bits - 2]
    name = "not rounded" if bits is None else f"{bits} bits"
    for tuned, marker, face in ((False, ROUNDED, "none"), (True, TUNED, color)):
        points = [c for c in candidates if c["finetuned"] == tuned]
        if points:
            axes.plot(
                [c["bytes"] for c in points],
                [100 * c["test_accuracy"] for c in points],
                linestyle="none",
                marker=marker,
                markersize=7,
                color=color,
                markerfacecolor=face,
                label=f"{name}, trained on its levels" if tuned else name,
            )


def _set_ticks(axes, sizes):
    """At round numbers of bytes, dense where there are few decades."""
    decades = max(sizes) / min(sizes)
    axes.xaxis.set_major_locator(
        LogLocator(10, subs=(1, 2, 3, 5) if decades < 100 else (1, 3) if decades < 10_000 else (1,))
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_bytes))


def _bytes(size, _):
    """900, 20 k, 5 M."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if size >= unit:
            return f"{size / unit:g}{name}"
    return f"{size:g}"
