"""Networks, from architectures by name or model files: build, load, compile, clone."""

import math
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.data_loaders.loader_utils import NUM_CLASSES
from ..settings.files import is_file
from ..settings.registry import named
from ..utils import RunError, UsageError, one_line, pluralize
from .architectures import Architecture, architecture_of
from .backend import device_names, keras, tf
from .copies import copy_of_model

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Dataset
    from ..settings.experiment import ExperimentConfig


def build(
    learning_rate: float = 0.001,
    l1_reg: float = 0.0,
    l2_reg: float = 0.0,
    seed: int = 0,
    name: str = "mlp",
    shape: Sequence[int] = (784,),
    num_classes: int = NUM_CLASSES,
) -> keras.Model:
    """Builds and compiles a network.

    Args:
        learning_rate: of Adam, whose other settings are Keras' defaults.
        l1_reg: factor of the sum of absolute hidden weights in the loss, of dense architectures.
        l2_reg: factor of the sum of squared hidden weights in the loss, of dense architectures.
        seed: of the Glorot uniform initial weights. Sets Python's, NumPy's and TensorFlow's too.
        name: of the architecture, or the path of a saved Keras model; the default is
            784-1000-1000-500-200-10 without biases.
        shape: of an example.
        num_classes: the number of outputs.

    Returns:
        A Keras model that maps examples to class probabilities, or logits, of shape
        (n, num_classes). That of an `Architecture` is a `keras.Sequential` with ReLU, softmax and
        the layers `hidden_1` … and `output`.

    Raises:
        UsageError: if there is no such architecture or file, or its network does not fit the
            examples.
    """
    keras.utils.set_random_seed(seed)
    architecture = None if is_file(name) else architecture_of(name)
    if isinstance(architecture, Architecture):
        size = math.prod(shape)
        return assemble(architecture, size, learning_rate, l1_reg, l2_reg, name, num_classes)
    if architecture is None:
        model, called = load(name), f"the model in {name}"
    else:
        model, called = architecture(shape, num_classes), f"the {named('model', name)}"
    check_classifier(model, called, shape, num_classes)
    compile_model(model, learning_rate, not _outputs_probabilities(model, called, shape))
    return model


def build_for(config: "ExperimentConfig", dataset: "Dataset") -> keras.Model:
    """The network of an `ExperimentConfig` for a `Dataset`, compiled."""
    return build(
        config.learning_rate,
        config.l1_reg,
        config.l2_reg,
        config.seed,
        config.model,
        dataset.shape,
        dataset.num_classes,
    )


def assemble(
    architecture: Architecture,
    input_size: int,
    learning_rate: float,
    l1_reg: float,
    l2_reg: float,
    name: str | None = None,
    num_classes: int = NUM_CLASSES,
) -> keras.Model:
    """A compiled network of an `Architecture`, for examples of shape (n, input_size)."""
    layers = [keras.Input((input_size,), name="images")]
    for number, units in enumerate(architecture.hidden_units, start=1):
        layers.append(
            keras.layers.Dense(
                units,
                activation="relu",
                use_bias=architecture.use_bias,
                kernel_regularizer=keras.regularizers.L1L2(l1_reg, l2_reg),
                name=f"hidden_{number}",
            )
        )
    layers.append(
        keras.layers.Dense(
            num_classes, activation="softmax", use_bias=architecture.use_bias, name="output"
        )
    )
    model = keras.Sequential(layers, name=name)
    compile_model(model, learning_rate)
    return model


def load(path: str | PathLike) -> keras.Model:
    """A model from a file of `keras.Model.save`, without its optimizer and loss.

    Loaded in Keras' safe mode: no code in the file is run.

    Raises:
        UsageError: if there is no file, it is not a model, or needs code that is not available.
    """
    place = Path(path).expanduser()
    if not place.is_file():
        raise UsageError(f"`model`: there is no file {path}.")
    device_names()  # lists the devices quietly, before Keras does
    try:
        return keras.saving.load_model(place, compile=False, safe_mode=True)
    except Exception as error:
        raise UsageError(f"`model`: {path} {_why_not_loaded(error)}.") from error


def _why_not_loaded(error):
    text = " ".join(str(error).split())
    if "ambda" in text or "unsafe" in text:
        return (
            "holds Python code (a Lambda layer), which is not run from files; save the model with "
            "your own layer class instead and name its module with `plugins`"
        )
    if any(
        sign in text for sign in ("ould not locate", "nknown layer", "nknown object", "egister")
    ):
        return (
            f"needs code that is not available ({one_line(text, 120)}); decorate the class or "
            "function with keras.saving.register_keras_serializable() and name its module with "
            "`plugins`"
        )
    return f"is not a model that keras.Model.save has written ({one_line(text, 120)})"


def check_classifier(model: Any, called: str, shape: Sequence[int], num_classes: int) -> None:
    """Makes sure that a model takes examples of this shape and has an output for each class.

    Raises:
        UsageError: if it does not.
        RunError: if it is not a Keras model.
    """
    if not isinstance(model, keras.Model):
        raise RunError(
            f"{called[0].upper()}{called[1:]} is a {type(model).__name__}, not a Keras model."
        )
    if not model.built:
        raise UsageError(f"`model`: {called} has no weights yet; build it, then save it.")
    fault = _fault_of_shapes(model, shape, num_classes)
    if fault:
        raise UsageError(f"`model`: {called} {fault}.")


