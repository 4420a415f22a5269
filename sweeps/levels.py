"""The varied settings in every trial of a sweep, as a few levels each."""

from typing import Any

import pandas as pd

from ..settings.files import short_name
from ..utils import one_line

# More drawn numbers than this are grouped into quarters.
MOST_VALUES = 5
NONE = "none"


def levels_of(record: dict[str, Any]) -> pd.DataFrame:
    """The level of every varied setting in every trial of a sweep.

    Levels are the values of a setting; of more than `MOST_VALUES` numbers drawn from a distribution
    they are quarters with equal numbers of trials.

    Args:
        record: of the sweep.

    Returns:
        A table with a row for each trial, by the name of its experiment, and an ordered
        categorical column for each setting.
    """
    trials = record["trials"]
    columns = {
        setting: _levels([trial["settings"].get(setting) for trial in trials], among)
        for setting, among in record["varied"].items()
    }
    return pd.DataFrame(columns, index=[trial["experiment_id"] for trial in trials])


def is_drawn(among: Any) -> bool:
    """Whether a setting was drawn from a distribution, rather than chosen from a list.

    Args:
        among: the list, or the text of the distribution, as in a sweep's record.
    """
    return not isinstance(among, list)


def _levels(values, among):
    if is_drawn(among) and len(set(values)) > MOST_VALUES:
        return _quarters(values)
    texts = [value_text(value) for value in values]
    order = sorted(values) if is_drawn(among) else [*among, *values]
    order = [text for text in dict.fromkeys(map(value_text, order)) if text in set(texts)]
    return pd.Categorical(texts, order, ordered=True).rename_categories(_short(order))


def _quarters(values):
    """Equal numbers are never separated, so there may be fewer than four quarters."""
    numbers = pd.Series(values)
    codes, _ = pd.factorize(pd.qcut(numbers, 4, labels=False, duplicates="drop"), sort=True)
    spans = numbers.groupby(codes).agg(["min", "max"]).map(setting_text)
    names = [low if low == high else f"{low} to {high}" for low, high in spans.to_numpy()]
    return pd.Categorical.from_codes(codes, names, ordered=True)


def _short(texts):
    """Short texts: files without their folders, unless that makes some of them equal."""
    short = [one_line(short_name(text), 40) for text in texts]
    return short if len(set(short)) == len(short) else texts


def value_text(value: Any) -> str:
    """A value of a setting as text for its flag."""
    if value is None:
        return NONE
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def setting_text(value: Any) -> str:
    """A value of a setting in a sentence: drawn numbers have too many digits."""
    if isinstance(value, float) and len(str(value)) > 8:
        return f"{value:.4g}"
    return one_line(value_text(value), 60)
