"""A Keras model as the calls of its layers, from its inputs to its outputs, with their channels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ..models.own_classes import ANSWERING, own_methods
from .channels import ChannelGroups
from .rule_base import UnsupportedRule, keep, new_channels
from .rules import rule_for


@dataclass
class Call:
    """One use of a layer or operation.

    Attributes:
        node: of the Keras graph.
        rule: what is known of its operation.
        inputs, outputs: the `Channels` of its tensors, None for those without.
        shared: whether the model uses the operation elsewhere too.
        source: for each channel of the output the one of the input that it comes from, if so.
        reads: of a linear layer's kernel which units each channel goes into.
        beside: whether it puts channels beside each other.
    """

    node: Any = field(repr=False)
    rule: UnsupportedRule
    inputs: list = field(repr=False)
    outputs: list = field(repr=False, default_factory=list)
    shared: bool = False
    source: Any = field(repr=False, compare=False, default=None)
    reads: Any = field(repr=False, compare=False, default=None)
    beside: bool = field(repr=False, compare=False, default=False)

    @property
    def op(self) -> Any:
        """The layer or operation."""
        return self.node.operation

    @property
    def tensors_in(self) -> list[Any]:
        """The symbolic tensors that it is called with."""
        return self.node.input_tensors

    @property
    def tensors_out(self) -> list[Any]:
        """The symbolic tensors that it returns."""
        return self.node.output_tensors

    def run(self, tensors: Sequence[Any]) -> Any:
        """Calls the operation on tensors in the place of the symbolic ones, for inference."""
        by_id = {id(t): value for t, value in zip(self.tensors_in, tensors, strict=True)}
        args, kwargs = self.node.arguments.fill_in(by_id)
        if isinstance(self.op, keras.Layer) and self.op._call_has_training_arg:
            kwargs = {**kwargs, "training": False}
        return self.op(*args, **kwargs)

    def evaluate(self, values: Sequence[np.ndarray | None]) -> np.ndarray:
        """What it makes of channels that are the same at all positions.

        Args:
            values: for each input an array of shape (channels,); None for an empty mask.
        """
        tensors = [
            keras.ops.convert_to_tensor(_one_position(value, channels, tensor), tensor.dtype)
            for value, channels, tensor in zip(values, self.inputs, self.tensors_in, strict=True)
        ]
        return np.ravel(keras.ops.convert_to_numpy(self.run(tensors))).astype(float)


def _one_position(value, channels, tensor):
    """Values of channels as an array like a tensor, but with a single position."""
    axes = range(len(tensor.shape))
    if value is None:
        return np.ones([1 for _ in axes])
    return np.reshape(value, [-1 if axis == channels.axis else 1 for axis in axes])


class Graph:
    """The calls and channels of a functional or sequential model, those in nested models too.

    Args:
        model: the Keras model.

    Attributes:
        groups: the `ChannelGroups` of all channels.
        calls: the `Call`s in an order in which they can be made.
        first_calls: the first of each layer or operation, by its id.
        channels: the `Channels` of every symbolic tensor, by id.
        entries: for each input within a nested model the tensors that it is called with, by ids.
        exits: for each output of a nested model the tensor within that it is, by ids.

    Raises:
        ValueError: if the model is not a graph of layers.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model, self.groups = model, ChannelGroups()
        self.calls, self.first_calls, self.channels, self._followed = [], {}, {}, set()
        self.entries, self.exits = {}, {}
        function = function_of(model)
        if function is None:
            raise ValueError(_reason_without_graph(model))
        for tensor in function.inputs:
            self._bind(tensor, new_channels(self.groups, tensor))
        self._follow(function)
        self.inputs = [self.channels[id(tensor)] for tensor in function.inputs]
        for channels in self.inputs:
            if channels:
                self.groups.keep_io(channels.groups)
        for tensor in function.outputs:
            channels = self.channels[id(tensor)]
            keep(self.groups, channels, "the model's output")
            if channels:
                self.groups.keep_io(channels.groups)

    def _bind(self, tensor, channels):
        """Gives a tensor its channels; those that it has from another call become the same."""
        if id(tensor) in self.channels:
            self._same(self.channels[id(tensor)], channels, f"{tensor.name} has several sources")
        else:
            self.channels[id(tensor)] = channels

    def _same(self, one, other, reason):
        if one and other and one.axis == other.axis and len(one) == len(other):
            self.groups.join(one.groups, other.groups)
        else:
            for channels in (one, other):
                keep(self.groups, channels, reason)

    def _follow(self, function):
        for depth in sorted(function._nodes_by_depth, reverse=True):
            for node in function._nodes_by_depth[depth]:
                if not node.is_input:
                    self._call(node)

    def _call(self, node):
        inner = function_of(node.operation)
        if inner is None:
            self._plain_call(node)
            return
        # A nested model has one graph, however often it is called.
        for outside, inside in zip(node.input_tensors, inner.inputs, strict=True):
            self._bind(inside, self.channels[id(outside)])
            self.entries.setdefault(id(inside), []).append(id(outside))
        if id(inner) not in self._followed:
            self._followed.add(id(inner))
            self._follow(inner)
        for outside, inside in zip(node.output_tensors, inner.outputs, strict=True):
            self.channels[id(outside)] = self.channels[id(inside)]
            self.exits[id(outside)] = id(inside)

    def _plain_call(self, node):
        inputs = [self.channels[id(tensor)] for tensor in node.input_tensors]
        rule = UnsupportedRule() if _has_arrays(node) else rule_for(node.operation)
        call = Call(node, rule, inputs)
        call.outputs = rule.trace(call, self.groups)
        if call.outputs is None:
            call.rule = UnsupportedRule()
            call.outputs = call.rule.trace(call, self.groups)
        first = self.first_calls.setdefault(id(node.operation), call)
        if first is not call and _depends_on_channels(node.operation):
            first.shared = call.shared = True
            for sides in ((call.inputs, first.inputs), (call.outputs, first.outputs)):
                for ours, theirs in zip(*sides, strict=False):  # a mask may be in one call only
                    self._same(ours, theirs, f"{node.operation.name} is used in several places")
        for tensor, channels in zip(node.output_tensors, call.outputs, strict=True):
            self._bind(tensor, channels)
        self.calls.append(call)


