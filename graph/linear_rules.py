"""Rules of layers with kernels: dense layers and convolutions."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models import kernels
from ..models.kernels import own_variable, value_of
from .activations import activation_name, has_own_weights, is_elementwise
from .channels import Channels
from .rule_base import Kept, Sides, UnsupportedRule, channel_axis, sources_of, taken

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call


layers = keras.layers


class LinearRule(UnsupportedRule):
    """Every unit reads all channels: dense layers and convolutions."""

    def kernel(self, layer: keras.Layer) -> np.ndarray:
        """The weights as an array of shape (positions, channels, units)."""
        kernel = value_of(own_variable(layer, "kernel"))
        if units_come_first(layer):
            kernel = np.swapaxes(kernel, -1, -2)
        return kernel.reshape(-1, *kernel.shape[-2:])

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        layer, (tensor,) = call.op, call.tensors_out
        channels = call.inputs[0]
        units = tensor.shape[channel_axis(layer, tensor)]
        fits = channels and channels.axis == channel_axis(layer, call.tensors_in[0])
        if not fits or has_own_weights(layer.activation):
            return None
        made = groups.new(units)
        if not is_elementwise(layer.activation):
            name = activation_name(layer.activation)
            groups.keep(made, f"{layer.name} ({name} reads all units)")
        return [Channels(channel_axis(layer, tensor), made)]

    def foldable(self, call: "Call", values: np.ndarray) -> np.ndarray:
        """Which constant channels can be folded into the bias: zeros always, others only if every
        position of the output reads the same values."""
        uniform = uniform_everywhere(call.op) and not call.shared
        return ~np.isnan(values) if uniform else values == 0

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        kernel, foldable = self.kernel(call.op), self.foldable(call, values[0])
        call.reads = (kernel != 0).any(axis=0)  # which units read each channel
        unknown = _rows(call.reads, ~foldable).any(axis=0)
        known = _sums(np.nan_to_num(np.where(foldable, values[0], 0)), kernel)
        found = activated(call.op, known + bias_of(call.op, len(known)))
        return [np.where(unknown | ~np.isfinite(found), np.nan, found)]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        reads = _rows(call.reads.T, needed[0]).any(axis=0)
        return [reads & ~self.foldable(call, values[0]), *super().needed(call, needed, values)[1:]]

    def kernels(self, call: "Call") -> list[Sides]:
        (inputs, *_), (units, *_) = call.inputs, call.outputs
        size = math.prod(own_variable(call.op, "kernel").shape)
        rows = np.tile(inputs.groups, size // len(units) // len(inputs))
        return [Sides("kernel", rows, units.groups)]

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        return [] if call.op.bias is None else [(call.op.bias, call.outputs[0].groups)]

    def fold(self, call: "Call", removed: np.ndarray, value: np.ndarray) -> np.ndarray:
        """What the removed, constant inputs add to each unit, of shape (units,)."""
        return _sums(np.where(removed, np.nan_to_num(value), 0), self.kernel(call.op))

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        layer, units = call.op, int(kept.outputs[0].sum())
        changed = {"use_bias": True} if self._folds(layer, kept, fold) else {}
        if isinstance(layer, layers.Dense):
            return {"units": units, **changed}
        if isinstance(layer, layers.EinsumDense):
            letter = layer.equation.replace(" ", "")[-1]
            changed = {"bias_axes": letter} if changed else {}
            return {"output_shape": [*layer.partial_output_shape[:-1], units], **changed}
        return {"filters": units, **changed}

    def _folds(self, layer, kept, fold):
        return layer.bias is None and fold is not None and fold[kept.outputs[0]].any()

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer, (inputs, *_), (units, *_) = call.op, kept.inputs, kept.outputs
        first, last = (units, inputs) if units_come_first(layer) else (inputs, units)
        kernel = taken(taken(value_of(own_variable(layer, "kernel")), first, -2), last, -1)
        return {"kernel": kernel, **self._bias(layer, kept, fold)}

    def _bias(self, layer, kept, fold):
        if layer.bias is None and not self._folds(layer, kept, fold):
            return {}
        bias = bias_of(layer, len(kept.outputs[0])) + (0 if fold is None else fold)
        return {"bias": bias[kept.outputs[0]]}


def _rows(matrix, mask):
    """The rows of a matrix in a mask: itself if they are all."""
    return matrix if mask.all() else matrix[mask]


def _sums(constants, kernel):
    """What constant inputs, most of them 0, add to each unit of a kernel of shape (positions,
    inputs, units)."""
    used = np.flatnonzero(constants)
    return constants[used] @ kernel[:, used].sum(axis=0, dtype=float)


class GroupedRule(LinearRule):
    """A convolution whose channels fall into groups, each of which reads its own.

    Either whole groups are removed, or the same share of each, whichever leaves more to choose
    from; what is removed together is joined.
    """

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        found = super().trace(call, groups)
        if found is None:
            return None
        sides = [each.groups.reshape(call.op.groups, -1) for each in (call.inputs[0], *found)]
        if self._removes_groups(call.op):
            groups.join(*np.concatenate(sides, axis=1).T)
        else:
            for parts in sides:
                groups.join(*parts)
        return found

    def _removes_groups(self, layer):
        return layer.groups >= own_variable(layer, "kernel").shape[-2]

    def kernel(self, layer: keras.Layer) -> np.ndarray:
        *_, channels, units = own_variable(layer, "kernel").shape
        kernel = super().kernel(layer).reshape(-1, channels, layer.groups, units // layer.groups)
        whole = np.zeros((len(kernel), layer.groups, channels, *kernel.shape[2:]), kernel.dtype)
        each = np.arange(layer.groups)
        whole[:, each, :, each] = np.moveaxis(kernel, 2, 0)
        return whole.reshape(len(kernel), layer.groups * channels, units)

    def kernels(self, call: "Call") -> list[Sides]:
        (sides,), inputs = super().kernels(call), call.inputs[0].groups
        if self._removes_groups(call.op):
            return [sides._replace(rows=None)]
        each = len(inputs) // call.op.groups
        positions = math.prod(call.op.kernel_size)
        return [sides._replace(rows=np.tile(inputs[:each], positions))]

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        config = super().config(call, kept, fold)
        if self._removes_groups(call.op):
            units = len(kept.outputs[0]) // call.op.groups
            config["groups"] = config["filters"] // units
        return config

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer, inputs = call.op, kept.inputs[0]
        each = own_variable(layer, "kernel").shape[-2]
        own = np.ones(each, bool) if self._removes_groups(layer) else inputs[:each]
        return super().weights(call, kept._replace(inputs=[own]), fold)


class SeparableRule(LinearRule):
    """A depthwise convolution, then a pointwise one, in one layer."""

    def kernel(self, layer: keras.Layer) -> np.ndarray:
        depthwise = value_of(layer.depthwise_kernel)
        *_, channels, multiplier = depthwise.shape
        depthwise = depthwise.reshape(-1, channels, multiplier).astype(float)
        pointwise = value_of(layer.pointwise_kernel).reshape(channels, multiplier, -1)
        return np.einsum("pcm,cmu->pcu", depthwise, pointwise)

    def kernels(self, call: "Call") -> list[Sides]:
        made = np.repeat(call.inputs[0].groups, call.op.depth_multiplier)
        return [
            Sides("depthwise_kernel", None, made),
            Sides("pointwise_kernel", made, call.outputs[0].groups, reads=False),
        ]

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer, (inputs, *_), (units, *_) = call.op, kept.inputs, kept.outputs
        pointwise = value_of(layer.pointwise_kernel)
        return {
            "depthwise_kernel": value_of(layer.depthwise_kernel)[..., inputs, :],
            "pointwise_kernel": pointwise[..., np.repeat(inputs, layer.depth_multiplier), :][
                ..., units
            ],
            **self._bias(layer, kept, fold),
        }


class DepthwiseRule(UnsupportedRule):
    """One or several filters for each channel separately."""

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        layer, channels, (tensor,) = call.op, call.inputs[0], call.tensors_out
        fits = (
            len(call.inputs) == 1
            and channels
            and channels.axis == channel_axis(layer, call.tensors_in[0])
        )
        if not fits or not is_elementwise(layer.activation):
            return None
        call.source = np.repeat(np.arange(len(channels)), layer.depth_multiplier)
        return [Channels(channel_axis(layer, tensor), channels.groups[call.source])]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        layer, value = call.op, values[0][call.source]
        kernel = value_of(layer.kernel)
        kernel = kernel.reshape(-1, len(value))
        dead = ~kernel.any(axis=0) | (value == 0)
        known = dead | (~np.isnan(value) & uniform_everywhere(layer))
        found = np.where(dead, 0, np.nan_to_num(value) * kernel.sum(axis=0, dtype=float))
        found = activated(layer, found + bias_of(layer, len(value)))
        return [np.where(known, found, np.nan)]

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        return [sources_of(call, needed[0])]

    def kernels(self, call: "Call") -> list[Sides]:
        return [Sides("kernel", None, call.outputs[0].groups)]

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        return [] if call.op.bias is None else [(call.op.bias, call.outputs[0].groups)]

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer = call.op
        bias = {} if layer.bias is None else {"bias": value_of(layer.bias)[kept.outputs[0]]}
        return {"kernel": value_of(layer.kernel)[..., kept.inputs[0], :], **bias}


def is_dense(layer: Any) -> bool:
    """Whether an EinsumDense is a Dense: it sums over the last axis and makes a new last one."""
    operands, result = layer.equation.replace(" ", "").split("->")
    read, kernel = operands.split(",")
    inner, unit = read[-1:], result[-1:]
    return (
        len(kernel) == 2
        and set(kernel) == {inner, unit}
        and inner not in result
        and read[:-1] == result[:-1]
        and layer.bias_axes in (None, unit)
    )


def units_come_first(layer: Any) -> bool:
    """Whether a layer's kernel has its units axis before its inputs axis."""
    if isinstance(layer, layers.EinsumDense):
        return kernels.einsum_units(layer) == (0,)
    return isinstance(layer, kernels.TRANSPOSED)


def uniform_everywhere(layer: keras.Layer) -> bool:
    """Whether an input that is equal at all positions gives an output that is."""
    if isinstance(layer, kernels.TRANSPOSED):
        return False  # each position sums a different number of weights
    padding = getattr(layer, "padding", "valid")
    return padding == "valid" or math.prod(layer.kernel_size) == 1


def bias_of(layer: keras.Layer, units: int) -> np.ndarray:
    """A layer's bias, or zeros."""
    return np.zeros(units) if layer.bias is None else value_of(layer.bias).astype(float)


def activated(layer: keras.Layer, values: np.ndarray) -> np.ndarray:
    """A layer's activation of values, of shape (units,), in the type that the model computes in."""
    if not is_elementwise(layer.activation):
        return np.full(len(values), np.nan)
    tensor = keras.ops.convert_to_tensor(values, dtype=layer.compute_dtype)
    activated = layer.activation(tensor) if layer.activation else tensor
    return np.asarray(keras.ops.convert_to_numpy(activated), float)
