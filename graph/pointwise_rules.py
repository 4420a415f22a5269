"""Rules of layers that treat each channel separately: activations, pooling, normalization."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.kernels import value_of
from .channels import Channels
from .rule_base import Kept, UnsupportedRule, channel_axis, keep

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call


class ElementwiseRule(UnsupportedRule):
    """The same function for every channel: activations, dropout, sums, products.

    The channels of several inputs are joined.
    """

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        given = [channels for channels in call.inputs if channels]
        (tensor,) = call.tensors_out
        if not given:
            return [None]
        number = max(len(channels) for channels in given)
        full = [channels for channels in given if len(channels) == number]
        ends = {
            channels.axis - len(t.shape)
            for channels, t in zip(call.inputs, call.tensors_in, strict=True)
            if channels and len(channels) == number
        }
        axis = len(tensor.shape) + min(ends)
        if len(ends) > 1 or tensor.shape[axis] != number:
            return None
        if any(len(channels) not in (1, number) for channels in given):  # along another axis
            return None
        for channels in given:
            if len(channels) != number:  # one channel, broadcast to all
                keep(groups, channels, f"{call.op.name} broadcasts it")
        return [Channels(axis, groups.join(*(channels.groups for channels in full)))]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        (channels,) = call.outputs
        if channels is None:
            return [None]
        values = [_broadcast(value, len(channels)) for value in values]
        found = self._evaluated(call, values, ~np.isnan(np.sum(values, axis=0)))
        if type(call.op).__name__ == "Multiply":  # zero times anything finite
            found[np.any([value == 0 for value in values], axis=0)] = 0
        return [found]

    def _evaluated(self, call, values, known):
        """The outputs of a call for known constants, else NaN."""
        found = np.full(len(known), np.nan)
        if known.any():
            given = [None if value is None else np.nan_to_num(value) for value in values]
            found[known] = call.evaluate(given)[known]
            found[~np.isfinite(found)] = np.nan
        return found

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        (out,) = needed
        return [
            None if channels is None else out if len(channels) == len(out) else np.array([True])
            for channels in call.inputs
        ]


class PassThroughRule(ElementwiseRule):
    """Positions are moved, pooled or padded; channels are unchanged.

    Args:
        only_zero: whether, in a given layer, constant channels remain so only if they are zero.
    """

    def __init__(self, only_zero: Callable[[Any], bool] = lambda _layer: False) -> None:
        self.only_zero = only_zero

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        channels, (tensor,) = call.inputs[0], call.tensors_out
        if len(call.inputs) > 1:  # such as a mask
            return None
        if channels is None or channels.axis != channel_axis(call.op, call.tensors_in[0]):
            return None
        return [Channels(channel_axis(call.op, tensor), channels.groups)]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        (value,) = values
        return [np.where(value == 0, 0, np.nan) if self.only_zero(call.op) else value]


class PerChannelRule(ElementwiseRule):
    """Parameters for each channel: batch normalization, PReLU.

    Args:
        attributes: names of the layer's variables, whose last axis is that of the channels.
    """

    def __init__(self, *attributes: str) -> None:
        self.attributes = attributes

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        channels = call.inputs[0]
        axis = getattr(call.op, "axis", -1)
        rank = len(call.tensors_in[0].shape)
        fits = isinstance(axis, int) and channels and channels.axis == axis % rank
        shapes = [variable.shape for variable in self._variables(call.op).values()]
        if not fits or any({math.prod(s), s[-1]} != {len(channels)} for s in shapes):
            return None
        return [Channels(channels.axis, channels.groups)]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        value, *masks = values
        gamma = getattr(call.op, "gamma", None)
        if gamma is not None:  # a factor of zero hides the input
            value = np.where(value_of(gamma) == 0, 0, value)
        return [self._evaluated(call, [value, *(None for _ in masks)], ~np.isnan(value))]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        return [needed[0], *UnsupportedRule.needed(self, call, needed, values)[1:]]

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        variables = self._variables(call.op).items()
        return {name: value_of(variable)[..., kept.inputs[0]] for name, variable in variables}

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        layer = call.op
        if not isinstance(layer, keras.layers.BatchNormalization):
            return []
        # Without a factor, a dead channel must have a mean of zero to stay at zero.
        first = layer.moving_mean if layer.gamma is None else layer.gamma
        found = [variable for variable in (first, layer.beta) if variable is not None]
        return [(variable, call.outputs[0].groups) for variable in found]

    def _variables(self, layer):
        found = {name: getattr(layer, name, None) for name in self.attributes}
        return {name: variable for name, variable in found.items() if variable is not None}


def _broadcast(value, number):
    return np.full(number, np.nan) if value is None else np.broadcast_to(value, number)
