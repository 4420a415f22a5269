"""Bounds of settings, and the one place that checks them."""

from dataclasses import dataclass

import pytest
from network_pruning.settings import fields
from network_pruning.utils import UsageError


@dataclass(frozen=True)
class Mine(fields.Settings):
    """Settings with one of each kind of bounds."""

    some: int = fields.setting(1, "", bounds=fields.at_least(1))
    rate: float | None = fields.setting(None, "", bounds=fields.above(0), trains=True)
    share: float = fields.setting(0.5, "", bounds=fields.between(0, 1), retrains=True)
    part: float = fields.setting(0.0, "", bounds=fields.from_to_below(0, 0.5))
    k: float = fields.setting(0.0, "", bounds=fields.fraction)
    way: str = fields.setting("a", "", bounds=fields.one_of("a", "b"))
    ways: tuple = fields.setting((1,), "", bounds=fields.some_of(1, 2))
    place: str = fields.setting("x", "", bounds=fields.not_blank("name a folder"))
    name: str | None = fields.setting(None, "", bounds=fields.plain_name)
    free: int = fields.setting(0, "")
    no_flag: int = 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"some": 9, "rate": 1e-9, "share": 1, "part": 0.49, "k": 1, "way": "b", "ways": (2, 1)},
        {"share": 0, "k": 0, "place": " x", "name": "x-1", "free": -5, "no_flag": -5},
    ],
)
def test_values_within_bounds(settings):
    assert Mine(**settings).to_dict() == {**Mine().to_dict(), **settings}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"some": 0}, "`some` must be at least 1 and finite, not 0."),
        ({"some": float("inf")}, "`some` must be at least 1 and finite, not inf."),
        ({"rate": 0.0}, "`rate` must be greater than 0 and finite, not 0.0."),
        ({"rate": float("nan")}, "`rate` must be greater than 0 and finite, not nan."),
        ({"share": 1.5}, "`share` must lie between 0 and 1, not 1.5."),
        ({"share": float("nan")}, "`share` must lie between 0 and 1, not nan."),
        ({"part": 0.5}, "`part` must be at least 0 and below 0.5, not 0.5."),
        ({"k": 90}, "`k`: 90 is not a fraction in [0, 1]; did you mean 0.9?"),
        ({"k": -1}, "`k`: -1 is not a fraction in [0, 1]."),
        ({"way": "c"}, "`way`: choose one of a, b, not 'c'."),
        ({"ways": (1, 3)}, "`ways`: choose from 1, 2, not 3."),
        ({"ways": ()}, "`ways`: choose from 1, 2, not nothing."),
        ({"place": " "}, "`place` is empty; name a folder."),
        ({"name": "a/b"}, "`name` 'a/b' is not a plain folder name: use letters, digits and"),
    ],
)
def test_values_out_of_bounds(settings, sentence):
    with pytest.raises(UsageError) as caught:
        Mine(**settings)
    assert str(caught.value).startswith(sentence)


def test_fields_with_marks():
    assert fields.marked(Mine, "trains") == ["rate"]
    assert fields.marked(Mine(), "trains", "retrains") == ["rate", "share"]
    assert "no_flag" not in [f.name for f in fields.flagged(Mine)]
