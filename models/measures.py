"""How small is a network: sparsity, compression, multiply-adds; pure counting."""

import itertools
from dataclasses import dataclass

import numpy as np

from .shrink import living


@dataclass(frozen=True)
class Size:
    """How much of a network is left; "hidden" weights are those that pruning may remove.

    Attributes:
        sparsity: share of the hidden weights that are zero.
        layer_sparsity: the same for each hidden layer, by name.
        effective_sparsity: share of the hidden weights that are zero or on a dead path (Vysogorets
            & Kempe, 2021, arXiv:2107.02306).
        nonzero: weights and biases of all layers that are not zero.
        compression_ratio: all weights and biases over `nonzero`.
        multiply_adds: per example, of all layers, zeros skipped.
        speedup: multiply-adds of the dense network over those; theoretical.
    """

    sparsity: float
    layer_sparsity: dict
    effective_sparsity: float
    nonzero: int
    compression_ratio: float
    multiply_adds: int
    speedup: float


def measure(weights):
    """The `Size` of a network."""
    nonzero = {name: int(np.count_nonzero(kernel)) for name, kernel in weights.kernels.items()}
    hidden = {name: kernel.size for name, kernel in weights.hidden.items()}
    hidden_size = sum(hidden.values())
    alive = sum(list(connected(list(weights.kernels.values())))[:-1])
    multiply_adds = sum(nonzero.values())
    total = multiply_adds + sum(int(np.count_nonzero(bias)) for bias in weights.biases.values())
    dense = sum(kernel.size for kernel in weights.kernels.values())
    return Size(
        sparsity=1 - sum(nonzero[name] for name in hidden) / hidden_size,
        layer_sparsity={name: 1 - nonzero[name] / size for name, size in hidden.items()},
        effective_sparsity=1 - alive / hidden_size,
        nonzero=total,
        compression_ratio=weights.size / max(total, 1),
        multiply_adds=multiply_adds,
        speedup=dense / max(multiply_adds, 1),
    )


def connected(kernels):
    """How many weights of each layer lie on a path of nonzero weights from input to output.

    Args:
        kernels: arrays of shape (inputs, units), from the first layer to the output.
    """
    alive = itertools.pairwise(living(kernels))
    return [
        int(np.count_nonzero(kernel[np.ix_(before, after)]))
        for kernel, (before, after) in zip(kernels, alive, strict=True)
    ]
