"""How small is a network: sparsity, compression, multiply-adds; pure counting."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from ..graph.dense_chain import living


@dataclass(frozen=True)
class Size:
    """How much of a network is left; "hidden" weights are those that pruning may remove.

    A weight lives that is on a path from the inputs to the outputs: the outgoing weights of a
    neuron that is gone do not, although they may be stored. Nor does a neuron that no input
    reaches: whatever its bias makes of it may become a part of the biases behind it.

    Attributes:
        sparsity: share of the hidden weights that are zero.
        layer_sparsity: the same for each hidden layer, by name.
        effective_sparsity: share of the hidden weights that are zero or on a dead path (Vysogorets
            & Kempe, 2021, arXiv:2107.02306).
        nonzero: weights and biases of all layers that are not zero, as stored.
        living: the weights that are not zero and live, and the biases of units that live, be they
            zero or not, which is what removing the dead parts leaves.
        compression_ratio: all weights and biases over `living`; infinite if nothing lives.
        multiply_adds: per example, of all layers: one for each weight that lives.
        speedup: multiply-adds of the dense network over those; theoretical.
    """

    sparsity: float
    layer_sparsity: dict
    effective_sparsity: float
    nonzero: int
    living: int
    compression_ratio: float
    multiply_adds: int
    speedup: float


def measure(weights):
    """The `Size` of a network."""
    kernels = list(weights.kernels.values())
    levels, between = living(kernels), connected(kernels)
    nonzero = {name: int(np.count_nonzero(kernel)) for name, kernel in weights.kernels.items()}
    hidden = {name: kernel.size for name, kernel in weights.hidden.items()}
    hidden_size, multiply_adds = sum(hidden.values()), sum(between)
    units = dict(zip(weights.kernels, levels[1:], strict=True))
    biases = [(bias, units[name]) for name, bias in weights.biases.items()]
    stored = sum(nonzero.values()) + sum(int(np.count_nonzero(bias)) for bias, _ in biases)
    left = multiply_adds + sum(int(level.sum()) for _, level in biases)
    dense = sum(kernel.size for kernel in kernels)
    return Size(
        sparsity=1 - sum(nonzero[name] for name in hidden) / hidden_size,
        layer_sparsity={name: 1 - nonzero[name] / size for name, size in hidden.items()},
        effective_sparsity=1 - sum(between[:-1]) / hidden_size,
        nonzero=stored,
        living=left,
        compression_ratio=weights.size / left if left else math.inf,
        multiply_adds=multiply_adds,
        speedup=dense / multiply_adds if multiply_adds else math.inf,
    )


def connected(kernels):
    """How many weights of each layer lie on a path of nonzero weights from input to output.

    Args:
        kernels: arrays of shape (inputs, units), from the first layer to the output.
    """
    levels = itertools.pairwise(living(kernels))
    return [
        int(np.count_nonzero(kernel[np.ix_(before, after)]))
        for kernel, (before, after) in zip(kernels, levels, strict=True)
    ]
