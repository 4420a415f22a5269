"""Keras models in very small files: `network_pruning.save` and `network_pruning.load`.

docs/small.md specifies the format, `.npk`.
"""

import contextlib
import copy
import inspect
import numbers
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state

from ..config import BITS, UsageError
from ..models import kernels
from ..models.copies import check_built, knowing
from ..models.kernels import value_of
from ..utils import atomic_path, one_line
from . import npk_file
from .graph import Graph, function_of
from .life import Life
from .npk_writer import estimated_size, write
from .order import in_order
from .quantization import accuracy, quantized
from .shrink import Surgery


def save(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    bits: int | None = None,
    data: tuple[Any, Any] | None = None,
    max_accuracy_drop: float | None = None,
) -> int:
    """Writes a Keras model to an `.npk` file, hundreds of times smaller if it is pruned.

    What has no influence on the answers is left out as by `shrink`, behind unchanged inputs, and
    units of a layer change their order. What is left is kept bit by bit, unless `bits` or
    `max_accuracy_drop` say otherwise. Loss, optimizer and initializers are not kept.

    Args:
        model: any built Keras model.
        path: of the file; one that is there is replaced when the new one is complete.
        bits: 2 to 6: rounds the weights of each kernel and the biases to 2ᵇⁱᵗˢ levels, other
            numbers to 16 bits.
        data: examples `(x, y)`, y as class numbers or one-hot rows, for `max_accuracy_drop`.
        max_accuracy_drop: chooses the fewest bits with which no more than this share of `data`, in
            [0, 1], is lost; all bits are kept where none is good enough.

    Returns:
        The size of the file in bytes.

    Raises:
        UsageError: (a ValueError) if an argument makes no sense.
        ValueError: if the model is not built or cannot be written, or not loaded again.
        RunError: if the file cannot be written.

    Source: rounding and coding as in Deep Compression (Han et al., 2016, arXiv:1510.00149), with
    adaptive models and a range coder.
    """
    _check(model, bits, data, max_accuracy_drop)
    smaller = without_what_is_gone(model)
    if max_accuracy_drop is not None:
        smaller = _with_fewest_bits(smaller, data, max_accuracy_drop)
    elif bits is not None:
        smaller = quantized(smaller, bits)
    content = to_bytes(smaller)
    check_loadable(smaller)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)
    return len(content)


def load(path: str | os.PathLike) -> keras.Model:
    """The Keras model in an `.npk` file, on any backend, not compiled.

    Nothing in the file is executed. A model with classes of your own needs them registered with
    `keras.saving.register_keras_serializable`.

    Args:
        path: of the file.

    Raises:
        ValueError: if it is no such file, is damaged, or needs code that is not there.
        OSError: if it cannot be read.
    """
    return from_bytes(Path(path).read_bytes(), path)


def from_bytes(content, path):
    """The same from the bytes of a file; `path` is what messages call it."""
    config, arrays = npk_file.read_bytes(content, path)
    try:
        _check_sources(config)
        with _without_memory():
            _check_shapes(_built(config), arrays)
        model = _built(config)
    except Exception as error:
        raise ValueError(
            f"{path} holds no model that can be built: {npk_file.reason(error)}."
        ) from error
    for variable, array in zip(model.weights, arrays, strict=True):
        variable.assign(array)
    return model


def to_bytes(model):
    """The bytes of a file with a model as it is, but for the order of its units.

    Raises:
        ValueError: if it has numbers of a type that the format does not know.
    """
    arrays = [_known_type(array) for array in in_order(model)]
    return write(plain_config(model), arrays, _column_axes(model))


def plain_config(model):
    """The config of a Keras model without what is so by default."""
    return _plain_config(keras.saving.serialize_keras_object(model))


def estimated_bytes(model):
    """About how many these are, in a hundredth of the time."""
    arrays = [_known_type(value_of(variable)) for variable in model.weights]
    return estimated_size(arrays, _column_axes(model))


def _column_axes(model):
    """How many of the last axes of each weight number the columns of a matrix."""
    axes = {id(kernel.variable): len(kernel.units) for kernel in kernels.all_kernels(model)}
    return [axes.get(id(variable), 1) for variable in model.weights]


