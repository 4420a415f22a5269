"""Names of settings on the command line: messages and help texts name `seed`, users type --seed."""

import functools
import importlib
import re

from ..settings.fields import flagged

NAMED = re.compile(r"`(\w+)(=[^`]*)?`")


def with_flags(text: object) -> str:
    """A text with flags for the settings that it names in backticks: --seed=1 for `seed=1`.

    Settings of all commands are replaced, because messages may recommend another command. Other
    names are not changed.
    """
    return NAMED.sub(_flag, str(text))


def _flag(found: re.Match) -> str:
    # Most are settings of `train`; those of other commands are imported only if necessary.
    is_setting = any(found[1] in _settings(*place) for place in PLACES)
    return f"--{found[1]}{found[2] or ''}" if is_setting else found[0]


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
    found = importlib.import_module(f"..settings.{module}", __package__)
    return {field.name for field in flagged(getattr(found, kind))}
