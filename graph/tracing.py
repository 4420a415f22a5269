"""A Keras model as the calls of its layers, from inputs to outputs, with their channels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np

from ..models.kernels import own_variable
from ..models.own_classes import CALL_METHODS, own_methods
from .channels import ChannelGroups
from .rule_base import Kept, Sides, UnsupportedRule, arguments_of, keep, new_channels
from .rules import rule_for


@dataclass
class Call:
    """One use of a layer or operation.

    Attributes:
        node: of the Keras graph.
        rule: how its operation treats channels.
        inputs, outputs: the `Channels` of its tensors, None for those without.
        inner: the `Channels` of what the layer computes within and reads itself: heads, states.
        shared: whether the model has other calls of the operation.
        source: the input channel of each output channel, if the rule knows it.
        reads: of a linear layer, which units read each channel.
        alive: of a layer with `inner` channels, which of them are not always zero.
        concatenates: whether it concatenates along the channel axis.
    """

    node: Any = field(repr=False)
    rule: UnsupportedRule
    inputs: list = field(repr=False)
    outputs: list = field(repr=False, default_factory=list)
    inner: list = field(repr=False, default_factory=list)
    shared: bool = False
    source: Any = field(repr=False, compare=False, default=None)
    reads: Any = field(repr=False, compare=False, default=None)
    alive: Any = field(repr=False, compare=False, default=None)
    concatenates: bool = field(repr=False, compare=False, default=False)

    @property
    def op(self) -> Any:
        """The layer or operation."""
        return self.node.operation

    @property
    def tensors_in(self) -> list[Any]:
        """The symbolic input tensors."""
        return self.node.input_tensors

    @property
    def tensors_out(self) -> list[Any]:
        """The symbolic output tensors."""
        return self.node.output_tensors

    def places_of(self, argument: str) -> list[int]:
        """Which of the input tensors were given as this argument of the layer's `call`."""
        given = {id(t) for t in keras.tree.flatten(arguments_of(self.node).get(argument))}
        return [place for place, tensor in enumerate(self.tensors_in) if id(tensor) in given]

    def kept(self, of: Callable[[Any], Any]) -> Kept:
        """What is kept of its channels, if `of` tells it of `Channels`."""
        sides = self.inputs, self.outputs, self.inner
        return Kept(*([*map(of, side)] for side in sides))

    def run(self, tensors: Sequence[Any]) -> Any:
        """Calls the operation on tensors in place of the symbolic ones, for inference."""
        by_id = {id(t): value for t, value in zip(self.tensors_in, tensors, strict=True)}
        args, kwargs = self.node.arguments.fill_in(by_id)
        if isinstance(self.op, keras.Layer) and self.op._call_has_training_arg:
            kwargs = {**kwargs, "training": False}
        return self.op(*args, **kwargs)

    def evaluate(self, values: Sequence[np.ndarray | None]) -> np.ndarray:
        """The output, of shape (channels,), for inputs that are constant over all positions.

        Args:
            values: for each input an array of shape (channels,); None for an empty mask.
        """
        tensors = [
            keras.ops.convert_to_tensor(_one_position(value, channels, tensor), tensor.dtype)
            for value, channels, tensor in zip(values, self.inputs, self.tensors_in, strict=True)
        ]
        return np.ravel(keras.ops.convert_to_numpy(self.run(tensors))).astype(float)


def _one_position(value, channels, tensor):
    """Channel values as an array of a tensor's rank with a single position."""
    axes = range(len(tensor.shape))
    if value is None:
        return np.ones([1 for _ in axes])
    return np.reshape(value, [-1 if axis == channels.axis else 1 for axis in axes])


class Graph:
    """The calls and channels of a functional or sequential model, including nested models.

    Args:
        model: the Keras model.

    Attributes:
        groups: the `ChannelGroups` of all channels.
        calls: the `Call`s in topological order.
        first_calls: the first `Call` of each layer or operation, by its id.
        channels: the `Channels` of every symbolic tensor, by id.
        entries: for each input of a nested model, by id, the ids of the tensors passed to it.
        exits: for each output of a nested model, by id, the id of the inner tensor.

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

    @cached_property
    def sides(self) -> dict[int, tuple[Call, Sides]]:
        """The call of each kernel's layer, and the kernel's `Sides`, by the variable's id."""
        return {
            id(own_variable(call.op, sides.attribute)): (call, sides)
            for call in self.first_calls.values()
            for sides in call.rule.kernels(call)
        }

    def _bind(self, tensor, channels):
        """Sets a tensor's channels, joined with those that it has from another call."""
        if id(tensor) in self.channels:
            self._couple(self.channels[id(tensor)], channels, f"{tensor.name} has several sources")
        else:
            self.channels[id(tensor)] = channels

    def _couple(self, one, other, reason):
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
        # A nested model is followed once, however often it is called.
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
            call.rule, call.inner = UnsupportedRule(), []
            call.outputs = call.rule.trace(call, self.groups)
        first = self.first_calls.setdefault(id(node.operation), call)
        if first is not call and _depends_on_channels(node.operation):
            first.shared = call.shared = True
            for sides in zip(call.kept(lambda c: c), first.kept(lambda c: c), strict=True):
                for ours, theirs in zip(*sides, strict=False):  # only one call may have a mask
                    self._couple(ours, theirs, f"{node.operation.name} is used in several places")
        for tensor, channels in zip(node.output_tensors, call.outputs, strict=True):
            self._bind(tensor, channels)
        self.calls.append(call)


def _reason_without_graph(model):
    """Why a model has no usable graph, as a sentence."""
    kind = f"{model.name!r} ({type(model).__name__})"
    own = own_methods(model, CALL_METHODS)
    if own and layers_of(model) is not None:
        return (
            f"{kind} overrides `{own[0]}`, so that its outputs may differ from those of its graph; "
            "put that code into layers, and build the model with keras.Model(inputs, outputs)."
        )
    return (
        f"{kind} is not a functional or sequential model, so that its layer graph is unknown; "
        "build it with keras.Model(inputs, outputs) or keras.Sequential."
    )


def function_of(model: keras.Model) -> Any:
    """The graph of a functional or sequential model; None for all others, and if the user's class
    overrides `call`, which may do more than the graph."""
    return None if own_methods(model, CALL_METHODS) else layers_of(model)


def layers_of(model: keras.Model) -> Any:
    """The same, even if the class overrides `call`."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if hasattr(model, "_nodes_by_depth") else None


def _depends_on_channels(op):
    """Whether a layer's weights or config fix its channels; others can be called on any."""
    return isinstance(op, keras.layers.Reshape) or bool(getattr(op, "weights", ()))


def _has_arrays(node):
    """Whether a call has arrays among its arguments, which may hold values of channels."""
    return any(
        np.ndim(argument) > 0
        for argument in node.arguments._flat_arguments
        if not isinstance(argument, keras.KerasTensor) and not isinstance(argument, str)
    )
