"""The figures of an export: test accuracy over file size, and over latency."""

from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .figures import legend_below, two_panels
from .palette import GREY, METHOD_COLORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Percentage points below the best that are shown: in the right panel, and beside latency.
CLOSELY, WIDELY = 3, 20
COUNTED, ESTIMATED = "o", "^"
MARKER = {"linestyle": "none", "markersize": 7}
# Candidates are measured on LiteRT, or on compiled Keras where that cannot run them.
COLD = "latency for one example in ms, caches cold (log scale); circles: on LiteRT"
# Of the chosen network in other formats.
MARKERS = "sDvPX<>"
FILE: dict[str, Any] = {**MARKER, "color": "black", "markerfacecolor": "none"}


def size_accuracy(record: dict[str, Any]) -> "Figure":
    """Test accuracy over file size: every candidate, the chosen one, the dense network and, if it
    is another one, the control.

    Colours are bits per weight, markers distinguish counted from estimated sizes, and filled
    markers are of candidates with quantization-aware training.

    Args:
        record: of an export, as in `export.json`.
    """
    chosen, before = record["chosen"], record["before"]
    figure, panels = two_panels(f"Exported files of {record['source']}", _summary(chosen, before))
    candidates, lines = record["candidates"], _references(record)
    for axes in panels:
        for each in candidates:
            _plot(axes, each)
        axes.plot(chosen["bytes"], 100 * chosen["test_accuracy"], **CHOSEN)
        for accuracy, style in lines.values():
            axes.axhline(100 * accuracy, color="black", linewidth=0.8, linestyle=style)
        axes.set_xscale("log")
        axes.set_xlabel("file size in bytes (log scale)")
        _set_ticks(axes, [c["bytes"] for c in candidates])
    left, right = panels
    left.set(ylabel="test accuracy (%)", title="All", ylim=(0, 102))
    shown = [*(c["test_accuracy"] for c in candidates), *(a for a, _ in lines.values())]
    best = 100 * max(shown)
    lowest = min(best - CLOSELY, 100 * chosen["test_accuracy"] - CLOSELY / 3)
    right.set(title="Near the best", ylim=(lowest, best + 0.1 * (best - lowest)))
    legend_below(figure, left, handles=_legend(candidates, lines))
    return figure


