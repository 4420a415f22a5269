"""A pruning method: one value on each of five independent axes.

Written as text, `unit/random` or `weight/lamp/global/gradual/finetune`: the values in any order,
those not named at their defaults.
"""

import dataclasses
from dataclasses import dataclass

from ..config import UsageError
from .criteria import CRITERIA
from .granularities import GRANULARITIES
from .recoveries import RECOVERIES
from .schedules import SCHEDULES
from .scopes import SCOPES

AXES = {
    "granularity": GRANULARITIES,
    "criterion": CRITERIA,
    "scope": SCOPES,
    "schedule": SCHEDULES,
    "recovery": RECOVERIES,
}


@dataclass(frozen=True)
class Method:
    """The five choices; the defaults, for `weight` and `unit`, are the reference experiment."""

    granularity: str = "weight"
    criterion: str = "magnitude"
    scope: str = "layer"
    schedule: str = "oneshot"
    recovery: str = "none"

    @property
    def name(self):
        """The shortest text that stands for this method."""
        others = (f for f in dataclasses.fields(self) if f.name != "granularity")
        values = (getattr(self, f.name) for f in others if getattr(self, f.name) != f.default)
        return "/".join((self.granularity, *values))

    @property
    def trains(self):
        """Whether networks are trained after or while they are pruned."""
        return (self.schedule, self.recovery) != ("oneshot", "none")


def parse(text):
    """The `Method` that a text stands for.

    Raises:
        UsageError: if a value is not known, or two are of one axis.
    """
    chosen = {}
    for value in text.strip().split("/"):
        axis = next((axis for axis, registry in AXES.items() if registry.knows(value)), None)
        if axis is None:
            known = "; ".join(f"{axis}: {', '.join(r.names())}" for axis, r in AXES.items())
            raise UsageError(f"--methods: {value!r} in {text!r} is not known. Choose of {known}.")
        if axis in chosen:
            raise UsageError(
                f"--methods: {text!r} has two values for the {axis}, {chosen[axis]} and {value}; "
                "separate methods by commas."
            )
        AXES[axis].get(value)  # complains of numbers that make no sense, such as 4:2
        chosen[axis] = value
    return Method(**chosen)


REFERENCE = (Method("weight"), Method("unit"))
