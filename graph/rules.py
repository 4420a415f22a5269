"""What each kind of layer does with channels: a rule for everything that `shrink` understands.

A rule answers four questions of a `Call`: which channels come out; which of them are constant,
whatever the model sees; which channels that come in are needed for those that are needed after
it; and what the layer is without the others. What has no rule is left alone: `UnsupportedRule`.
"""

import math

import keras
import numpy as np

from ..models import kernels
from ..models.kernels import own_variable, value_of
from .channels import Channels

layers = keras.layers


class UnsupportedRule:
    """A layer that may look at everything: nothing that it reads or makes is removed."""

    def trace(self, call, groups):
        """The `Channels` of each output, or None for a call that it does not understand; joins
        and keeps groups.

        Args:
            call: a `Call` with the `Channels` of its inputs, None for those without.
            groups: the `ChannelGroups` of the model.
        """
        reason = f"{call.op.name} ({type(call.op).__name__})"
        for channels in call.inputs:
            keep(groups, channels, reason)
        outputs = [new_channels(groups, tensor) for tensor in call.tensors_out]
        for channels in outputs:
            keep(groups, channels, reason)
        return outputs

    def constants(self, call, values):
        """The value of each channel of each output where it is always the same, else NaN.

        Args:
            call: the `Call`.
            values: the same of each input.
        """
        return [np.full(len(channels), np.nan) if channels else None for channels in call.outputs]

    def needed(self, call, needed, values):
        """Which channels of each input are needed.

        Args:
            call: the `Call`.
            needed: which channels of each output are needed.
            values: the constants of each input.
        """
        return [np.ones(len(channels), bool) if channels else None for channels in call.inputs]

    def config(self, call, kept, fold):
        """What changes in the layer's config.

        Args:
            call: the `Call`.
            kept: booleans of the channels of input and output that stay, as a pair.
            fold: what constant inputs that go add to the outputs, or None.
        """
        return {}

    def weights(self, call, kept, fold):
        """The layer's weights without what goes, by attribute; None for all as they are."""


class ElementwiseRule(UnsupportedRule):
    """Each channel on its own, the same function for all: activations, dropout, sums, products.

    Several inputs are joined channel by channel.
    """

    def trace(self, call, groups):
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
            if len(channels) != number:  # one channel for all of the others
                keep(groups, channels, f"{call.op.name} spreads it over others")
        return [Channels(axis, groups.join(*(channels.groups for channels in full)))]

    def constants(self, call, values):
        (channels,) = call.outputs
        if channels is None:
            return [None]
        values = [_spread(value, len(channels)) for value in values]
        found = self._evaluated(call, values, ~np.isnan(np.sum(values, axis=0)))
        if type(call.op).__name__ == "Multiply":  # nothing times anything finite
            found[np.any([value == 0 for value in values], axis=0)] = 0
        return [found]

    def _evaluated(self, call, values, known):
        """What a call makes of constants, where all of them are known."""
        found = np.full(len(known), np.nan)
        if known.any():
            given = [None if value is None else np.nan_to_num(value) for value in values]
            found[known] = call.evaluate(given)[known]
            found[~np.isfinite(found)] = np.nan
        return found

    def needed(self, call, needed, values):
        (out,) = needed
        return [
            None if channels is None else out if len(channels) == len(out) else np.array([True])
            for channels in call.inputs
        ]


class PassThroughRule(ElementwiseRule):
    """Positions are moved, pooled or filled up, and the channels stay what they are.

    Args:
        only_zero: tells of a layer whether only channels that are zero stay constant.
    """

    def __init__(self, only_zero=lambda _layer: False):
        self.only_zero = only_zero

    def trace(self, call, groups):
        channels, (tensor,) = call.inputs[0], call.tensors_out
        if len(call.inputs) > 1:  # a mask, say
            return None
        if channels is None or channels.axis != channel_axis(call.op, call.tensors_in[0]):
            return None
        return [Channels(channel_axis(call.op, tensor), channels.groups)]

    def constants(self, call, values):
        (value,) = values
        return [np.where(value == 0, 0, np.nan) if self.only_zero(call.op) else value]


