"""The size of a Keras model, sparsity, compression, multiply-adds: `network_pruning.measure`."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from ..graph.liveness import LivenessAnalysis
from ..models import kernels
from ..models.copies import check_built
from ..models.example_inputs import zeros_for
from ..models.kernels import value_of
from ..utils import one_line, warn_user
from .model_sizes import LayerSize, ModelSize
from .prunables import hidden_kernels

Shape = Sequence[int]


def measure(
    model: keras.Model,
    input_shape: Shape | Sequence[Shape] | Mapping[str, Shape] | None = None,
    *,
    baseline: keras.Model | None = None,
) -> ModelSize:
    """The size of a Keras model.

    Args:
        model: any built Keras model; only its weights are read, no data is needed.
        input_shape: of one example, such as (224, 224, 3), to count the multiply-adds of a model
            with open sizes. For a model with several inputs a list of shapes, or a dictionary by
            the names of the inputs.
        baseline: the model to compare with, such as the dense one before pruning: ratios are
            relative to all of its parameters and multiply-adds.

    Returns:
        A `ModelSize`: sparsity (in total, per layer, effective), nonzero parameters, compression
        ratio and multiply-adds; `print` shows it as a table.

    Raises:
        UsageError: (a ValueError) if `model` or `baseline` is not a Keras model, or takes no
            examples of `input_shape`.
        ValueError: if a model is not built.

    Warns:
        UserWarning: names layers with weights of a kind that cannot be pruned.
    """
    check_built(model)
    if baseline is not None:
        check_built(baseline, "baseline")
    if input_shape is not None:
        zeros_for(model, input_shape)  # raises where the model's own sizes differ
    unknown = kernels.unknown_layers(model)
    if unknown:
        listed = ", ".join(map(kernels.describe, unknown))
        warn_user(f"Counted, but never pruned: {listed}.")
    size = size_of(model, input_shape)
    if baseline is None:
        return size
    return dataclasses.replace(size, baseline=size_of(baseline, input_shape))


def size_of(model: keras.Model, input_shape: Any = None) -> ModelSize:
    """The `ModelSize` of a model, as `measure` returns it, but without checks and warnings.

    `input_shape` is used only where sizes are open.
    """
    found = kernels.all_kernels(model)
    prunable = {kernel.name for kernel in hidden_kernels(model)}
    liveness, positions = LivenessAnalysis.of_model(model), _positions(model, found, input_shape)
    layers = tuple(
        _layer_size(kernel, kernel.name in prunable, liveness, positions.get(kernel.name))
        for kernel in found
    )
    values = [value_of(variable) for variable in model.weights]
    return ModelSize(
        layers,
        sum(value.size for value in values),
        sum(int(np.count_nonzero(value)) for value in values),
        _num_effective(model, found, layers, liveness),
    )


def _num_effective(model, found, layers, liveness):
    """The number of effective parameters: live weights of kernels, and others of live units."""
    of_kernels = {id(kernel.variable) for kernel in found}
    others = [variable for variable in model.weights if id(variable) not in of_kernels]
    sizes = liveness.sizes() if liveness else {}
    known = (layer.nonzero if layer.living is None else layer.living for layer in layers)
    return sum(known) + sum(sizes.get(id(v), math.prod(v.shape)) for v in others)


def multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of a model's kernels for one example if nothing is zero; the number of their
    weights where sizes are open."""
    found = kernels.all_kernels(model)
    positions = _positions(model, found)
    return sum(positions.get(kernel.name, 1) * kernel.size for kernel in found)


def _layer_size(kernel, prunable, liveness, positions):
    present = kernel.matrix() != 0
    num_live = liveness and int(np.count_nonzero(liveness.of_kernel(kernel, present)))
    nonzero, size = int(np.count_nonzero(present)), kernel.size
    effective = nonzero if num_live is None else num_live
    return LayerSize(
        kernel.name,
        tuple(kernel.variable.shape),
        size,
        nonzero,
        num_live,
        prunable,
        positions and positions * effective,
        positions and positions * size,
    )


def _positions(model, found, input_shape=None):
    """At how many positions each kernel is used for one example, by name: observed in a call with
    zeros. Empty where sizes are open."""
    zeros = zeros_for(model)
    if zeros is None and input_shape is not None:
        zeros = zeros_for(model, input_shape)
    if zeros is None:
        return {}
    total = {}

    def add(kernel, inputs, outputs):
        total[kernel.name] = total.get(kernel.name, 0) + _places(kernel, inputs, outputs)

    try:
        with kernels.watched(found, add):
            model(zeros, training=False)
    except Exception as error:  # of the layers and the backend: anything
        shapes = keras.tree.map_structure(lambda tensor: tuple(tensor.shape[1:]), zeros)
        raise ValueError(
            f"{model.name!r} takes no examples of shape {shapes} ({one_line(error, 160)}); give "
            "another `input_shape`."
        ) from error
    return total


def _places(kernel, inputs, outputs):
    """At how many positions a kernel is used in one call: positions of the output, or of the input
    for a transposed convolution."""
    if isinstance(kernel.layer, kernels.TRANSPOSED):
        return math.prod(inputs.shape[1:]) // kernel.variable.shape[-1]
    if isinstance(kernel.layer, kernels.SEPARABLE):
        return math.prod(outputs.shape[1:]) // kernel.layer.filters
    units = outputs.shape[-1] if kernel.is_in_cell else kernel.shape[1]  # each in several columns
    return math.prod(outputs.shape[1:]) // units
