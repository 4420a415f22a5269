"""The rule of each layer and operation that `shrink` supports."""

from typing import Any

import keras

from ..models import kernels
from .activations import is_pointwise
from .attention_rules import AttentionRule, is_attention
from .feed_forward_rules import FeedForwardRule, is_feed_forward
from .linear_rules import DepthwiseRule, GroupedRule, LinearRule, SeparableRule, is_dense
from .pointwise_rules import ElementwiseRule, PassThroughRule, PerChannelRule
from .recurrent_rules import RecurrentRule, is_recurrent
from .rule_base import UnsupportedRule
from .shape_rules import ConcatenateRule, ReshapeRule

layers = keras.layers


def _not_valid(layer):
    return getattr(layer, "padding", "valid") != "valid"


def _not_nearest(layer):
    return getattr(layer, "interpolation", "nearest") != "nearest"


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
    **{getattr(layers, name): rule for rule, names in _THROUGH.items() for name in names.split()},
    **dict.fromkeys((layers.Flatten, layers.Reshape, layers.Permute), ReshapeRule()),
    layers.Concatenate: ConcatenateRule(),
    **dict.fromkeys((layers.Dense, *kernels.CONVOLUTIONS, *kernels.TRANSPOSED), LinearRule()),
    **dict.fromkeys(kernels.SEPARABLE, SeparableRule()),
    **dict.fromkeys(kernels.DEPTHWISE, DepthwiseRule()),
    layers.BatchNormalization: PerChannelRule("gamma", "beta", "moving_mean", "moving_variance"),
    layers.PReLU: PerChannelRule("alpha"),
}
# Operations of `keras.ops` and operators in functional models, by name.
_OPERATIONS = frozenset(
    "Relu Relu6 Sigmoid Softplus Softsign Silu LogSigmoid LeakyRelu HardSigmoid HardSilu Elu Selu "
    "Gelu Celu HardTanh Tanh Abs Absolute Exp Square Negative Add Subtract Multiply Maximum "
    "Minimum".split()
)


def rule_for(op: Any) -> UnsupportedRule:
    """The rule of a layer or operation, by its exact class: a subclass may do anything."""
    kind = type(op)
    if getattr(op, "lora_enabled", False) or getattr(op, "quantization_mode", None):
        return UnsupportedRule()  # it multiplies with more than its kernel
    if getattr(op, "groups", 1) > 1 and isinstance(op, kernels.CONVOLUTIONS):
        return GroupedRule() if kind in _RULES else UnsupportedRule()
    if kind in _RULES:
        return _RULES[kind]
    if is_pointwise(op):
        return ElementwiseRule()
    if is_recurrent(op):
        return RecurrentRule()
    if is_attention(op):
        return AttentionRule()
    if is_feed_forward(op):
        return FeedForwardRule()
    if kind is layers.EinsumDense and is_dense(op):
        return LinearRule()
    if kind.__module__.startswith("keras.src.ops") and kind.__name__ in _OPERATIONS:
        return ElementwiseRule()
    return UnsupportedRule()
