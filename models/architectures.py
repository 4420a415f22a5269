"""Architectures: one registered function per value of the setting `model`.

It returns an `Architecture` of dense layers, or for any other network a function that takes the
shape of an example and the number of classes, and returns a Keras model that outputs a probability
or a logit for each class.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

from ..settings.files import MODEL_FILES, is_file
from ..settings.registry import Registry, named
from ..utils import UsageError

if TYPE_CHECKING:
    import keras


ARCHITECTURES = Registry(
    "model",
    setting="model",
    takes=(),
    also=[f"a file that ends in {', '.join(MODEL_FILES)}"],
)
register_model = ARCHITECTURES.register

MLP_UNITS = (1000, 1000, 500, 200)


@dataclass(frozen=True)
class Architecture:
    """Dense layers: units of the hidden ones, in order, and whether all have biases."""

    hidden_units: tuple[int, ...]
    use_bias: bool


@register_model("mlp")
def mlp() -> Architecture:
    """The reference network, 784-1000-1000-500-200-10 without biases: 2,386,000 weights."""
    return Architecture(MLP_UNITS, use_bias=False)


@register_model("lenet_300_100")
def lenet_300_100() -> Architecture:
    """The network of the pruning literature, 784-300-100-10 with biases: 266,610 weights and
    biases (LeCun et al., 1998)."""
    return Architecture((300, 100), use_bias=True)


@register_model("lenet_5")
def lenet_5() -> "Callable[..., keras.Model]":
    """The convolutional network of the pruning literature, LeNet-5 as in Caffe, 20-50-500-10 with
    biases: 431,080 weights and biases for 28×28 images (LeCun et al., 1998). ReLU follows every
    layer but the last."""
    return _lenet_5


def _lenet_5(shape, num_classes):
    from .backend import keras

    layers, shape = keras.layers, image_shape(shape)
    if min(shape[:2]) < 16:
        raise UsageError(
            f"`model`: lenet_5 needs images of 16×16 pixels or more, not {shape[0]}×{shape[1]}."
        )
    return keras.Sequential(
        [
            keras.Input(shape, name="images"),
            layers.Conv2D(20, 5, activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(50, 5, activation="relu", name="conv_2"),
            layers.MaxPooling2D(name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(500, activation="relu", name="hidden"),
            layers.Dense(num_classes, activation="softmax", name="output"),
        ],
        name="lenet_5",
    )


def image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """The shape (height, width, channels) of images; flat ones count as square and greyscale.

    Raises:
        UsageError: if examples of this shape are not images.
    """
    if len(shape) == 1 and math.isqrt(shape[0]) ** 2 == shape[0]:
        return (math.isqrt(shape[0]),) * 2 + (1,)
    if len(shape) in (2, 3):
        height, width, channels, *_ = *shape, 1
        return height, width, channels
    raise UsageError(
        f"`dataset`: its examples are of shape {shape}, but images are needed: of shape (height, "
        "width), with channels or without."
    )


def is_dense(name: str) -> bool:
    """Whether `model` names an architecture of dense layers, which is read without Keras.

    Raises:
        UsageError: as `architecture_of`.
    """
    return not is_file(name) and isinstance(architecture_of(name), Architecture)


def architecture_of(name: str) -> "Architecture | Callable[..., keras.Model]":
    """The `Architecture` registered as `name`, or the function that builds its model.

    Raises:
        UsageError: if there is none, or its function returns something else.
    """
    architecture = ARCHITECTURES.get(name)()
    if callable(architecture) and not isinstance(architecture, type):
        return architecture
    fault = _fault(architecture)
    if fault:
        raise UsageError(
            f"`model`: the {named('model', name)} cannot be built: {fault}; an Architecture is "
            "needed with the units of one hidden layer or more, such as Architecture((300, 100), "
            "use_bias=True), or a function of shape and classes that returns a Keras model."
        )
    return architecture


def _fault(architecture):
    """Why a value is not a valid `Architecture`; None if it is."""
    if not isinstance(architecture, Architecture):
        return f"its function returned {architecture!r}"
    units = architecture.hidden_units
    if not isinstance(units, tuple) or not units:
        return f"hidden_units is {units!r}"
    if not all(isinstance(n, Integral) and not isinstance(n, bool) and n > 0 for n in units):
        return f"hidden_units is {units!r}, not whole numbers above 0"
    if not isinstance(architecture.use_bias, bool):
        return f"use_bias is {architecture.use_bias!r}"
    return None
