"""The size of a network of dense layers: pure counting, without Keras."""

import itertools

import numpy as np

from ..graph.dense_chain import living
from ..models.weights import Weights
from .model_sizes import LayerSize, ModelSize


def measure(weights: Weights) -> ModelSize:
    """The `ModelSize` of a network of dense layers.

    A weight is live if it is on a path from the inputs to the outputs. The outgoing weights of a
    removed neuron are dead, although they may be stored. So is a neuron that no input reaches: its
    constant output can be folded into the biases of the next layer.
    """
    levels = living(list(weights.kernels.values()))
    layers = tuple(
        _layer_size(name, kernel, np.ix_(before, after), name in weights.hidden)
        for (name, kernel), (before, after) in zip(
            weights.kernels.items(), itertools.pairwise(levels), strict=True
        )
    )
    units = dict(zip(weights.kernels, levels[1:], strict=True))
    return ModelSize(
        layers,
        weights.size,
        sum(layer.nonzero for layer in layers)
        + sum(int(np.count_nonzero(bias)) for bias in weights.biases.values()),
        sum(layer.living for layer in layers)
        + sum(int(np.count_nonzero(units[name])) for name in weights.biases),
    )


def _layer_size(name, kernel, alive, prunable):
    """The `LayerSize` of a kernel; it is used once for each example."""
    num_live = int(np.count_nonzero(kernel[alive]))
    return LayerSize(
        name,
        kernel.shape,
        kernel.size,
        int(np.count_nonzero(kernel)),
        num_live,
        prunable,
        multiply_adds=num_live,
        dense_multiply_adds=kernel.size,
    )