class ReshapeRule(UnsupportedRule):
    """Flatten, Reshape, Permute: run on the numbers of the channels, they say where each goes."""

    def trace(self, call, groups):
        channels, (tensor,) = call.inputs[0], call.tensors_out
        found = channels and len(call.inputs) == 1 and self._source(call, channels)
        if not found:
            return None
        axis, call.source = found
        if len(call.source) != tensor.shape[axis]:
            return None
        return [Channels(axis, channels.groups[call.source])]

    def _source(self, call, channels):
        """The axis of the output that numbers its channels, and which channel of the input each
        is; None where no axis does."""
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

    def constants(self, call, values):
        return [values[0][call.source]]

    def needed(self, call, needed, values):
        return [_sources_of(call, needed[0])]

    def config(self, call, kept, fold):
        if not isinstance(call.op, layers.Reshape) or kept[1].all():
            return {}
        target = list(call.tensors_out[0].shape[1:])
        target[call.outputs[0].axis - 1] = int(kept[1].sum())
        return {"target_shape": [-1 if size is None else size for size in target]}


class ConcatenateRule(UnsupportedRule):
    """Parts beside each other, which stay apart."""

    def trace(self, call, groups):
        (tensor,) = call.tensors_out
        axes = {channels.axis if channels else None for channels in call.inputs}
        if len(axes) != 1 or axes == {None}:
            return None
        (axis,) = axes
        call.beside = call.op.axis % len(tensor.shape) == axis
        parts = [channels.groups for channels in call.inputs]
        if call.beside:
            return [Channels(axis, np.concatenate(parts))]
        return [Channels(axis, groups.join(*parts))]

    def constants(self, call, values):
        if call.beside:
            return [np.concatenate(values)]
        same = np.all([value == values[0] for value in values], axis=0)
        return [np.where(same, values[0], np.nan)]

    def needed(self, call, needed, values):
        if not call.beside:
            return [needed[0] for _ in call.inputs]
        return np.split(needed[0], np.cumsum([len(channels) for channels in call.inputs])[:-1])


class LinearRule(UnsupportedRule):
    """Every unit reads all channels: dense layers and convolutions."""

    def kernel(self, layer):
        """The weights as an array of shape (positions, channels, units)."""
        kernel = value_of(own_variable(layer, "kernel"))
        if _is_turned(layer):
            kernel = np.swapaxes(kernel, -1, -2)
        return kernel.reshape(-1, *kernel.shape[-2:])

    def trace(self, call, groups):
        layer, (tensor,) = call.op, call.tensors_out
        channels = call.inputs[0]
        units = tensor.shape[channel_axis(layer, tensor)]
        fits = channels and channels.axis == channel_axis(layer, call.tensors_in[0])
        if not fits or getattr(layer, "groups", 1) > 1 or _has_own_weights(layer.activation):
            return None
        made = groups.new(units)
        if not is_elementwise(layer.activation):
            name = activation_name(layer.activation)
            groups.keep(made, f"{layer.name} ({name} looks at all units)")
        return [Channels(channel_axis(layer, tensor), made)]

    def foldable(self, call, values):
        """Which constant channels may become a part of the bias: zeros do anywhere, others only
        where every position of the output sees the same."""
        uniform = uniform_everywhere(call.op) and not call.shared
        return ~np.isnan(values) if uniform else values == 0

    def constants(self, call, values):
        kernel, foldable = self.kernel(call.op), self.foldable(call, values[0])
        call.reads = (kernel != 0).any(axis=0)  # which units each channel goes into
        unknown = call.reads[~foldable].any(axis=0)
        known = np.nan_to_num(np.where(foldable, values[0], 0)) @ kernel.sum(axis=0, dtype=float)
        found = activated(call.op, known + bias_of(call.op, len(known)))
        return [np.where(unknown | ~np.isfinite(found), np.nan, found)]

    def needed(self, call, needed, values):
        reads = call.reads[:, needed[0]].any(axis=1)
        return [reads & ~self.foldable(call, values[0]), *super().needed(call, needed, values)[1:]]

    def fold(self, call, gone, value):
        """What constant inputs that go add to each unit, of shape (units,)."""
        constant = np.where(gone, np.nan_to_num(value), 0)
        return constant @ self.kernel(call.op).sum(axis=0, dtype=float)

    def config(self, call, kept, fold):
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

    def weights(self, call, kept, fold):
        layer, (inputs, units) = call.op, kept
        kernel = value_of(own_variable(layer, "kernel"))
        first, last = (units, inputs) if _is_turned(layer) else (inputs, units)
        return {"kernel": kernel[..., first, :][..., last], **self._bias(layer, kept, fold)}

    def _bias(self, layer, kept, fold):
        if layer.bias is None and not self._folds(layer, kept, fold):
            return {}
        bias = bias_of(layer, len(kept[1])) + (0 if fold is None else fold)
        return {"bias": bias[kept[1]]}


