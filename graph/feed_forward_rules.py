"""Rules of KerasHub's transformer layers: the hidden units of their feed-forward part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.kernels import value_of
from ..models.recurrent import at_path
from .activations import is_zero_at_zero
from .channels import Channels
from .rule_base import Kept, Sides, UnsupportedRule, number_of, taken

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call

_FIRST, _SECOND, _GATE = (
    f"_feedforward_{name}_dense" for name in ("intermediate", "output", "gate")
)
_WIDTH = "intermediate_dim"  # in the layer's config


def is_feed_forward(layer: Any) -> bool:
    """Whether the rule knows the layer: one of KerasHub that can be made again with fewer units."""
    parts = [getattr(layer, name, None) for name in (_FIRST, _SECOND)]
    is_known = all(type(part) is keras.layers.Dense for part in parts)
    if not is_known or not type(layer).__module__.startswith("keras_hub."):
        return False
    if keras.saving.get_registered_name(type(layer)) == type(layer).__name__:
        return False  # a file could not be read again
    try:
        return layer.get_config().get(_WIDTH) == layer._feedforward_intermediate_dense.units
    except Exception:  # of some layers it is broken
        return False


class FeedForwardRule(UnsupportedRule):
    """A layer of which only the hidden units of its feed-forward part are known. (Its heads are as
    wide as its inputs over their number, so that none can be removed.)"""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        call.inner = [Channels(0, groups.new(at_path(call.op, _FIRST).units))]
        return super().trace(call, groups)

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        call.alive = np.ones(len(call.inner[0]), bool)
        for name in self._reading(call):
            part = at_path(call.op, name)
            if name == _GATE or is_zero_at_zero(part.activation):
                alive = value_of(part.kernel).any(axis=0)
                if part.bias is not None:
                    alive |= value_of(part.bias) != 0
                call.alive &= alive
        return super().constants(call, values)

    def _reading(self, call):
        return [name for name in (_FIRST, _GATE) if getattr(call.op, name, None) is not None]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        reads = value_of(at_path(call.op, _SECOND).kernel).any(axis=1)
        return [*super().needed(call, needed, values), reads & call.alive]

    def kernels(self, call: "Call") -> list[Sides]:
        units, outputs = call.inner[0].groups, call.outputs[0]
        found = [Sides(f"{name}.kernel", None, units) for name in self._reading(call)]
        return [*found, Sides(f"{_SECOND}.kernel", units, outputs.groups)] if outputs else found

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        biases = [at_path(call.op, name).bias for name in self._reading(call)]
        return [(bias, call.inner[0].groups) for bias in biases if bias is not None]

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        return {_WIDTH: number_of(kept.inner[0])}

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        found, (units,) = {}, kept.inner
        for name in self._reading(call):
            part = at_path(call.op, name)
            found[f"{name}.kernel"] = taken(value_of(part.kernel), units, 1)
            if part.bias is not None:
                found[f"{name}.bias"] = taken(value_of(part.bias), units, 0)
        found[f"{_SECOND}.kernel"] = taken(value_of(at_path(call.op, _SECOND).kernel), units, 0)
        return found
