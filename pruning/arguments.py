"""Arguments of `prune` and of the callback `Pruning`, checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..settings.fields import check_fraction
from ..utils import UsageError
from . import methods
from .layer_choice import can_be_meant
from .prunables import Prunables


def checked_method(
    text: str, oneshot: bool, recoveries: Sequence[str] = ("none",)
) -> methods.Method:
    """The `Method` of a text, with one of these recoveries.

    Raises:
        UsageError: if it is not a method, or has another recovery, or with `oneshot` another
            schedule.
    """
    if not isinstance(text, str):
        raise UsageError(f"method: {text!r} is not a text such as 'weight/lamp/global'.")
    try:
        method = methods.parse(text)
    except UsageError as error:
        raise UsageError(str(error).replace("`methods`:", "method:")) from None
    if method.recovery not in recoveries:
        instead = (
            "give it to network_pruning.prune"
            if method.calibrates
            else "train the pruned model with fit and the callback KeepPruned()"
        )
        raise UsageError(f"method: {text!r} names a recovery; {instead} instead.")
    if method.scope == "budget" and not oneshot:
        raise UsageError(
            f"method: {text!r}: the scope budget measures the model before it is pruned; give it "
            "to network_pruning.prune instead."
        )
    if oneshot and method.schedule != "oneshot":
        raise UsageError(
            f"method: {text!r} prunes while training; give the callback "
            f"network_pruning.Pruning(sparsity, {text!r}) to fit instead."
        )
    return method


@dataclass(frozen=True)
class TargetSparsities:
    """The target sparsity of each dependency group; those with the same target compete."""

    by_share: dict[float, tuple[str, ...]]

    @classmethod
    def of(cls, sparsity: float | Mapping[Any, float], prunables: Prunables) -> "TargetSparsities":
        """Of a fraction, or a dictionary of them by layer, as `exclude` takes them.

        Raises:
            UsageError: if it is something else, or a name matches no layer.
        """
        if not isinstance(sparsity, Mapping):
            return cls({checked_fraction("sparsity", sparsity): tuple(prunables.layers)})
        if not sparsity:
            raise UsageError("sparsity: the dictionary is empty; give a layer's name and fraction.")
        nearest = {}  # a layer's own fraction takes precedence over that of what contains it
        for name, share in sparsity.items():
            share = checked_fraction(f"sparsity of {getattr(name, 'name', name)!r}", share)
            for layer, distance in _meant(name, prunables).items():
                before = nearest.get(layer, (distance, share))
                if before[0] == distance and before[1] != share:
                    raise UsageError(
                        f"sparsity: {name!r} is in one dependency group with {layer!r}; give both "
                        "the same fraction."
                    )
                nearest[layer] = min(before, (distance, share))
        by_share = {}
        for layer in prunables.layers:  # in the order of the model
            if layer in nearest:
                share = nearest[layer][1]
                by_share[share] = (*by_share.get(share, ()), layer)
        return cls(by_share)


def checked_fraction(name: str, value: Any) -> float:
    """A fraction as a float; `name` is for messages.

    Raises:
        UsageError: if it is not a fraction.
    """
    if not isinstance(value, Real) or math.isnan(value):
        raise UsageError(f"{name}: {value!r} is not a number; give a fraction such as 0.9.")
    check_fraction(name, value)  # type: ignore[arg-type]
    return float(value)


def checked_seed(seed: Any) -> int:
    """A valid seed, unchanged.

    Raises:
        UsageError: if it is not a seed.
    """
    if not isinstance(seed, Integral) or seed < 0:
        raise UsageError(f"seed: {seed!r} is not a whole number of 0 or more.")
    return seed  # type: ignore[return-value]


def checked_round_to(value: Any, method: methods.Method) -> int:
    """A number of units of which what is kept is to be a multiple.

    Raises:
        UsageError: if it is not a whole number of 1 or more, or the method prunes no units.
    """
    number = int(value) if isinstance(value, Integral) else 0
    if number < 1:
        raise UsageError(f"round_to: {value!r} is not a whole number of 1 or more, such as 8.")
    if number > 1 and not method.by_unit:
        raise UsageError(
            f"round_to: {value} units cannot be kept together by the method {method.name!r}, which "
            "prunes single weights; choose unit or unit_in_out."
        )
    return number


def _meant(name, prunables):
    """The dependency groups that a name, a pattern, a layer or a function refers to; see
    `Prunables.meant`."""
    found = prunables.meant(name) if can_be_meant(name) else {}
    if not found:
        valid, given = ", ".join(prunables.layers), getattr(name, "name", name)
        raise UsageError(f"sparsity: {given!r} cannot be pruned; choose from {valid}.")
    return found