def pareto(record: dict[str, Any]) -> "Figure":
    """Test accuracy over file size and over latency: every candidate as `.npk` file, the chosen one
    in all its formats, limits, and a line through those candidates than which none is both more
    accurate and smaller, or faster.

    Args:
        record: of an export, as in `export.json`; its candidates have a latency.
    """
    chosen, candidates = record["chosen"], record["candidates"]
    limits, files = record.get("limits") or {}, _files(record)
    figure, panels = two_panels(
        f"What {record['source']} could be exported as", _summary(chosen, record["before"])
    )
    fronts = {key: _front(candidates, key) for key in ("bytes", "latency_ms")}
    titles = "file size in bytes (log scale)", COLD
    for axes, key, label in zip(panels, fronts, titles, strict=True):
        for each in candidates:
            _plot(axes, each, key)
        front = fronts[key]
        places = [each[key] for each in front], [100 * each["test_accuracy"] for each in front]
        axes.step(*places, where="post", color="black", linewidth=0.8)
        axes.plot(chosen[key], 100 * chosen["test_accuracy"], **CHOSEN)
        for marker, file in files:
            axes.plot(file[key], 100 * file["test_accuracy"], marker=marker, **FILE)
        if key in limits:
            axes.axvline(limits[key], color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log")
        axes.set_xlabel(label)
        shown = [each[key] for each in (*candidates, *(file for _, file in files))]
        _set_ticks(axes, [*shown, *filter(None, [limits.get(key)])])
    accuracies = [100 * c["test_accuracy"] for c in (*candidates, *(file for _, file in files))]
    lowest, best = min(accuracies), max(accuracies)
    lowest = max(lowest, best - WIDELY, 0)
    for axes in panels:
        axes.set_ylim(lowest - 0.05 * (best - lowest) - 0.1, best + 0.05 * (best - lowest) + 0.1)
    panels[0].set_ylabel("test accuracy (%)")
    handles = _legend(candidates, {})
    if any(len(front) > 1 for front in fronts.values()):
        handles.append(
            Line2D([], [], color="black", linewidth=0.8, label="candidates that none beats in both")
        )
    handles += [
        Line2D([], [], marker=marker, label=f"as {file['name']}", **FILE) for marker, file in files
    ]
    if limits:
        handles.append(Line2D([], [], color="black", linewidth=0.8, linestyle=":", label="limit"))
    legend_below(figure, panels[0], handles=handles)
    return figure


def _files(record):
    """Pairs of a marker and a file of the chosen network in another format than `.npk`."""
    others = {name: each for name, each in record.get("formats", {}).items() if name != "npk"}
    pairs = zip(MARKERS, others.items(), strict=False)
    return [(marker, {**each, "name": name}) for marker, (name, each) in pairs]


def _front(candidates, key):
    """The candidates that no other one beats in accuracy and in a need, by that need."""
    found = []
    for each in sorted(candidates, key=lambda c: (c[key], -c["test_accuracy"])):
        if not found or each["test_accuracy"] > found[-1]["test_accuracy"]:
            found.append(each)
    return found


def _references(record):
    """Test accuracies and line styles of baseline and control, by label."""
    found = {"baseline: untouched dense network": (record["before"]["test_accuracy"], "-")}
    control = record.get("control")
    if control and control["name"] != record["baseline"]["name"]:
        name = "control: dense network, same further training"
        found[name] = (control["test_accuracy"], "--")
    return found


def _summary(chosen, before):
    ratio = before["raw_bytes"] / chosen["bytes"]
    return (
        f"dense: {before['raw_bytes']:,} bytes as float32, {100 * before['test_accuracy']:.2f} %;  "
        f"chosen: {chosen['bytes']:,} bytes ({ratio:,.0f}× smaller), "
        f"{100 * chosen['test_accuracy']:.2f} %"
    )


CHOSEN = {
    "marker": "o",
    "markersize": 16,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "linestyle": "none",
}


def _plot(axes, candidate, key="bytes"):
    color = _color(candidate["bits"])
    axes.plot(
        candidate[key],
        100 * candidate["test_accuracy"],
        marker=COUNTED if candidate["exact"] else ESTIMATED,
        color=color,
        markerfacecolor=color if candidate["finetuned"] else "none",
        **MARKER,
    )


def _color(bits):
    return GREY if bits is None else METHOD_COLORS[bits - 2]


def _legend(candidates, lines):
    """Legend entries for the colours, fillings, markers and lines in the figure."""
    bits = sorted({c["bits"] for c in candidates if c["bits"]})
    bits += [None] if any(c["bits"] is None for c in candidates) else []
    found = [
        Line2D([], [], marker="s", color=_color(each), label=_name(each), **MARKER) for each in bits
    ]
    black = {"color": "black", **MARKER}
    if any(c["finetuned"] for c in candidates):
        text = "filled: quantization-aware training"
        found.append(Line2D([], [], marker=COUNTED, label=text, **black))
    if not all(c["exact"] for c in candidates):
        for marker, text in ((COUNTED, "size counted"), (ESTIMATED, "size estimated (± 5 %)")):
            found.append(Line2D([], [], marker=marker, markerfacecolor="none", label=text, **black))
    found.append(Line2D([], [], label="chosen, by validation accuracy", **CHOSEN))
    for name, (_, style) in lines.items():
        found.append(Line2D([], [], color="black", linewidth=0.8, linestyle=style, label=name))
    return found


def _name(bits):
    return "not quantized" if bits is None else f"quantized to {bits} bits"


def _set_ticks(axes, sizes):
    """Ticks at round numbers, dense if there are few decades."""
    decades = max(sizes) / min(sizes)
    axes.xaxis.set_major_locator(
        LogLocator(10, subs=(1, 2, 3, 5) if decades < 100 else (1, 3) if decades < 10_000 else (1,))
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _short(size, _):
    """900, 20 k, 5 M."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if size >= unit:
            return f"{size / unit:g}{name}"
    return f"{size:g}"
