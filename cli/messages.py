"""What the command line calls a setting: messages and help texts name `seed`, users type --seed."""

import functools
import re

from ..settings.fields import flagged

NAMED = re.compile(r"`(\w+)(=[^`]*)?`")


def with_flags(text: object) -> str:
    """A text with flags for the settings that it names in backticks: --seed=1 for `seed=1`.

    Settings of all commands count: one may advise to run another. Other names stay as they are.
    """
    return NAMED.sub(_flag, str(text))


def _flag(found: re.Match) -> str:
    return f"--{found[1]}{found[2] or ''}" if found[1] in _settings() else found[0]


@functools.cache
def _settings() -> set[str]:
    from ..settings.experiment import ExperimentConfig
    from ..settings.export import ExportConfig
    from ..settings.predict import PredictConfig
    from ..settings.report import ReportConfig
    from ..settings.sweep import SweepConfig

    kinds = (ExperimentConfig, ExportConfig, PredictConfig, ReportConfig, SweepConfig)
    return {f.name for kind in kinds for f in flagged(kind)}
