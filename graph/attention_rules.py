"""Rules of attention: a unit is a head, with its part of all four projections."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.kernels import own_variable, value_of
from ..models.recurrent import at_path
from .channels import Channels
from .rule_base import Kept, Sides, UnsupportedRule, arguments_of, keep, number_of, taken

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call

layers = keras.layers

# Where heads read, by the argument of the call, and where they are read. Keys are values if they
# are not given.
_READING = {"query": "_query_dense", "key": "_key_dense", "value": "_value_dense"}
_OUTPUT = "_output_dense"


def is_attention(layer: Any) -> bool:
    """Whether the rule knows the layer, by its exact class: a subclass may do anything."""
    if type(layer) not in (layers.MultiHeadAttention, layers.GroupQueryAttention):
        return False
    parts = (at_path(layer, name) for name in (*_READING.values(), _OUTPUT))
    is_plain = all(
        not getattr(part, "lora_enabled", False) and not getattr(part, "quantization_mode", None)
        for part in parts
    )
    return is_plain and not getattr(layer, "use_gate", False)


class AttentionRule(UnsupportedRule):
    """`MultiHeadAttention`, and `GroupQueryAttention` with the heads that share a key and a value
    as one."""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        layer, tensor = call.op, call.tensors_out[0]
        known, kernel = self._places(call), _kernel(layer, _OUTPUT)
        last = [
            call.inputs[n] is not None and call.inputs[n].axis == len(call.tensors_in[n].shape) - 1
            for n in known
        ]
        is_plain = len(call.tensors_out) == 1 and kernel.ndim == 3 and _is_called_alike(layer)
        if not is_plain or not all(last):
            return None
        for place, channels in enumerate(call.inputs):
            if place not in known:
                keep(groups, channels, f"{layer.name} ({type(layer).__name__})")
        made = groups.new(kernel.shape[-1])
        if isinstance(layer, layers.GroupQueryAttention):  # all are equally wide
            groups.join(made, *(call.inputs[place].groups for place in known))
        heads = _kernel(layer, _READING["value"]).shape[1]
        call.inner = [Channels(0, groups.new(heads))]
        return [Channels(len(tensor.shape) - 1, made)]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        read = values[self._place(call, "value")] != 0
        used = _used(call.op, _READING["value"], len(call.inner[0]))[read]
        bias = _bias(call.op, _READING["value"])
        call.alive = used.any(axis=0) | bias.reshape(len(call.inner[0]), -1).any(axis=1)
        units = self._output_used(call)[call.alive].any(axis=0)
        return [np.where(units, np.nan, _bias(call.op, _OUTPUT))]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        units, heads = needed[0], needed[1] & call.alive
        found = [np.ones(len(each), bool) if each else None for each in call.inputs]
        for place in self._places(call):
            found[place] = np.zeros(len(call.inputs[place]), bool)
        for name, attribute in _READING.items():
            place = self._place(call, name)
            used = _used(call.op, attribute, len(heads))[:, heads].any(axis=1)
            found[place] |= used & (values[place] != 0)
        return [*found, self._output_used(call)[:, units].any(axis=1) & call.alive]

    def _places(self, call):
        """Which of the input tensors are queries, keys or values."""
        return sorted({place for name in _READING for place in call.places_of(name)})

    def _place(self, call, name):
        """Which of them is this argument; one of several equal ones."""
        return (call.places_of(name) or call.places_of("value"))[0]

    def _output_used(self, call):
        """Which units read each head, of shape (heads, units)."""
        kernel = _kernel(call.op, _OUTPUT)
        return (kernel != 0).reshape(len(call.inner[0]), -1, kernel.shape[-1]).any(axis=1)

    def kernels(self, call: "Call") -> list[Sides]:
        heads, found = call.inner[0].groups, []
        for name, attribute in _READING.items():
            inputs = call.inputs[self._place(call, name)].groups
            columns = np.repeat(heads, self._size(call, attribute)[1] // len(heads))
            found.append(Sides(f"{attribute}.kernel", inputs, columns))
        rows = np.repeat(heads, self._size(call, _OUTPUT)[0] // len(heads))
        return [*found, Sides(f"{_OUTPUT}.kernel", rows, call.outputs[0].groups)]

    def _size(self, call, attribute):
        """Of the matrix of a kernel."""
        shape = at_path(call.op, attribute).kernel.shape
        if attribute == _OUTPUT:
            return shape[0] * shape[1], shape[2]
        return shape[0], shape[1] * shape[2]

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        heads, found = call.inner[0].groups, []
        for attribute in (*_READING.values(), _OUTPUT):
            bias = at_path(call.op, attribute).bias
            own = call.outputs[0].groups if attribute == _OUTPUT else heads
            if bias is not None:
                found.append((bias, np.repeat(own, np.prod(bias.shape) // len(own))))
        return found

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        layer, heads = call.op, number_of(kept.inner[0])
        if isinstance(layer, layers.GroupQueryAttention):
            each = layer.num_query_heads // layer.num_key_value_heads
            return {"num_query_heads": heads * each, "num_key_value_heads": heads}
        units, read = number_of(kept.outputs[0]), number_of(kept.inputs[self._place(call, "query")])
        is_own = units != read or layer.get_config()["output_shape"] is not None
        return {"num_heads": heads, **({"output_shape": [units]} if is_own else {})}

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        found, (heads,), (units, *_) = {}, kept.inner, kept.outputs
        for name, attribute in _READING.items():
            inputs, part = kept.inputs[self._place(call, name)], at_path(call.op, attribute)
            own = _of_heads(heads, len(call.inner[0]), part.kernel.shape[1])
            kernel = taken(_kernel(call.op, attribute), inputs, 0)
            found[f"{attribute}.kernel"] = taken(kernel, own, 1)
            if part.bias is not None:
                found[f"{attribute}.bias"] = taken(value_of(part.bias), own, 0)
        part = at_path(call.op, _OUTPUT)
        own = _of_heads(heads, len(call.inner[0]), part.kernel.shape[0])
        kernel = taken(_kernel(call.op, _OUTPUT), own, 0)
        found[f"{_OUTPUT}.kernel"] = taken(kernel, units, 2)
        if part.bias is not None:
            found[f"{_OUTPUT}.bias"] = taken(value_of(part.bias), units, 0)
        return found


def _is_called_alike(layer):
    """Whether all calls of a layer give the same arguments: calls are coupled by their places."""
    given = set()
    for node in layer._inbound_nodes:
        bound = arguments_of(node)
        names = (name for name in _READING if bound.get(name) is not None)
        given.add(tuple(names))
    return len(given) == 1


def _kernel(layer, attribute):
    return value_of(own_variable(at_path(layer, attribute), "kernel"))


def _bias(layer, attribute):
    """A projection's bias, flat; or zeros."""
    part = at_path(layer, attribute)
    if part.bias is None:
        shape = part.kernel.shape
        return np.zeros(shape[-1] if attribute == _OUTPUT else shape[1] * shape[2])
    return value_of(part.bias).astype(float).ravel()


def _used(layer, attribute, heads):
    """Which heads read each channel, of shape (channels, heads)."""
    kernel = _kernel(layer, attribute)
    return (kernel != 0).reshape(len(kernel), heads, -1).any(axis=2)


def _of_heads(heads, number, all_of_them):
    """Booleans or indices of heads as those of all that they stand for: of each key and value
    several queries."""
    if heads is None or number == all_of_them:
        return heads
    each = all_of_them // number
    if heads.dtype == bool:
        return np.repeat(heads, each)
    return (heads[:, np.newaxis] * each + np.arange(each)).ravel()
