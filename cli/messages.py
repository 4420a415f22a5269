"""Names of settings on the command line: messages and help texts name `seed`, users type --seed."""

import functools
import importlib
import re
import sys

from ..settings.fields import flagged

NAMED = re.compile(r"`(\w+)(=[^`]*)?`")


def with_flags(text: object) -> str:
    """A text with flags for the settings that it names in backticks: --seed=1 for `seed=1`.

    Settings of all commands are replaced, because messages may recommend another command. Other
    names are not changed.
    """
    return NAMED.sub(_flag, str(text))


def _flag(found: re.Match) -> str:
    # Most are of this command; the settings of others are imported only if necessary.
    places = sorted(PLACES, key=lambda place: _module(place[0]) not in sys.modules)
    is_setting = any(found[1] in _settings(*place) for place in places)
    return f"--{found[1]}{found[2] or ''}" if is_setting else found[0]


def _module(name):
    return f"{flagged.__module__.rpartition('.')[0]}.{name}"


PLACES = (
    ("experiment", "ExperimentConfig"),
    ("export", "ExportConfig"),
    ("report", "ReportConfig"),
    ("predict", "PredictConfig"),
    ("sweep", "SweepConfig"),
)


@functools.cache
def _settings(module: str, kind: str) -> set[str]:
    """The names of the settings of one kind."""
    found = importlib.import_module(_module(module))
    return {field.name for field in flagged(getattr(found, kind))}
