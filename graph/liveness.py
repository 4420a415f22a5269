"""Which channels and weights of a Keras model affect its outputs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np

from ..models.kernels import own_variable
from ..utils import pluralize
from .tracing import Graph, function_of

if TYPE_CHECKING:
    from ..models.kernels import Kernel
    from .channels import Channels
    from .tracing import Call


@dataclass(frozen=True)
class LivenessAnalysis:
    """Which channel groups of a model are live.

    Attributes:
        graph: the `Graph`.
        needed: whether each group is kept, an array of booleans.
        effective: the same without dead groups that are kept because no layer can be empty.
        constants: the value of each channel of each tensor if it is constant, else NaN; by the
            tensor's id.
    """

    graph: Graph
    needed: np.ndarray
    effective: np.ndarray
    constants: dict

    @classmethod
    def of(cls, graph: Graph, folding: bool = True) -> "LivenessAnalysis":
        """The analysis of a `Graph` with its current weights.

        Args:
            graph: the `Graph`.
            folding: whether constant channels can be folded into the biases that follow; if not,
                they are live unless they are zero.
        """
        constants = _constants(graph, folding)
        needed = np.zeros(len(graph.groups), bool)
        needed[list(graph.groups.kept)] = True
        _spread_need(graph, constants, needed)
        effective = needed.copy()
        while empty := _without_channels(graph, needed):
            for channels in empty:  # a layer needs at least one
                needed[graph.groups.find(channels.groups[:1])] = True
            _spread_need(graph, constants, needed)
        return cls(graph, needed, effective, constants)

    @classmethod
    def of_model(cls, model: keras.Model) -> "LivenessAnalysis | None":
        """The analysis of a Keras model; None for a subclassed one."""
        return None if function_of(model) is None else cls.of(Graph(model))

    def kept(self, channels: "Channels | None") -> np.ndarray | None:
        """Which of these `Channels` are kept: booleans; None for None."""
        return self._of(channels, self.needed)

    def keeps_all(self) -> bool:
        """Whether no channel is removed."""
        return bool(self._marks(np.arange(len(self.graph.groups)), self.needed).all())

    def values(self, call: "Call") -> list[np.ndarray | None]:
        """The constants of the inputs of a `Call`."""
        return _values(self.constants, call)

    def caveats(self) -> list[str]:
        """How many dead channels cannot be removed, and why: a sentence for each reason."""
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
        """Which of a kernel's `present` weights are live: booleans of shape (inputs, units)."""
        _, sides = self.graph.sides.get(id(kernel.variable), (None, None))
        if sides is None:  # within an unsupported layer
            return present
        if sides.rows is not None:
            present = present & self._marks(sides.rows, self.effective)[:, np.newaxis]
        return present & self._marks(sides.columns, self.effective)

    def sizes(self) -> dict[int, int]:
        """How many entries of a variable belong to live channels, by the variable's id, for
        variables that `shrink` can make smaller."""
        found = {}
        for call in self.graph.first_calls.values():
            if not isinstance(call.op, keras.Layer):
                continue
            kept = call.kept(self._effective)
            for name, value in (call.rule.weights(call, kept, None) or {}).items():
                found[id(own_variable(call.op, name))] = value.size
        return found

    def _effective(self, channels):
        """Which of these `Channels` are live: booleans; None for None."""
        return self._of(channels, self.effective)

    def _of(self, channels, marks):
        return self._marks(channels.groups, marks) if channels else None

    def _marks(self, groups, marks):
        return marks[self.graph.groups.find(groups)]


def _values(constants, call):
    return [constants[id(tensor)] for tensor in call.tensors_in]


def _constants(graph, folding):
    """The constants of every tensor, by its id."""
    found = {}
    while True:
        before, found = found, _known_constants(graph, found, folding)
        if all(_is_unchanged(found[tensor], before.get(tensor)) for tensor in graph.entries):
            return found


def _is_unchanged(now, before):
    return now is None or (before is not None and np.array_equal(now, before, equal_nan=True))


def _known_constants(graph, before, folding):
    """One pass through the calls.

    Args:
        graph: the `Graph`.
        before: the result of the previous pass, for inputs of nested models, which may be called
            several times with different tensors.
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
    """Only those constants that are zero."""
    return value if value is None else np.where(value == 0, 0, np.nan)


def _common(values):
    """Where all of these constants are equal, else NaN; None if some are not known."""
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
    """Marks all groups that the marked ones are computed from, in place."""
    find = graph.groups.find
    before = -1
    while before != needed.sum():
        before = needed.sum()
        for call in reversed(graph.calls):
            made = (*call.outputs, *call.inner)
            outputs = [channels and needed[find(channels.groups)] for channels in made]
            reads = call.rule.needed(call, outputs, _values(constants, call))
            for channels, read in zip((*call.inputs, *call.inner), reads, strict=True):
                if channels:
                    needed[find(channels.groups[read])] = True


def _without_channels(graph, needed):
    """The `Channels` that would keep none."""
    inner = (channels for call in graph.calls for channels in call.inner)
    return [
        channels
        for channels in (*graph.channels.values(), *inner)
        if channels and not needed[graph.groups.find(channels.groups)].any()
    ]