def _reason_without_graph(model):
    """Why a model has no graph, for people."""
    kind = f"{model.name!r} ({type(model).__name__})"
    own = own_methods(model, ANSWERING)
    if own and layers_of(model) is not None:
        return (
            f"{kind} has a `{own[0]}` of its own, so that its answers are not those of its graph; "
            "put what it does into layers, and build it with keras.Model(inputs, outputs)."
        )
    return (
        f"{kind} is not a functional or sequential model, so that nobody can see how its layers "
        "are connected; build it with keras.Model(inputs, outputs) or keras.Sequential."
    )


def function_of(model: keras.Model) -> Any:
    """The graph of a functional or sequential model; None for everything else, and where a class
    of the user's has a `call` of its own, which may do more than the graph."""
    return None if own_methods(model, ANSWERING) else layers_of(model)


def layers_of(model: keras.Model) -> Any:
    """The same whatever its class does with the graph."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if hasattr(model, "_nodes_by_depth") else None


def _depends_on_channels(op):
    """Whether a layer fits one set of channels only, by its weights or its config; others may be
    called anywhere."""
    return isinstance(op, keras.layers.Reshape) or bool(getattr(op, "weights", ()))


def _has_arrays(node):
    """Whether numbers for single channels are among the arguments of a call."""
    return any(
        np.ndim(argument) > 0
        for argument in node.arguments._flat_arguments
        if not isinstance(argument, keras.KerasTensor) and not isinstance(argument, str)
    )
