"""Distributions that a search draws values from, as in loguniform(1e-4,1e-2)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..utils import UsageError

PATTERN = re.compile(r"(\w+)\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*\)")
DISTRIBUTIONS = {"uniform": float, "loguniform": float, "randint": int, "lograndint": int}
# Significant digits of a drawn number: names stay short, and state exactly what runs.
DIGITS = 4


@dataclass(frozen=True)
class Distribution:
    """A distribution of values from `low` to `high`, both included."""

    kind: str
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.kind}({self.low}, {self.high})"

    @property
    def is_log(self) -> bool:
        return self.kind.startswith("log")

    @property
    def is_whole(self) -> bool:
        return DISTRIBUTIONS[self.kind] is int

    def rounded(self, value: float) -> float:
        """A drawn value, rounded as an experiment uses it."""
        return int(value) if self.is_whole else float(f"{value:.{DIGITS}g}")


def ends(values: Distribution | Sequence[Any]) -> Sequence[Any]:
    """The first and the last of the values that a setting takes, or all of them."""
    return (values.low, values.high) if isinstance(values, Distribution) else values


def distribution(name: str, text: str, kind: Any = None) -> Distribution:
    """The `Distribution` of a text such as loguniform(1e-4,1e-2).

    Args:
        name: of the setting, for messages.
        text: what was typed.
        kind: the setting's type; None if it has been checked already.

    Raises:
        UsageError: if it is not a distribution that the setting can have.
    """
    matched = PATTERN.fullmatch(text)
    if matched is None or matched[1] not in DISTRIBUTIONS:
        raise UsageError(
            f"`{name}`: {text!r} is not a distribution; choose one of {', '.join(DISTRIBUTIONS)}, "
            "with two bounds, as in loguniform(1e-4,1e-2)."
        )
    number = DISTRIBUTIONS[matched[1]]
    if kind is not None:
        _check_kind(name, matched[1], getattr(kind, "__args__", (kind,)))
    try:
        low, high = number(matched[2]), number(matched[3])
    except ValueError:
        raise UsageError(
            f"`{name}`: the bounds of {text} are not both numbers of the right kind."
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"`{name}`: the first bound of {text} must be below the second.")
    if matched[1].startswith("log") and low <= 0:
        raise UsageError(f"`{name}`: the bounds of {text} must be above 0.")
    return Distribution(matched[1], low, high)


def _check_kind(name: str, drawn_from: str, kinds: tuple) -> None:
    possible = [d for d, number in DISTRIBUTIONS.items() if number in kinds and bool not in kinds]
    if drawn_from not in possible:
        hint = f"one of {', '.join(possible)}" if possible else "values separated by commas"
        raise UsageError(f"`{name}` is not drawn from {drawn_from}; take {hint}.")
