"""The axis of sparsities: a log scale of the remaining share, with a label at the last one."""

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..utils import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Sparsities at which an axis may have a label, if they are within the data.
SPARSITY_TICKS = (0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999)
# The share of an axis that the last label needs to itself.
TICK_ROOM = 0.1


def most_below_one(sparsities: Iterable[float]) -> float:
    """The largest sparsity at which something remains."""
    return max([k for k in sparsities if k < 1], default=0.5)


def sparsity_position(k: float, most: float) -> float:
    """-log10 of the remaining share; a sparsity of 1 is a little to the right of the last other."""
    return -math.log10(1 - k) if k < 1 else -math.log10(1 - most) + 0.3


def label_sparsities(axes: "Axes", sparsities: Collection[float]) -> None:
    """Labels of an axis of `sparsity_position`s: round sparsities, and always the last.

    Args:
        axes: of matplotlib.
        sparsities: all that are drawn.
    """
    most = most_below_one(sparsities)
    positions = {sparsity_position(k, most): percent(k) for k in sparsity_ticks(sparsities)}
    axes.xaxis.set_major_locator(FixedLocator(list(positions)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: positions.get(x, "")))


def sparsity_ticks(sparsities: Collection[float]) -> list[float]:
    """The sparsities with a label, ascending: round ones that are not too near the last one, and
    the last."""
    below = [k for k in sparsities if k < 1]
    every = [1.0] if len(below) < len(sparsities) else []
    if not below:
        return every
    first, last = (_rounded(k) for k in (min(below), max(below)))
    room = TICK_ROOM * (sparsity_position(last, last) - sparsity_position(first, last))
    ticks = [
        k
        for k in SPARSITY_TICKS
        if first <= k < last
        and sparsity_position(last, last) - sparsity_position(k, last) >= room - 1e-9
    ]
    if not ticks and first < last:
        ticks = [first]
    return [*ticks, last, *every]


def _rounded(k):
    """A sparsity to three digits of the remaining share: masks remove whole items."""
    return round(1 - float(f"{1 - k:.3g}"), 12)
