"""Which activations and layers work elementwise."""

from typing import Any

import keras
import numpy as np

layers = keras.layers

_POINTWISE = frozenset(
    getattr(layers, name)
    for name in (
        "ReLU LeakyReLU ELU SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise "
        "GaussianDropout AlphaDropout ActivityRegularization Identity Add Subtract Multiply "
        "Average Maximum Minimum"
    ).split()
)
_ELEMENTWISE_ACTIVATIONS = (
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear "
    "log_sigmoid mish relu relu6 selu sigmoid silu soft_shrink softplus softsign sparse_plus "
    "sparse_sigmoid squareplus tanh tanh_shrink threshold gelu_approximate"
).split()


def is_elementwise(activation: Any) -> bool:
    """Whether an activation is known to work elementwise."""
    if activation is None:
        return True
    if isinstance(activation, keras.layers.Layer):
        return is_pointwise(activation)
    return activation_name(activation) in _ELEMENTWISE_ACTIVATIONS


def is_zero_at_zero(activation: Any) -> bool:
    """Whether an activation leaves a zero as it is."""
    if activation is None:
        return True
    return not np.asarray(keras.ops.convert_to_numpy(activation(keras.ops.zeros((1,))))).any()


def has_own_weights(activation: Any) -> bool:
    """Whether an activation is a layer with weights, such as PReLU."""
    return isinstance(activation, keras.layers.Layer) and bool(activation.variables)


def activation_name(activation: Any) -> str:
    """The name of an activation of Keras or KerasHub; of any other one "own" and its name."""
    name = getattr(activation, "__name__", type(activation).__name__)
    of_keras = (getattr(place, name, None) for place in (keras.activations, keras.ops))
    is_of_hub = str(getattr(activation, "__module__", "")).startswith("keras_hub.")
    known = is_of_hub or any(each is activation for each in of_keras)
    return name if known else f"own {name}"


def is_pointwise(layer: Any) -> bool:
    """Whether a layer works elementwise. Only exact classes count: a subclass may do anything."""
    kind = type(layer)
    if kind is layers.Dropout:  # its noise shape may fix the number of channels
        return all(size in (None, 1) for size in layer.noise_shape or ())
    if kind is layers.Activation:
        return is_elementwise(layer.activation)
    if kind is layers.Rescaling:
        return np.ndim(layer.scale) == np.ndim(layer.offset) == 0
    return kind in _POINTWISE
