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
from .rule_base import UnsupportedRule, channel_axis, sources_of

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call


layers = keras.layers


class LinearRule(UnsupportedRule):
    """Every unit reads all channels: dense layers and convolutions."""

    def kernel(self, layer: keras.Layer) -> np.ndarray:
        """The weights as an array of shape (positions, channels, units)."""
        kernel = value_of(own_variable(layer, "kernel"))
        if _units_come_first(layer):
            kernel = np.swapaxes(kernel, -1, -2)
        return kernel.reshape(-1, *kernel.shape[-2:])

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        layer, (tensor,) = call.op, call.tensors_out
        channels = call.inputs[0]
        units = tensor.shape[channel_axis(layer, tensor)]
        fits = channels and channels.axis == channel_axis(layer, call.tensors_in[0])
        if not fits or getattr(layer, "groups", 1) > 1 or has_own_weights(layer.activation):
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

    def fold(self, call: "Call", removed: np.ndarray, value: np.ndarray) -> np.ndarray:
        """What the removed, constant inputs add to each unit, of shape (units,)."""
        return _sums(np.where(removed, np.nan_to_num(value), 0), self.kernel(call.op))

    def config(self, call: "Call", kept: Sequence[Any], fold: np.ndarray | None) -> dict[str, Any]:
        layer, units = call.op, int(kept[1].sum())
        changed = {"use_bias": True} if self._folds(layer, kept, fold) else {}
        if isinstance(layer, layers.Dense):
            return {"units": units, **changed}
        if isinstance(layer, layers.EinsumDense):
            letter = layer.equation.replace(" ", "")[-1]
            changed = {"bias_axes": letter} if changed else {}
            return {"output_shape": [*layer.partial_output_shape[:-1], units], **changed}
        return {"filters": units, **changed}

    def _folds(self, layer, kept, fold):
        return layer.bias is None and fold is not None and fold[kept[1]].any()

    def weights(
        self, call: "Call", kept: Sequence[Any], fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer, (inputs, units) = call.op, kept
        kernel = value_of(own_variable(layer, "kernel"))
        first, last = (units, inputs) if _units_come_first(layer) else (inputs, units)
        for axis, chosen in ((-2, first), (-1, last)):  # booleans, or indices in another order
            if chosen.dtype != bool:
                kernel = np.take(kernel, chosen, axis=axis)
            elif not chosen.all():
                kernel = np.take(kernel, np.flatnonzero(chosen), axis=axis)
        return {"kernel": kernel, **self._bias(layer, kept, fold)}

    def _bias(self, layer, kept, fold):
        if layer.bias is None and not self._folds(layer, kept, fold):
            return {}
        bias = bias_of(layer, len(kept[1])) + (0 if fold is None else fold)
        return {"bias": bias[kept[1]]}


def _rows(matrix, mask):
    """The rows of a matrix in a mask: itself if they are all."""
    return matrix if mask.all() else matrix[mask]


def _sums(constants, kernel):
    """What constant inputs, most of them 0, add to each unit of a kernel of shape (positions,
    inputs, units)."""
    used = np.flatnonzero(constants)
    return constants[used] @ kernel[:, used].sum(axis=0, dtype=float)


class SeparableRule(LinearRule):
    """A depthwise convolution, then a pointwise one, in one layer."""

    def kernel(self, layer: keras.Layer) -> np.ndarray:
        depthwise = value_of(layer.depthwise_kernel)
        *_, channels, multiplier = depthwise.shape
        depthwise = depthwise.reshape(-1, channels, multiplier).astype(float)
        pointwise = value_of(layer.pointwise_kernel).reshape(channels, multiplier, -1)
        return np.einsum("pcm,cmu->pcu", depthwise, pointwise)

    def weights(
        self, call: "Call", kept: Sequence[Any], fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer, (inputs, units) = call.op, kept
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

    def weights(
        self, call: "Call", kept: Sequence[Any], fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        layer = call.op
        bias = {} if layer.bias is None else {"bias": value_of(layer.bias)[kept[1]]}
        return {"kernel": value_of(layer.kernel)[..., kept[0], :], **bias}


def _units_come_first(layer):
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
