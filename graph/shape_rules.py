"""Rules of layers that move or concatenate channels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from .channels import Channels
from .rule_base import Kept, UnsupportedRule, sources_of

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call


layers = keras.layers


class ReshapeRule(UnsupportedRule):
    """Flatten, Reshape, Permute: called on channel indices, they show where each channel goes."""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        channels, (tensor,) = call.inputs[0], call.tensors_out
        found = channels and len(call.inputs) == 1 and self._source(call, channels)
        if not found:
            return None
        axis, call.source = found
        if len(call.source) != tensor.shape[axis]:
            return None
        return [Channels(axis, channels.groups[call.source])]

    def _source(self, call, channels):
        """The channel axis of the output, and the input channel of each of its channels; None if
        there is no such axis."""
        shape = [2 if size is None else size for size in call.tensors_in[0].shape]
        numbers = np.zeros([1, *shape[1:]], np.int32)
        numbers += np.arange(len(channels)).reshape(
            [-1 if axis == channels.axis else 1 for axis in range(len(shape))]
        )
        try:
            moved = call.run([keras.ops.convert_to_tensor(numbers)])
        except (ValueError, TypeError, RuntimeError):
            return None
        moved = np.asarray(keras.ops.convert_to_numpy(moved))
        for axis in reversed(range(1, moved.ndim)):
            lines = np.moveaxis(moved, axis, -1).reshape(-1, moved.shape[axis])
            if (lines == lines[0]).all():
                return axis, lines[0]
        return None

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        return [values[0][call.source]]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        return [sources_of(call, needed[0])]

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        if not isinstance(call.op, layers.Reshape) or kept.outputs[0].all():
            return {}
        target = list(call.tensors_out[0].shape[1:])
        target[call.outputs[0].axis - 1] = int(kept.outputs[0].sum())
        return {"target_shape": [-1 if size is None else size for size in target]}


class ConcatenateRule(UnsupportedRule):
    """Concatenated channels, which are not joined."""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        (tensor,) = call.tensors_out
        axes = {channels.axis if channels else None for channels in call.inputs}
        if len(axes) != 1 or axes == {None}:
            return None
        axis = call.inputs[0].axis
        call.concatenates = call.op.axis % len(tensor.shape) == axis
        parts = [channels.groups for channels in call.inputs]
        if call.concatenates:
            return [Channels(axis, np.concatenate(parts))]
        return [Channels(axis, groups.join(*parts))]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        if call.concatenates:
            return [np.concatenate(values)]
        same = np.all([value == values[0] for value in values], axis=0)
        return [np.where(same, values[0], np.nan)]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        if not call.concatenates:
            return [needed[0] for _ in call.inputs]
        ends = np.cumsum([len(channels) for channels in call.inputs])
        return [*np.split(needed[0], ends[:-1])]