def _known_type(array):
    # NumPy knows no such type; the format finds out that 16 bits are enough.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _check(model, bits, data, max_accuracy_drop):
    check_built(model)
    if bits is not None and bits not in BITS:
        raise UsageError(f"bits: {bits!r} is not a whole number from {BITS[0]} to {BITS[-1]}.")
    if max_accuracy_drop is None:
        return
    if bits is not None:
        raise UsageError("bits and max_accuracy_drop both choose the bits; give one of them.")
    if data is None:
        raise UsageError("data: give examples as data=(x, y), by which accuracy is measured.")
    if not isinstance(max_accuracy_drop, numbers.Real) or not 0 <= max_accuracy_drop <= 1:
        raise UsageError(f"max_accuracy_drop: {max_accuracy_drop!r} is not a share in [0, 1].")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise UsageError("data: give examples as a pair data=(x, y).")
    x, y = data
    first = next(iter(x.values())) if isinstance(x, dict) else x
    inputs = getattr(model, "inputs", None) or ()
    if isinstance(x, tuple | list) and len(inputs) > 1:  # an array for each input
        first = x[0]
    if len(first) != len(y) or not len(y):
        raise UsageError(
            f"data: {len(first):,} examples and {len(y):,} classes; as many of both are needed, "
            "and one at least."
        )


def without_what_is_gone(model):
    """The smaller model behind unchanged inputs; a subclassed one as it is."""
    if function_of(model) is None:
        return model
    graph = Graph(model)
    life = Life.of(graph)
    for channels in graph.inputs:
        if channels:  # inputs that nothing reads cost next to nothing, to choose some would
            life.needed[graph.atoms.find(channels.atoms)] = True
    with knowing(model):
        return Surgery(graph, life).operate()


def check_loadable(model):
    """Makes sure that what is written of a model can be read again.

    Raises:
        ValueError: if not; the message says why.
    """
    try:
        config = plain_config(model)
        _check_sources(config)
        with _without_memory():
            _built(config)
    except Exception as error:  # of Keras and of the user's classes: anything
        raise ValueError(
            f"The model could not be loaded again: {npk_file.reason(error)}."
        ) from error


def _with_fewest_bits(model, data, max_accuracy_drop):
    try:
        least = accuracy(model, data) - max_accuracy_drop
    except Exception as error:  # of Keras and the backend: anything
        raise UsageError(
            f"data: the model cannot answer these examples ({one_line(error, 160)})."
        ) from error
    candidates = (quantized(model, bits) for bits in BITS)
    return next((each for each in candidates if accuracy(each, data) >= least), model)


def _plain_config(config):
    """A config of Keras without what is so by default, and what a trained model needs no more."""
    if isinstance(config, (list, tuple)):
        return [_plain_config(each) for each in config]
    if not isinstance(config, dict):
        return config
    config = {key: _plain_config(value) for key, value in config.items()}
    if config.get("registered_name", "") is None:
        del config["registered_name"]
    config.pop("compile_config", None)
    if str(config.get("module", "")).startswith("keras"):
        config.pop("build_config", None)
        defaults = _defaults(config)
        config["config"] = {
            key: value
            for key, value in config["config"].items()
            if not (key in defaults and (key.endswith("_initializer") or value == defaults[key]))
        }
    return config


def _defaults(config):
    """The default arguments of the class that a config is of; none of layers' without weights."""
    kind = getattr(keras.layers, config["class_name"], None)
    if kind is None or config["module"] != "keras.layers":
        return {}
    parameters = inspect.signature(kind.__init__).parameters.values()
    defaults = {each.name: each.default for each in parameters} | {"trainable": True}
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()
    }


def _check_sources(config):
    """Makes sure that a config names nothing but what Keras brings or the user has registered."""
    if isinstance(config, dict):
        module = config.get("module")
        if isinstance(module, str) and module.split(".")[0] != "keras":
            name = config.get("registered_name") or config.get("class_name")
            if keras.saving.get_registered_object(name) is None:
                raise ValueError(
                    f"it needs {name}, which is not registered with "
                    "keras.saving.register_keras_serializable"
                )
    if isinstance(config, (dict, list)):
        for each in config.values() if isinstance(config, dict) else config:
            _check_sources(each)


def _built(config):
    config = copy.deepcopy(config)  # Keras takes it apart
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError("it describes no built model")
    return model


@contextlib.contextmanager
def _without_memory():
    """While it lasts, models have no weights but shapes: a forged config may claim any number."""
    waiting = "uninitialized_variables"  # for the end of a scope, which would give them memory
    before = list(global_state.get_global_attribute(waiting) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(waiting, before)


def _check_shapes(model, arrays):
    found = [tuple(array.shape) for array in arrays]
    wanted = [tuple(variable.shape) for variable in model.weights]
    if found != wanted:
        raise ValueError("its arrays are not those of its model")
