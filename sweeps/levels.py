"""What a setting was in every trial of a sweep, as few levels: its values, or bins of numbers."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..settings.files import short_name
from ..utils import one_line

# Distribution numbers of which there are more go into bins.
MOST_VALUES = 5
BINS = 4
NONE = "none"


@dataclass(frozen=True)
class Levels:
    """The levels of one setting, in order.

    Attributes:
        names: of the levels.
        codes: which of them each trial has, from 0.
        numbers: what the setting was in each trial, where all are numbers; else None.
        binned: whether levels are bins.
        log: whether the numbers are spread over decades.
        drawn: whether the numbers were drawn from a distribution.
    """

    names: list
    codes: np.ndarray
    numbers: np.ndarray | None
    binned: bool = False
    log: bool = False
    drawn: bool = False

    def __len__(self):
        return len(self.names)

    @property
    def on_axis(self):
        """Whether the numbers lie anywhere on an axis, rather than be a few that were chosen."""
        return (self.binned or self.drawn) and self.numbers is not None

    def of(self, chosen):
        """The same of some trials, with those levels only that they have.

        Args:
            chosen: an index of NumPy.
        """
        codes = self.codes[chosen]
        left = sorted(set(codes.tolist()))
        return dataclasses.replace(
            self,
            names=[self.names[code] for code in left],
            codes=np.array([left.index(code) for code in codes], int),
            numbers=None if self.numbers is None else self.numbers[chosen],
        )

    def at_most(self, most):
        """The same in so many levels: bins of numbers, or the first ones and all others."""
        if len(self) <= most:
            return self
        if self.numbers is not None:
            names, codes = _binned(self.numbers, np.ones(len(self.numbers), bool), most)
            return dataclasses.replace(self, names=names, codes=codes, binned=True)
        names = [*self.names[: most - 1], f"{len(self) - most + 1} others"]
        return dataclasses.replace(self, names=names, codes=np.minimum(self.codes, most - 1))


def levels_of(values, among, counted=None):
    """The `Levels` of a setting.

    Args:
        values: what it was in each trial.
        among: the values that it was chosen from, as a list; or the text of a distribution, whose
            numbers, where they are more than `MOST_VALUES`, go into bins of equal counts.
        counted: a mask of the trials that bins are made of; all unless given.
    """
    values = list(values)
    counted = np.ones(len(values), bool) if counted is None else np.asarray(counted, bool)
    are_numbers = bool(values) and all(map(_is_number, values))
    numbers = np.array(values, float) if are_numbers else None
    drawn = not isinstance(among, list)
    log = drawn and are_numbers and "log" in str(among) and min(values) > 0
    if drawn and are_numbers and len(set(values)) > MOST_VALUES:
        names, codes = _binned(numbers, counted, BINS)
        return Levels(names, codes, numbers, True, log, drawn)
    texts = [value_text(value) for value in values]
    asked = [] if drawn else [value_text(value) for value in among]
    order = [text for text in dict.fromkeys((*asked, *texts)) if text in set(texts)]
    if are_numbers:
        order.sort(key=lambda text: values[texts.index(text)])
    codes = np.array([order.index(text) for text in texts], int)
    return Levels(_short(order, numbers, drawn), codes, numbers, False, log, drawn)


def value_text(value):
    """A value of a setting as its flag takes it."""
    if value is None:
        return NONE
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value)


def _short(texts, numbers, drawn):
    """Texts for people: files without their folders, drawn numbers without their last digits; as
    long as they tell values apart."""
    if numbers is None:
        short = [one_line(short_name(text), 40) for text in texts]
    else:
        short = [f"{float(text):.3g}" if drawn else text for text in texts]
    return short if len(set(short)) == len(short) else texts


def _binned(numbers, counted, bins):
    """Names and codes of bins of equal counts; equal numbers stay together."""
    ordered = np.sort(numbers[counted]) if counted.any() else np.sort(numbers)
    # Where a bin begins; the first has all that is below the second.
    begins = sorted({ordered[len(ordered) * number // bins] for number in range(1, bins)})
    codes = np.searchsorted(begins, numbers, side="right")
    left = sorted(set(codes.tolist()))
    names = [_span(numbers[codes == code]) for code in left]
    return names, np.array([left.index(code) for code in codes], int)


def _span(numbers):
    low, high = (f"{number:.3g}" for number in (numbers.min(), numbers.max()))
    return low if low == high else f"{low} to {high}"