def _fault_of_shapes(model, shape, num_classes):
    """Why a model's input or output shape does not fit; None if both do."""
    taken, outputs = _shape(model, "input_shape"), _shape(model, "output_shape")
    if example_shape(model, shape) is None:
        several = (
            "; models with several inputs are for the library: network_pruning.prune, and "
            "network_pruning.save or compress for small files"
        )
        advice = several if _are_several(taken) else ""
        return f"takes {_described(taken)}, but examples are of shape {shape}{advice}"
    if outputs is not None and (_are_several(outputs) or len(outputs) != 2):
        return (
            f"outputs {_described(outputs)}, but a probability or logit for each class is needed, "
            "of shape (None, classes); prune other models with network_pruning.prune"
        )
    if outputs and outputs[1] == 1:
        return (
            "outputs a single number, but one for each of two or more classes is needed; end it "
            "with Dense(2, activation='softmax')"
        )
    if outputs and outputs[1] is not None and outputs[1] < num_classes:
        return f"has {outputs[1]} outputs, but the data has {num_classes} classes"
    return None


def num_outputs(model: keras.Model) -> int | None:
    """The number of a model's outputs; None if it is unknown."""
    shape = _shape(model, "output_shape")
    return shape[1] if shape else None


def _shape(model, which):
    """`input_shape` or `output_shape`; None if it is unknown, as of a subclassed model."""
    try:
        return getattr(model, which)
    except (AttributeError, ValueError):
        return None


def _are_several(shapes):
    """Whether shapes are of several arrays, or of one by name: not a plain tuple of sizes."""
    return not isinstance(shapes, tuple) or any(isinstance(size, tuple) for size in shapes)


def _described(shapes):
    several = _are_several(shapes)
    return pluralize(len(shapes), "array") if several else f"arrays of shape {shapes}"


def example_shape(model: keras.Model, shape: Sequence[int]) -> tuple[int, ...] | None:
    """The shape in which a model takes examples of a given shape; None if it does not take them.

    Examples of the same size are reshaped: flat images get a height and a width, greyscale ones a
    channel.
    """
    taken = _shape(model, "input_shape")
    if taken is None:
        return tuple(shape)
    if _are_several(taken):
        return None
    taken = tuple(taken[1:])
    if None not in taken:
        return taken if _can_be_reshaped(taken, shape) else None
    with_channel = (*shape, 1)
    for candidate in (tuple(shape), with_channel):
        fits = (want in (None, size) for want, size in zip(taken, candidate, strict=False))
        if len(candidate) == len(taken) and all(fits):
            return candidate
    return None


def _can_be_reshaped(taken, shape):
    """Whether examples of one shape can be reshaped to the other: if either is flat, or they differ
    by axes of length 1."""
    if 1 in (len(taken), len(shape)):
        return math.prod(taken) == math.prod(shape)
    return [n for n in taken if n > 1] == [n for n in shape if n > 1]


def _outputs_probabilities(model, called, shape):
    """Whether a model outputs probabilities: tested on random examples, because the softmax may be
    in any layer.

    Raises:
        UsageError: if the model fails, or outputs neither probabilities nor logits.
    """
    examples = np.random.default_rng(0).random((8, *example_shape(model, shape)), np.float32)
    try:
        outputs = model(examples, training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        # Without Keras' colours and TensorFlow's node names.
        reason = re.sub(r"\x1b\[\d+m|\{\{.*?\}\}", "", str(error))
        reason = reason.strip().removeprefix("Exception encountered when calling ")
        raise UsageError(
            f"`model`: {called} cannot process examples of shape {examples.shape[1:]} "
            f"({one_line(reason, 120)})."
        ) from error
    if not keras.ops.is_tensor(outputs):
        raise UsageError(
            f"`model`: {called} outputs a {type(outputs).__name__}, but a single array is needed, "
            "with a probability or logit for each class."
        )
    outputs = np.asarray(outputs, np.float32)
    if not np.isfinite(outputs).all():
        raise UsageError("`model`: its outputs are not finite; it has NaN or infinite weights.")
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-2):
        return True
    if _last_activation(model) in (keras.activations.sigmoid, keras.activations.hard_sigmoid):
        raise UsageError(
            f"`model`: {called} outputs a sigmoid for each class, which are neither probabilities "
            "of one class nor logits; end it with a softmax or without an activation."
        )
    return False


def _last_activation(model):
    """The activation of a model's last layer; None if it is unknown."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    return getattr(list(layers)[-1], "activation", None)


def compile_model(
    model: keras.Model,
    learning_rate: float,
    from_logits: bool = False,
    optimizer_name: str | None = None,
) -> None:
    """Gives `model` a new Adam optimizer, cross-entropy on integer labels, and accuracy.

    Files contain the optimizer's name; None for Keras' default, which is numbered.
    """
    loss = "sparse_categorical_crossentropy"
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, name=optimizer_name),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True) if from_logits else loss,
        metrics=["accuracy"],
    )


def outputs_logits(model: keras.Model) -> bool:
    """Whether a compiled model outputs logits instead of probabilities."""
    return getattr(model.loss, "from_logits", False)


def clone(model: keras.Model, optimizer_name: str | None = None) -> keras.Model:
    """A new, compiled model with the same architecture and a copy of the weights."""
    copy = copy_of_model(model)
    rate, from_logits = float(model.optimizer.learning_rate), outputs_logits(model)
    compile_model(copy, rate, from_logits, optimizer_name)
    return copy
