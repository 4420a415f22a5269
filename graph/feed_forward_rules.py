"""Rules of KerasHub's transformer layers: the hidden units of their feed-forward part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from ..models.kernels import value_of
from ..models.recurrent import at_path
from .activations import activation_name, has_own_weights, is_elementwise, is_zero_at_zero
from .channels import Channels
from .linear_rules import is_dense, units_come_first
from .rule_base import Kept, Sides, UnsupportedRule, keep, number_of, taken

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call

_WIDTH = "intermediate_dim"  # in the layer's config


class _Parts(NamedTuple):
    """Names of attributes: the layers whose outputs are the hidden units (without a gate, or
    multiplied by it), the one that reads them, and the gate."""

    first: str
    second: str
    gate: str


_FORMS = (
    _Parts(*(f"_feedforward_{name}_dense" for name in ("intermediate", "output", "gate"))),
    _Parts("gating_ffw_2", "ffw_linear", "gating_ffw"),
)


def _parts_of(layer):
    """The names of a layer's parts; None if it has none that are known."""
    for names in _FORMS:
        parts = [getattr(layer, name, None) for name in names]
        if all(_is_known(part) for part in parts[:2]) and (parts[2] is None or _is_known(parts[2])):
            return names
    return None


def _is_known(part):
    return type(part) is keras.layers.Dense or (
        type(part) is keras.layers.EinsumDense and is_dense(part) and not units_come_first(part)
    )


def _number_of_units(layer):
    return at_path(layer, _parts_of(layer).first).kernel.shape[1]


def _times(layer):
    """How many times the number of units the setting is: twice for Gemma."""
    return layer.get_config()[_WIDTH] // _number_of_units(layer)


def _gate_activation(layer):
    return getattr(layer, "activation", keras.activations.gelu)  # Gemma has no setting for it


def is_feed_forward(layer: Any) -> bool:
    """Whether the rule knows the layer: one of KerasHub that can be made again with fewer units."""
    if not type(layer).__module__.startswith("keras_hub.") or _parts_of(layer) is None:
        return False
    try:
        type(layer).from_config(layer.get_config())
        return layer.get_config()[_WIDTH] % _number_of_units(layer) == 0
    except Exception:  # of some layers it is broken
        return False


class FeedForwardRule(UnsupportedRule):
    """A layer of which only the hidden units of its feed-forward part are known. (Its heads are as
    wide as its inputs over their number, so that none can be removed.)"""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        call.inner = [Channels(0, groups.new(_number_of_units(call.op)))]
        for name in self._reading(call):
            activation = self._activation(call, name)
            if not is_elementwise(activation) or has_own_weights(activation):
                reason = f"{call.op.name} ({activation_name(activation)} reads all units)"
                keep(groups, call.inner[0], reason)
        return super().trace(call, groups)

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        call.alive = np.ones(len(call.inner[0]), bool)
        for name in self._reading(call):
            part = at_path(call.op, name)
            if is_zero_at_zero(self._activation(call, name)):
                alive = value_of(part.kernel).any(axis=0)
                if part.bias is not None:
                    alive |= value_of(part.bias) != 0
                call.alive &= alive
        return super().constants(call, values)

    def _reading(self, call):
        first, _, gate = _parts_of(call.op)
        return [name for name in (first, gate) if getattr(call.op, name, None) is not None]

    def _activation(self, call, name):
        """Of the units, or of the gate, whose activation is the layer's."""
        is_gate = name == _parts_of(call.op).gate
        return _gate_activation(call.op) if is_gate else at_path(call.op, name).activation

    def _second(self, call):
        return _parts_of(call.op).second

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        reads = value_of(at_path(call.op, self._second(call)).kernel).any(axis=1)
        return [*super().needed(call, needed, values), reads & call.alive]

    def kernels(self, call: "Call") -> list[Sides]:
        units, outputs = call.inner[0].groups, call.outputs[0]
        found = [Sides(f"{name}.kernel", None, units) for name in self._reading(call)]
        if outputs:
            found.append(Sides(f"{self._second(call)}.kernel", units, outputs.groups))
        return found

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        biases = [at_path(call.op, name).bias for name in self._reading(call)]
        return [(bias, call.inner[0].groups) for bias in biases if bias is not None]

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        return {_WIDTH: _times(call.op) * number_of(kept.inner[0])}

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        found, (units,) = {}, kept.inner
        for name in self._reading(call):
            part = at_path(call.op, name)
            found[f"{name}.kernel"] = taken(value_of(part.kernel), units, 1)
            if part.bias is not None:
                found[f"{name}.bias"] = taken(value_of(part.bias), units, 0)
        second = self._second(call)
        found[f"{second}.kernel"] = taken(value_of(at_path(call.op, second).kernel), units, 0)
        return found