class SeparableRule(LinearRule):
    """A depthwise convolution and then a mixing one, in one layer."""

    def kernel(self, layer):
        depthwise = value_of(layer.depthwise_kernel)
        *_, channels, multiplier = depthwise.shape
        depthwise = depthwise.reshape(-1, channels, multiplier).astype(float)
        pointwise = value_of(layer.pointwise_kernel).reshape(channels, multiplier, -1)
        return np.einsum("pcm,cmu->pcu", depthwise, pointwise)

    def weights(self, call, kept, fold):
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
    """A filter, or several, for each channel on its own."""

    def trace(self, call, groups):
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

    def constants(self, call, values):
        layer, value = call.op, values[0][call.source]
        kernel = value_of(layer.kernel)
        kernel = kernel.reshape(-1, len(value))
        dead = ~kernel.any(axis=0) | (value == 0)
        known = dead | (~np.isnan(value) & uniform_everywhere(layer))
        found = np.where(dead, 0, np.nan_to_num(value) * kernel.sum(axis=0, dtype=float))
        found = activated(layer, found + bias_of(layer, len(value)))
        return [np.where(known, found, np.nan)]

    def needed(self, call, needed, values):
        return [_sources_of(call, needed[0])]

    def weights(self, call, kept, fold):
        layer = call.op
        bias = {} if layer.bias is None else {"bias": value_of(layer.bias)[kept[1]]}
        return {"kernel": value_of(layer.kernel)[..., kept[0], :], **bias}


class PerChannelRule(ElementwiseRule):
    """Numbers of its own for each channel: batch normalization, PReLU.

    Args:
        attributes: of the layer, arrays with the channels along their last axis.
    """

    def __init__(self, *attributes):
        self.attributes = attributes

    def trace(self, call, groups):
        channels = call.inputs[0]
        axis = getattr(call.op, "axis", -1)
        rank = len(call.tensors_in[0].shape)
        fits = isinstance(axis, int) and channels and channels.axis == axis % rank
        shapes = [variable.shape for variable in self._variables(call.op).values()]
        if not fits or any({math.prod(s), s[-1]} != {len(channels)} for s in shapes):
            return None
        return [Channels(channels.axis, channels.groups)]

    def constants(self, call, values):
        value, *masks = values
        gamma = getattr(call.op, "gamma", None)
        if gamma is not None:  # nothing of the input comes through a factor of zero
            value = np.where(value_of(gamma) == 0, 0, value)
        return [self._evaluated(call, [value, *(None for _ in masks)], ~np.isnan(value))]

    def needed(self, call, needed, values):
        return [needed[0], *UnsupportedRule.needed(self, call, needed, values)[1:]]

    def weights(self, call, kept, fold):
        variables = self._variables(call.op).items()
        return {name: value_of(variable)[..., kept[0]] for name, variable in variables}

    def _variables(self, layer):
        found = {name: getattr(layer, name, None) for name in self.attributes}
        return {name: variable for name, variable in found.items() if variable is not None}


def keep(groups, channels, reason):
    """Notes that all these channels stay."""
    if channels:
        groups.keep(channels.groups, reason)


def new_channels(groups, tensor):
    """New channels along the last axis of a tensor; None where it has none or their number is
    open."""
    if len(tensor.shape) < 2 or tensor.shape[-1] is None:
        return None
    return Channels(len(tensor.shape) - 1, groups.new(tensor.shape[-1]))


def _sources_of(call, needed):
    """Which channels of a call's input these channels of its output come from."""
    found = np.zeros(len(call.inputs[0]), bool)
    np.logical_or.at(found, call.source, needed)
    return found


def _is_turned(layer):
    """Whether the last two axes of a layer's kernel are units and inputs, in this order."""
    if isinstance(layer, layers.EinsumDense):
        return kernels.einsum_units(layer) == (0,)
    return isinstance(layer, kernels.TRANSPOSED)


def channel_axis(layer, tensor):
    """The axis of a tensor along which a layer counts channels."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return 1 if first and len(tensor.shape) > 1 else len(tensor.shape) - 1


def uniform_everywhere(layer):
    """Whether an input that is the same at all positions gives such an output."""
    if isinstance(layer, kernels.TRANSPOSED):
        return False  # positions are reached by different numbers of weights
    padding = getattr(layer, "padding", "valid")
    return padding == "valid" or math.prod(layer.kernel_size) == 1


def bias_of(layer, units):
    """A layer's bias, or zeros."""
    return np.zeros(units) if layer.bias is None else value_of(layer.bias).astype(float)


