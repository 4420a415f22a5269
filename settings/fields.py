"""A setting as a field of a dataclass: its default, its help text and its bounds.

Messages and help texts name settings in backticks, as in `seed`; `cli` makes flags of them. Only
the standard library is imported in this room, so that help and bad flags are answered at once.
"""

import dataclasses
import math
import os
from collections.abc import Callable
from typing import Any

from ..utils import UsageError

# Both data sets have 60,000 training examples; at least one must remain to train on.
DEFAULT_NUM_VALID, MAX_NUM_VALID = 10_000, 59_999
MAX_SEED = 2**32 - 1
# Pixels by which augmentation may shift images, which are 28 pixels wide.
MAX_SHIFT = 27
# A function of a setting's name and value that raises a UsageError for a bad value.
Bounds = Callable[[str, Any], None]


def setting(
    default: Any,
    help_text: str,
    *,
    bounds: Bounds | None = None,
    trains: bool = False,
    retrains: bool = False,
) -> Any:
    """A field with a flag.

    Args:
        default: its value where none is given; None is within any bounds.
        help_text: what it means, in a sentence.
        bounds: a check of its value; None where every value is valid, or several settings decide.
        trains: whether it changes the dense weights.
        retrains: whether it affects training during and after pruning.
    """
    metadata = {"help": help_text, "bounds": bounds, "trains": trains, "retrains": retrains}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The base class of all groups of settings."""

    def __post_init__(self) -> None:
        """Checks every setting against its bounds.

        Raises:
            UsageError: if a value is out of bounds; the message names the setting.
        """
        for f in flagged(type(self)):
            value, check = getattr(self, f.name), f.metadata["bounds"]
            if check and value is not None:
                check(f.name, value)

    def _fill_in(self, name: str, value: Any) -> None:
        """Gives a setting its value when the settings are made; they are frozen afterwards."""
        object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """Every setting as JSON-ready values."""
        return dataclasses.asdict(self)


def flagged(kind: Any) -> list[dataclasses.Field]:
    """The fields that have a flag, of a class of settings or of one of its objects."""
    return [f for f in dataclasses.fields(kind) if f.metadata]


def marked(kind: Any, *marks: str) -> list[str]:
    """The names of the fields with one of these marks: trains, retrains."""
    return [f.name for f in flagged(kind) if any(f.metadata[mark] for mark in marks)]


def at_least(low: float) -> Bounds:
    """Bounds: finite numbers from `low` on."""
    return _numbers(f"be at least {low} and finite", lambda v: math.isfinite(v) and v >= low)


def above(low: float) -> Bounds:
    """Bounds: finite numbers that are greater than `low`."""
    return _numbers(f"be greater than {low} and finite", lambda v: math.isfinite(v) and v > low)


def whole_or_share(name: str, value: float) -> None:
    """Bounds: whole numbers, and shares up to 1."""
    if not (0 < value <= 1 or (value > 1 and float(value).is_integer())):
        raise UsageError(f"`{name}`: {value:g} is neither a whole number nor a share of at most 1.")


def between(low: float, high: float) -> Bounds:
    """Bounds: numbers from `low` to `high`."""
    return _numbers(f"lie between {low} and {high}", lambda v: low <= v <= high)


def from_to_below(low: float, high: float) -> Bounds:
    """Bounds: numbers from `low` on that are less than `high`."""
    return _numbers(f"be at least {low} and below {high}", lambda v: low <= v < high)


def _numbers(rule: str, allows: Callable[[float], bool]) -> Bounds:
    def check(name: str, value: float) -> None:
        if not allows(value):
            raise UsageError(f"`{name}` must {rule}, not {value}.")

    return check


def fraction(name: str, value: float) -> None:
    """Bounds: numbers from 0 to 1."""
    check_fraction(f"`{name}`", value)


def check_fraction(name: str, value: float) -> None:
    """Raises a UsageError unless a value is a fraction; `name` is what the message calls it."""
    if 0 <= value <= 1:
        return
    hint = f"; did you mean {value / 100:g}?" if 1 < value <= 100 else "."
    raise UsageError(f"{name}: {value:g} is not a fraction in [0, 1]{hint}")


def one_of(*values: str, rule: str | None = None) -> Bounds:
    """Bounds: one of a few texts."""
    rule = rule or f"choose one of {', '.join(values)}"

    def check(name: str, value: str) -> None:
        if value not in values:
            raise UsageError(f"`{name}`: {rule}, not {value!r}.")

    return check


def some_of(*choices: object, or_none: bool = False) -> Bounds:
    """Bounds: one or more of a few values; with `or_none` also none of them."""
    rule = f"choose from {', '.join(map(str, choices))}"

    def check(name: str, values: tuple) -> None:
        wrong = [value for value in values if value not in choices]
        if wrong or not (values or or_none):
            raise UsageError(f"`{name}`: {rule}, not {repr(wrong[0]) if wrong else 'nothing'}.")

    return check


def not_blank(advice: str) -> Bounds:
    """Bounds: texts with something in them; `advice` says what to give."""

    def check(name: str, value: str) -> None:
        if not value.strip():
            raise UsageError(f"`{name}` is empty; {advice}.")

    return check


def plain_name(name: str, value: str) -> None:
    """Bounds: texts that can name a folder, neither hidden nor outside of its parent."""
    is_plain = (
        value.strip()
        and value.isprintable()
        and not value.startswith((".", "-"))
        and not any(part in value for part in ("/", "\\", ".."))
        and len(os.fsencode(value)) <= 200
    )
    if not is_plain:
        raise UsageError(
            f"`{name}` {value!r} is not a plain folder name: use letters, digits and -_=.+ "
            "(no slash, no '..', no leading dot or dash, not empty, at most 200 bytes)."
        )
