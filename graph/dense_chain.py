"""Live units and weights of a chain of dense layers: as `LivenessAnalysis` and `Subnetwork`, but on
arrays, without Keras, and four times as fast."""

import itertools
from collections.abc import Sequence

import numpy as np

from ..models.weights import Weights


def live_units(
    kernels: Sequence[np.ndarray], biases: Sequence[np.ndarray | None] = ()
) -> list[np.ndarray]:
    """Which inputs and units are live: booleans for the inputs and for every layer.

    A unit is live if it lies on a path of nonzero weights from an input to an output. Outputs are
    always live; inputs without outgoing weights are not. The output of a unit that no input reaches
    is constant, and can be folded into the next layer's biases.

    Args:
        kernels: arrays of shape (inputs, units), from the first layer to the output; zeros are
            pruned weights.
        biases: of each layer, of shape (units,) or None, if constants are not to be folded: then a
            unit with a bias above zero is live even if no input reaches it.
    """
    present = [kernel != 0 for kernel in kernels]
    reachable = [np.ones(len(present[0]), bool)]
    for layer, bias in itertools.zip_longest(present, biases):
        has_input = layer[reachable[-1]].any(axis=0)
        reachable.append(has_input if bias is None else has_input | (bias > 0))
    needed = [np.ones(present[-1].shape[1], bool)]
    for layer in reversed(present):
        needed.insert(0, layer[:, needed[0]].any(axis=1))
    *inner, _ = map(np.logical_and, reachable, needed)
    return [*inner, needed[-1]]


def live_weights(weights: Weights) -> dict[str, np.ndarray]:
    """Which hidden weights lie on a path from an input to an output: booleans by layer name.

    Removing the others changes the outputs by a constant at most.
    """
    levels = itertools.pairwise(live_units(list(weights.kernels.values()))[:-1])
    return {
        name: (kernel != 0) & before[:, np.newaxis] & after
        for (name, kernel), (before, after) in zip(weights.hidden.items(), levels, strict=True)
    }


def kept_units(weights: Weights) -> list[np.ndarray]:
    """Indices of the live inputs, then of the live units of every layer. A dead layer keeps one
    unit; biases are not folded."""
    live = live_units(list(weights.kernels.values()), list(weights.biases.values()))
    for level in live:
        level[0] |= not level.any()
    return [np.flatnonzero(level) for level in live]


def sources(weights: Weights, kept: Sequence[np.ndarray]) -> list[tuple[int, np.ndarray]]:
    """The `sources` of the `Subnetwork` of the kept units.

    Args:
        weights: of the whole network.
        kept: indices from `kept_units`.
    """
    layers = dict(zip(weights.kernels, itertools.pairwise(kept), strict=True))
    found = []
    for number, (name, array) in enumerate(weights.arrays.items()):
        before, units = layers[name.partition("/")[0]]
        wide = before[:, np.newaxis] * array.shape[-1] + units if array.ndim == 2 else units
        found.append((number, wide))
    return found