def activated(layer, values):
    """A layer's activation of numbers, one for each unit, as the model computes it."""
    if not is_elementwise(layer.activation):
        return np.full(len(values), np.nan)
    tensor = keras.ops.convert_to_tensor(values, dtype=layer.compute_dtype)
    activated = layer.activation(tensor) if layer.activation else tensor
    return np.asarray(keras.ops.convert_to_numpy(activated), float)


_ELEMENTWISE_ACTIVATIONS = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear "
    "log_sigmoid mish relu relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus "
    "sparse_sigmoid squareplus tanh tanh_shrink threshold"
).split()


def is_elementwise(activation):
    """Whether an activation looks at each number on its own, as far as is known."""
    if activation is None:
        return True
    if isinstance(activation, keras.layers.Layer):
        return type(rule_for(activation)) is ElementwiseRule
    return activation_name(activation) in _ELEMENTWISE_ACTIVATIONS


def _has_own_weights(activation):
    """Whether an activation is a layer with weights, such as PReLU."""
    return isinstance(activation, keras.layers.Layer) and bool(activation.variables)


def activation_name(activation):
    """What an activation is called, if Keras knows it; otherwise some text."""
    name = getattr(activation, "__name__", type(activation).__name__)
    known = getattr(keras.activations, name, None)
    return name if known is activation else f"own {name}"


def _spread(value, number):
    return np.full(number, np.nan) if value is None else np.broadcast_to(value, number)


def _not_valid(layer):
    return getattr(layer, "padding", "valid") != "valid"


def _not_nearest(layer):
    return getattr(layer, "interpolation", "nearest") != "nearest"


_AGREE = (
    "ReLU LeakyReLU ELU Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise "
    "GaussianDropout AlphaDropout ActivityRegularization Identity Add Subtract Multiply Average "
    "Maximum Minimum"
).split()
_THROUGH = {
    PassThroughRule(): "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Cropping1D Cropping2D Cropping3D "
    "UpSampling1D UpSampling3D",
    PassThroughRule(_not_nearest): "UpSampling2D",
    PassThroughRule(
        _not_valid
    ): "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D",
    PassThroughRule(lambda _: True): "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
}
_RULES = {
    **{getattr(layers, name): ElementwiseRule() for name in _AGREE},
    **{getattr(layers, name): rule for rule, names in _THROUGH.items() for name in names.split()},
    **dict.fromkeys((layers.Flatten, layers.Reshape, layers.Permute), ReshapeRule()),
    layers.Concatenate: ConcatenateRule(),
    **dict.fromkeys((layers.Dense, *kernels.CONVOLUTIONS, *kernels.TRANSPOSED), LinearRule()),
    **dict.fromkeys(kernels.SEPARABLE, SeparableRule()),
    **dict.fromkeys(kernels.DEPTHWISE, DepthwiseRule()),
    layers.BatchNormalization: PerChannelRule("gamma", "beta", "moving_mean", "moving_variance"),
    layers.PReLU: PerChannelRule("alpha"),
}
# Operations of `keras.ops` and operators in functional models, by name: they are no layers.
_OPERATIONS = frozenset(
    "Relu Relu6 Sigmoid Softplus Softsign Silu LogSigmoid LeakyRelu HardSigmoid HardSilu Elu Selu "
    "Gelu Celu HardTanh Tanh Abs Absolute Exp Square Negative Add Subtract Multiply Maximum "
    "Minimum".split()
)


def rule_for(op):
    """The rule of a layer or operation, by exactly its class: a subclass may do anything."""
    kind = type(op)
    if getattr(op, "lora_enabled", False) or getattr(op, "quantization_mode", None):
        return UnsupportedRule()  # its kernel is not all that it multiplies with
    if kind is layers.Dropout and any(size not in (None, 1) for size in op.noise_shape or ()):
        return UnsupportedRule()  # it counts on so many channels
    if kind in _RULES:
        return _RULES[kind]
    if kind is layers.Activation and is_elementwise(op.activation):
        return ElementwiseRule()
    if kind is layers.Rescaling and np.ndim(op.scale) == np.ndim(op.offset) == 0:
        return ElementwiseRule()
    if kind is layers.EinsumDense and _is_dense(op):
        return LinearRule()
    if kind.__module__.startswith("keras.src.ops") and kind.__name__ in _OPERATIONS:
        return ElementwiseRule()
    return UnsupportedRule()


def _is_dense(layer):
    """Whether an EinsumDense does what a Dense does: sums over the last axis, makes a last one."""
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
