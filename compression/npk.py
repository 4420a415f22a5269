"""Saves Keras models in very small files: `network_pruning.save` and `network_pruning.load`.

docs/small.md specifies the format, `.npk`.
"""

import contextlib
import math
import numbers
import os
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..graph.liveness import LivenessAnalysis
from ..graph.shrink import rewritten
from ..graph.tracing import Graph, function_of
from ..graph.unit_order import reorder_units
from ..models import kernels
from ..models.copies import (
    check_built,
    copy_of_model,
    in_order_of,
    refresh,
)
from ..models.kernels import value_of
from ..settings.export import BITS
from ..utils import UsageError, atomic_path
from . import npk_config, npk_file
from .npk_config import check_loadable, plain_config
from .npk_estimate import estimated_size
from .npk_writer import write
from .quality import Quality, check_drop
from .quantization import is_quantized, quantize, quantized

# Writing more numbers takes seconds, and shows its progress.
LONG_SIZE = 1_000_000
# How files begin that Keras writes.
ZIP = b"PK\x03\x04"


def save(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    bits: int | None = None,
    data: tuple[Any, Any] | None = None,
    max_accuracy_drop: float | None = None,
    metric: keras.Metric | Callable[[Any, Any], float] | None = None,
    verbose: int = 1,
) -> int:
    """Writes a Keras model to an `.npk` file, hundreds of times smaller if it is pruned.

    Dead units and weights are removed as by `shrink`, but inputs stay, and units of a layer are
    reordered. All other weights are saved exactly, unless `bits` or `max_accuracy_drop` quantize
    them. Loss, optimizer and initializers are not saved. A model that Keras has quantized keeps its
    layers and their integers as they are.

    Args:
        model: any built Keras model.
        path: of the file; an existing one is replaced when the new one is complete.
        bits: 2 to 6: quantizes the weights of each kernel and the biases to 2ᵇⁱᵗˢ levels, and
            other trained weights to 16 bits. Statistics, as of normalizations, stay as they are.
        data: examples `(x, y)`, for `max_accuracy_drop`: x of shape (n, …), y as class numbers of
            shape (n,), as one-hot rows, as labels of 0 and 1 of the outputs' shape, or whatever
            `metric` takes.
        max_accuracy_drop: chooses the fewest bits with at most this drop in accuracy on `data`, a
            fraction in [0, 1], as measured on the saved model; if no number of bits is good enough,
            the model is not quantized. With `metric`, the drop in its units, 0 or more.
        metric: of quality, if it is not accuracy: a Keras metric, or a function of `(y, outputs)`
            that returns a number. Higher is better, unless it is a metric that Keras minimizes, or
            its name is that of a loss: `quality.lower_is_better`.
        verbose: 0 for no line of progress; there is none below a million weights.

    Returns:
        The size of the file in bytes.

    Raises:
        UsageError: (a ValueError) if an argument makes no sense.
        ValueError: if the model is not built, cannot be written, or could not be loaded again.
        RunError: if the file cannot be written.

    Source: quantization and coding as in Deep Compression (Han et al., 2016, arXiv:1510.00149),
    with adaptive models and a range coder.
    """
    check_built(model)
    path, bits = _checked_path(path), _checked_bits(bits)
    check_drop(bits, data, max_accuracy_drop, metric)
    with _undistributed():
        quality = None if max_accuracy_drop is None else Quality(model, data, metric)
        before = quality and quality(model)
        smaller = _loadable_without_dead_units(model)
        if quality is not None:
            smaller = _with_fewest_bits(smaller, quality, before, max_accuracy_drop)
        elif bits is not None:
            smaller = smaller if smaller is not model else copy_of_model(model)
            quantize(smaller, bits)
        is_long = smaller.count_params() > LONG_SIZE
        content = to_bytes(smaller, verbose if is_long else 0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return len(content)


def load(path: str | os.PathLike) -> keras.Model:
    """The Keras model in an `.npk` file, on any backend, not compiled.

    Loading runs no code of the file, which may only name Keras layers that compute. Your own
    classes must be registered with `keras.saving.register_keras_serializable`.

    Args:
        path: of the file.

    Raises:
        UsageError: (a ValueError) if `path` is not a path.
        ValueError: if it is not an `.npk` file, is damaged, or needs code that is not available.
        OSError: if it cannot be read.
    """
    path = _checked_path(path)
    content = path.read_bytes()
    if content.startswith(ZIP):
        raise ValueError(
            f"{path} cannot be read: it is not an .npk file; try keras.saving.load_model."
        )
    return from_bytes(content, path)


def from_bytes(content: bytes, path: str | PathLike) -> keras.Model:
    """The Keras model in the bytes of an `.npk` file; `path` is for messages. See `load`."""
    config = npk_file.read_config(content, path)
    with _explained(path):
        shapes = [tuple(variable.shape) for variable in npk_config.variables(config)]
    # Before memory is allocated for the config's model; only arrays of its shapes are decoded.
    arrays = npk_file.read_arrays(content, path, shapes)
    with _explained(path):
        return _filled(config, arrays)


@contextlib.contextmanager
def _explained(path):
    """Makes one sentence of errors of Keras, or of the user's classes, in a config."""
    try:
        yield
    except Exception as error:  # anything
        raise ValueError(
            f"{path} does not contain a model that can be built: {npk_file.reason(error)}."
        ) from error


def _filled(config, arrays):
    """The model of a config, with these weights."""
    model = npk_config.built(config)
    for variable, array in zip(model.weights, arrays, strict=True):
        variable.assign(array)
    refresh(model)
    return model


def to_bytes(model: keras.Model, verbose: int = 0) -> bytes:
    """The bytes of a file with a model, whose units are reordered.

    Args:
        model: a built Keras model.
        verbose: 0 for no line of progress.

    Raises:
        ValueError: if it has numbers of a type that the format does not support.
    """
    config = plain_config(model)
    arrays, column_axes = _arrays(model, config)
    size = sum(math.prod(variable.shape) for variable in model.weights)
    return write(config, arrays, column_axes, size, verbose)


def estimated_bytes(model: keras.Model) -> int:
    """An estimate of the number of these bytes, in a hundredth of the time; see `npk_estimate`."""
    arrays = map(_known_type, map(value_of, model.weights))
    return estimated_size(plain_config(model), arrays, _column_axes(model, model.weights))


def _arrays(model, config):
    """The weights of a model as they are written, one after the other, and for each the number of
    column axes."""
    if is_quantized(model):
        weights = in_order_of(npk_config.variables(config), model)
        arrays = map(value_of, weights)
    else:
        weights, arrays = model.weights, reorder_units(model)
    return map(_known_type, arrays), _column_axes(model, weights)


def _column_axes(model, weights):
    """For each weight, how many of its last axes are the columns of a matrix."""
    axes = {id(kernel.variable): len(kernel.units) for kernel in kernels.all_kernels(model)}
    return [axes.get(id(variable), 1) for variable in weights]


def _known_type(array):
    # NumPy has no bfloat16; the format notices that 16 bits are enough.
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _checked_path(path):
    try:
        path = Path(path)
    except TypeError as error:
        raise UsageError(f"path: {path!r} is not the path of a file.") from error
    if path.is_dir():
        raise UsageError(f"path: {path} is a folder; give the path of a file in it.")
    return path


def _checked_bits(bits):
    """The bits as a whole number: 4.0 is 4."""
    is_number = isinstance(bits, numbers.Real) and not isinstance(bits, bool)
    if bits is not None and not (is_number and bits in BITS):
        raise UsageError(f"bits: {bits!r} is not a whole number from {BITS[0]} to {BITS[-1]}.")
    return bits if bits is None else int(bits)


@contextlib.contextmanager
def _undistributed():
    """Within the block, new variables are not divided among devices: without its dead units a layer
    may have a width that cannot be."""
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def remove_dead_units(model: keras.Model) -> keras.Model:
    """The model without dead units, with unchanged inputs; a subclassed model, or one that Keras
    has quantized, as it is."""
    if function_of(model) is None or is_quantized(model):
        return model
    graph = Graph(model)
    liveness = LivenessAnalysis.of(graph)
    for channels in graph.inputs:
        if channels:  # unused inputs cost almost nothing, a layer that selects some would
            liveness.needed[graph.groups.find(channels.groups)] = True
    return rewritten(graph, liveness)


def _loadable_without_dead_units(model):
    """The model without dead units; or a copy of it, if it has none, and a file of that can be read
    only: layers of a registered class of models need not be registered themselves."""
    smaller = remove_dead_units(model)
    try:
        check_loadable(smaller)
    except ValueError:
        if smaller.count_params() < model.count_params():
            raise
        smaller = copy_of_model(model)
        check_loadable(smaller)
    return smaller


def _with_fewest_bits(model, quality, before, drop):
    """The model quantized to the fewest bits with which it is good enough; as it is if none are."""
    for bits in BITS:
        candidate = quantized(model, bits)
        if quality.suffices(quality(_as_loaded(candidate)), before, drop):
            return candidate
    return model


def _as_loaded(model):
    """The model that `load` would return after `save`."""
    config = plain_config(model)
    return _filled(config, _arrays(model, config)[0])
