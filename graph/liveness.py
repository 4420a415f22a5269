"""What of a Keras model has an influence on its answers: channels, and weights of kernels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np

from ..models.kernels import own_variable
from ..utils import pluralize
from .linear_rules import DepthwiseRule, LinearRule, SeparableRule
from .tracing import Graph, function_of

if TYPE_CHECKING:
    from ..models.kernels import Kernel
    from .channels import Channels
    from .tracing import Call


@dataclass(frozen=True)
class LivenessAnalysis:
    """What of a model has an influence on its answers.

    Attributes:
        graph: the `Graph`.
        needed: whether each group stays, an array of booleans.
        effective: the same without those that stay only because no layer can do without any.
        constants: what each channel of each tensor is where it is constant, else NaN; by the
            tensor's id.
    """

    graph: Graph
    needed: np.ndarray
    effective: np.ndarray
    constants: dict

    @classmethod
    def of(cls, graph: Graph, folding: bool = True) -> "LivenessAnalysis":
        """What of a `Graph` has an influence, from its weights.

        Args:
            graph: the `Graph`.
            folding: whether what is constant may become a part of the biases behind it; if not, it
                has an influence unless it is zero.
        """
        constants = _constants(graph, folding)
        needed = np.zeros(len(graph.groups), bool)
        needed[list(graph.groups.kept)] = True
        _spread_need(graph, constants, needed)
        effective = needed.copy()
        while empty := _without_channels(graph, needed):
            for channels in empty:  # no layer can do without any
                needed[graph.groups.find(channels.groups[:1])] = True
            _spread_need(graph, constants, needed)
        return cls(graph, needed, effective, constants)

    @classmethod
    def of_model(cls, model: keras.Model) -> "LivenessAnalysis | None":
        """Of a Keras model, by its weights; None for a subclassed one."""
        return None if function_of(model) is None else cls.of(Graph(model))

    def stays(self, channels: "Channels | None") -> np.ndarray | None:
        """Which of these `Channels` stay: booleans; None for None."""
        return self._of(channels, self.needed)

    def values(self, call: "Call") -> list[np.ndarray | None]:
        """The constants of the inputs of a `Call`."""
        return _values(self.constants, call)

    def remarks(self) -> list[str]:
        """What has dead channels and could not be made smaller, a sentence each."""
        found = {}
        kept = self.graph.groups.kept
        for call in self.graph.calls:
            for channels, value in zip(call.inputs, self.values(call), strict=True):
                if not channels or value is None:
                    continue
                groups = self.graph.groups.find(channels.groups[value == 0]).tolist()
                for group in groups:
                    if group in kept and group not in self.graph.groups.io_groups:
                        found.setdefault(kept[group], set()).add(group)
        return [
            f"{pluralize(len(groups), 'dead channel')} cannot be removed because of {reason}."
            for reason, groups in found.items()
        ]

    def of_kernel(self, kernel: "Kernel", present: np.ndarray) -> np.ndarray:
        """Which weights of a kernel have an influence, of those in `present`, booleans."""
        inputs, units = self._channels_of(kernel)
        if inputs is not None:
            present = present & inputs[:, np.newaxis]
        if units is not None:
            present = present & units
        return present

    def sizes(self) -> dict[int, int]:
        """How many numbers of a variable belong to channels with an influence, by the variable's
        id, for those that `shrink` can make smaller."""
        found = {}
        for call in self.graph.first_calls.values():
            if not isinstance(call.op, keras.Layer):
                continue
            sides = tuple(
                self._effective(next(iter(side), None)) for side in (call.inputs, call.outputs)
            )
            for name, value in (call.rule.weights(call, sides, None) or {}).items():
                found[id(own_variable(call.op, name))] = value.size
        return found

    def _effective(self, channels):
        """Which of these `Channels` have an influence: booleans; None for None."""
        return self._of(channels, self.effective)

    def _of(self, channels, marks):
        return marks[self.graph.groups.find(channels.groups)] if channels else None

    def _channels_of(self, kernel):
        """Which inputs and units of a kernel's matrix have an influence; None for all."""
        call = self.graph.first_calls.get(id(kernel.layer))
        if call is None:  # within a layer that is left alone
            return None, None
        rows, columns = kernel.shape
        before, after = (self._effective(side[0]) for side in (call.inputs, call.outputs))
        if kernel.is_depthwise and isinstance(call.rule, (DepthwiseRule, SeparableRule)):
            return None, np.repeat(before, columns // len(before))
        if isinstance(call.rule, SeparableRule):
            return np.repeat(before, rows // len(before)), after
        if isinstance(call.rule, LinearRule):
            return np.tile(before, rows // len(before)), after
        return None, None


def _values(constants, call):
    return [constants[id(tensor)] for tensor in call.tensors_in]


def _constants(graph, folding):
    """What is constant, by the id of the tensor."""
    found = {}
    while True:
        before, found = found, _known_constants(graph, found, folding)
        if all(_as_known(found[tensor], before.get(tensor)) for tensor in graph.entries):
            return found


def _as_known(now, before):
    return now is None or (before is not None and np.array_equal(now, before, equal_nan=True))


def _known_constants(graph, before, folding):
    """One pass through the calls.

    Args:
        graph: the `Graph`.
        before: what the pass before has found, of what goes into nested models; they may be called
            several times, with other tensors each time.
        folding: whether constants other than zero count.
    """
    found = {}
    for inside, outsides in graph.entries.items():
        found[inside] = _common([before.get(tensor) for tensor in outsides])
    for call in graph.calls:
        values = [_value(graph, found, tensor) for tensor in call.tensors_in]
        for tensor, value in zip(call.tensors_out, call.rule.constants(call, values), strict=True):
            found[id(tensor)] = value if folding else _zeros(value)
        for tensor, value in zip(call.tensors_in, values, strict=True):
            found[id(tensor)] = value
    return found


def _zeros(value):
    """Constants without those that are not zero."""
    return value if value is None else np.where(value == 0, 0, np.nan)


def _common(values):
    """What all of these constants agree on; None if some are not known."""
    if any(value is None for value in values):
        return None
    return np.where(np.all([value == values[0] for value in values], axis=0), values[0], np.nan)


def _value(graph, found, tensor):
    """The constants of a tensor, with NaN where nothing is known."""
    channels = graph.channels[id(tensor)]
    if channels is None:
        return None
    value = found.get(graph.exits.get(id(tensor), id(tensor)))
    return np.full(len(channels), np.nan) if value is None else value


def _spread_need(graph, constants, needed):
    """Marks all that is needed for what is marked, in place."""
    find = graph.groups.find
    before = -1
    while before != needed.sum():
        before = needed.sum()
        for call in reversed(graph.calls):
            outputs = [channels and needed[find(channels.groups)] for channels in call.outputs]
            reads = call.rule.needed(call, outputs, _values(constants, call))
            for channels, read in zip(call.inputs, reads, strict=True):
                if channels:
                    needed[find(channels.groups[read])] = True


def _without_channels(graph, needed):
    """The `Channels` of tensors of which none would be left."""
    return [
        channels
        for channels in graph.channels.values()
        if channels and not needed[graph.groups.find(channels.groups)].any()
    ]
