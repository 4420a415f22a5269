"""A pruning method: one value on each of five independent axes.

Written as text, `unit/random` or `weight/lamp/global/gradual/finetune`: the values in any order,
those not named at their defaults.
"""

import dataclasses
import difflib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..settings.experiment import experiment_settings, retraining_settings
from ..utils import UsageError
from . import checks
from .criteria import CRITERIA
from .granularities import GRANULARITIES
from .recoveries import RECOVERIES, is_refit
from .schedules import SCHEDULES
from .scopes import SCOPES

if TYPE_CHECKING:
    from .recoveries import Recovery
    from .schedules import Round


AXES = {
    "granularity": GRANULARITIES,
    "criterion": CRITERIA,
    "scope": SCOPES,
    "schedule": SCHEDULES,
    "recovery": RECOVERIES,
}


@dataclass(frozen=True)
class Method:
    """The five choices. The defaults, with `weight` and `unit`, are the reference experiment."""

    granularity: str = "weight"
    criterion: str = "magnitude"
    scope: str = "layer"
    schedule: str = "oneshot"
    recovery: str = "none"

    @property
    def name(self) -> str:
        """The shortest text of this method."""
        others = (f for f in dataclasses.fields(self) if f.name != "granularity")
        values = (getattr(self, f.name) for f in others if getattr(self, f.name) != f.default)
        return "/".join((self.granularity, *values))

    @property
    def by_unit(self) -> bool:
        """Whether whole units are removed."""
        return self.granularity.startswith("unit")

    @property
    def takes_tensors(self) -> bool:
        """Whether masks can be computed where a model is, such as on a GPU."""
        axes = ("criterion", "granularity", "scope")
        return all(AXES[axis].takes_tensors(getattr(self, axis)) for axis in axes)

    @property
    def calibrates(self) -> bool:
        """Whether weights are re-fitted, or errors measured, on calibration inputs."""
        return is_refit(self.recovery) or self.scope == "budget"

    @property
    def trains(self) -> bool:
        """Whether networks are trained on labeled data after or while they are pruned."""
        return self.schedule != "oneshot" or not (
            self.recovery == "none" or is_refit(self.recovery)
        )

    @property
    def is_stored(self) -> bool:
        """Whether experiments keep the pruned networks in files: to make them takes long."""
        return self.trains or self.calibrates


def schedule_rounds(method: Method, previous: float, k: float, config: Any) -> "list[Round]":
    """The `Round`s in which a method gets from sparsity `previous` to `k`."""
    seen = _seen_settings(SCHEDULES, method.schedule, config)
    rounds = SCHEDULES.get(method.schedule)(previous, k, seen)
    return checks.checked_rounds(method.schedule, rounds, k)


# A control has no target sparsity; its round is that of a schedule on the way to this one.
SOME_SPARSITY = 0.5


def control_round(method: Method, config: Any) -> "Round":
    """The `Round` of the control of a method that trains: the last of its schedule."""
    return schedule_rounds(method, 0.0, SOME_SPARSITY, config)[-1]


def recovery_of(method: Method, config: Any) -> "Recovery":
    """The `Recovery` of a method under these settings."""
    recovery = RECOVERIES.get(method.recovery)
    return checks.checked_recovery(
        method.recovery, recovery(_seen_settings(RECOVERIES, method.recovery, config))
    )


def _seen_settings(registry, value, config):
    """The settings that a schedule or recovery sees: those it declares, or else all that a network
    depends on."""
    names = registry.settings(value)
    names = experiment_settings() if names is None else names
    return SimpleNamespace(**{name: getattr(config, name) for name in names})


# Settings that every method that trains depends on.
HOW_TO_TRAIN = ("distillation", "shift")


def settings_of(method: Method) -> list[str]:
    """The names of the retraining settings that a method uses; none if it trains nothing and needs
    no calibration data."""
    if not method.is_stored:
        return []
    used = set(HOW_TO_TRAIN if method.trains else ())
    if method.calibrates:
        used.add("calibration_examples")
    for registry, value in ((SCHEDULES, method.schedule), (RECOVERIES, method.recovery)):
        declared = registry.settings(value)
        used |= set(retraining_settings() if declared is None else declared)
    return [name for name in retraining_settings() if name in used]


def parse(text: str) -> Method:
    """The `Method` of a text.

    Raises:
        UsageError: if a value is not known, or two are of one axis.
    """
    chosen = {}
    for value in text.strip().split("/"):
        axis = next((axis for axis, registry in AXES.items() if registry.knows(value)), None)
        if axis is None:
            raise UsageError(f"`methods`: {value!r} in {text!r} is not known{_choices(value)}")
        if axis in chosen:
            raise UsageError(
                f"`methods`: {text!r} has two values for the {axis}, {chosen[axis]} and {value}; "
                "separate methods by commas."
            )
        AXES[axis].get(value)  # raises for numbers that make no sense, such as 4:2
        chosen[axis] = value
    method = Method(**chosen)
    if method.scope == "output" and method.by_unit:
        raise UsageError(
            f"`methods`: {text!r}: the scope output compares the inputs of one unit with each "
            "other, so it cannot prune whole units; choose layer, global, erk or budget."
        )
    check_fits(method)
    return method


def _choices(value):
    """What was meant instead of a value, or else all that there is."""
    alike = difflib.get_close_matches(
        value, [name for registry in AXES.values() for name in registry.names()], n=1, cutoff=0.7
    )
    if alike:
        return f"; did you mean {alike[0]!r}?"
    known = "; ".join(f"{axis}: {', '.join(r.names())}" for axis, r in AXES.items())
    return f". Choose from {known}."


def check_fits(method: Method) -> None:
    """Makes sure that the choices of a method can be combined.

    Raises:
        UsageError: if calibration data is to repair or to choose what a schedule prunes.
    """
    if method.calibrates and method.trains:
        what = "scope budget" if method.scope == "budget" else f"recovery {method.recovery}"
        raise UsageError(
            f"`methods`: {method.name!r}: the {what} prunes without training on labels; leave out "
            "the schedule and recoveries that train."
        )


REFERENCE = (Method("weight"), Method("unit"))
# The untouched dense network, in tables. Users cannot choose it as a method.
BASELINE = Method("baseline")


def named(name: str) -> Method:
    """The `Method` of a row of a table, or `BASELINE`."""
    return BASELINE if name == BASELINE.name else parse(name)
