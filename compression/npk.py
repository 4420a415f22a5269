"""Keras models in very small files: `network_pruning.save` and `network_pruning.load`.

docs/small.md specifies the format, `.npk`.
"""

import contextlib
import numbers
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..graph.liveness import LivenessAnalysis
from ..graph.shrink import GraphRewriter
from ..graph.tracing import Graph, function_of
from ..graph.unit_order import reorder_units
from ..models import kernels
from ..models.copies import check_built, in_order_of, knowing, refresh
from ..models.kernels import value_of
from ..settings.export import BITS
from ..utils import UsageError, atomic_path
from . import npk_config, npk_file
from .npk_config import check_loadable, plain_config
from .npk_estimate import estimated_size
from .npk_writer import write
from .quality import Quality, check_drop
from .quantization import is_quantized, quantized


def save(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    bits: int | None = None,
    data: tuple[Any, Any] | None = None,
    max_accuracy_drop: float | None = None,
    metric: keras.Metric | Callable[[Any, Any], float] | None = None,
) -> int:
    """Writes a Keras model to an `.npk` file, hundreds of times smaller if it is pruned.

    What has no influence on the answers is left out as by `shrink`, behind unchanged inputs, and
    units of a layer change their order. What is left is kept bit by bit, unless `bits` or
    `max_accuracy_drop` say otherwise. Loss, optimizer and initializers are not kept. A model that
    Keras has quantized keeps its layers and their integers as they are.

    Args:
        model: any built Keras model.
        path: of the file; one that is there is replaced when the new one is complete.
        bits: 2 to 6: rounds the weights of each kernel and the biases to 2ᵇⁱᵗˢ levels, other
            weights that are trained to 16 bits. Statistics, as of normalizations, stay as they are.
        data: examples `(x, y)`, for `max_accuracy_drop`: x of shape (n, …), y as class numbers of
            shape (n,), as one-hot rows, as labels of 0 and 1 of the answers' shape, or whatever
            `metric` takes.
        max_accuracy_drop: chooses the fewest bits with which no more than this share of `data`, in
            [0, 1], is lost, as measured on what is saved; all bits are kept where none is good
            enough. With `metric` it is in the units of that, 0 or more.
        metric: how good answers are, of a model that is no classifier, say: a Keras metric, or a
            function of `(y, answers)` that returns a number. Higher is better, unless Keras says
            otherwise of its metric, or it is called like a loss: `quality.lower_is_better`.

    Returns:
        The size of the file in bytes.

    Raises:
        UsageError: (a ValueError) if an argument makes no sense.
        ValueError: if the model is not built or cannot be written, or not loaded again.
        RunError: if the file cannot be written.

    Source: rounding and coding as in Deep Compression (Han et al., 2016, arXiv:1510.00149), with
    adaptive models and a range coder.
    """
    check_built(model)
    path, bits = _checked_path(path), _checked_bits(bits)
    check_drop(bits, data, max_accuracy_drop, metric)
    smaller = remove_dead_units(model)
    check_loadable(smaller)
    if max_accuracy_drop is not None:
        quality = Quality(model, data, metric)
        smaller = _with_fewest_bits(smaller, quality, quality(model), max_accuracy_drop)
    elif bits is not None:
        smaller = quantized(smaller, bits)
    content = to_bytes(smaller)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def load(path: str | os.PathLike) -> keras.Model:
    """The Keras model in an `.npk` file, on any backend, not compiled.

    Nothing in the file is executed: it may name layers of Keras' that only compute, and nothing
    else. A model with classes of your own needs them registered with
    `keras.saving.register_keras_serializable`.

    Args:
        path: of the file.

    Raises:
        UsageError: (a ValueError) if `path` is none.
        ValueError: if it is no such file, is damaged, or needs code that is not there.
        OSError: if it cannot be read.
    """
    path = _checked_path(path)
    return from_bytes(path.read_bytes(), path)


def from_bytes(content: bytes, path: str | PathLike) -> keras.Model:
    """The same from the bytes of a file; `path` is what messages call it."""
    config = npk_file.read_config(content, path)
    with _explained(path):
        shapes = [tuple(variable.shape) for variable in npk_config.variables(config)]
    # Before memory is taken for what the config claims; decoded is nothing that it does not have.
    arrays = npk_file.read_arrays(content, path, shapes)
    with _explained(path):
        return _filled(config, arrays)


@contextlib.contextmanager
def _explained(path):
    """Makes one sentence of what Keras, or a class of the user's, says of a config."""
    try:
        yield
    except Exception as error:  # anything
        raise ValueError(
            f"{path} holds no model that can be built: {npk_file.reason(error)}."
        ) from error


def _filled(config, arrays):
    """The model that a config describes, with these weights."""
    model = npk_config.built(config)
    for variable, array in zip(model.weights, arrays, strict=True):
        variable.assign(array)
    refresh(model)
    return model


def to_bytes(model: keras.Model) -> bytes:
    """The bytes of a file with a model as it is, but for the order of its units.

    Raises:
        ValueError: if it has numbers of a type that the format does not know.
    """
    config = plain_config(model)
    return write(config, *_arrays(model, config))


def estimated_bytes(model: keras.Model) -> int:
    """About how many these are, see `npk_estimate`, in a hundredth of the time."""
    arrays = [_known_type(value_of(variable)) for variable in model.weights]
    return estimated_size(plain_config(model), arrays, _column_axes(model, model.weights))


def _arrays(model, config):
    """The weights of a model as they are written, and the axes of each that number columns."""
    if is_quantized(model):
        weights = in_order_of(npk_config.variables(config), model)
        arrays = [value_of(variable) for variable in weights]
    else:
        weights, arrays = model.weights, reorder_units(model)
    return [_known_type(array) for array in arrays], _column_axes(model, weights)


def _column_axes(model, weights):
    """How many of the last axes of each weight number the columns of a matrix."""
    axes = {id(kernel.variable): len(kernel.units) for kernel in kernels.all_kernels(model)}
    return [axes.get(id(variable), 1) for variable in weights]


def _known_type(array):
    # NumPy knows no such type; the format finds out that 16 bits are enough.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _checked_path(path):
    try:
        return Path(path)
    except TypeError as error:
        raise UsageError(f"path: {path!r} is no path of a file.") from error


def _checked_bits(bits):
    """The bits as a whole number: 4.0 is 4."""
    is_number = isinstance(bits, numbers.Real) and not isinstance(bits, bool)
    if bits is not None and not (is_number and bits in BITS):
        raise UsageError(f"bits: {bits!r} is not a whole number from {BITS[0]} to {BITS[-1]}.")
    return bits if bits is None else int(bits)


def remove_dead_units(model: keras.Model) -> keras.Model:
    """The smaller model behind unchanged inputs; a subclassed one, and one that Keras has
    quantized, as it is."""
    if function_of(model) is None or is_quantized(model):
        return model
    graph = Graph(model)
    liveness = LivenessAnalysis.of(graph)
    for channels in graph.inputs:
        if channels:  # inputs that nothing reads cost next to nothing, to choose some would
            liveness.needed[graph.groups.find(channels.groups)] = True
    with knowing(model):
        return GraphRewriter(graph, liveness).build()


def _with_fewest_bits(model, quality, before, drop):
    """The model on the fewest bits with which it is good enough; as it is if none are."""
    for bits in BITS:
        candidate = quantized(model, bits)
        if quality.suffices(quality(_as_loaded(candidate)), before, drop):
            return candidate
    return model


def _as_loaded(model):
    """What `load` would make of a model that is written."""
    config = plain_config(model)
    return _filled(config, _arrays(model, config)[0])
