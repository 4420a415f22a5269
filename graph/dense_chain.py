"""A pruned network without its dead parts: smaller, faster, the same answers."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..models.weights import Weights


def living(
    kernels: Sequence[np.ndarray], biases: Sequence[np.ndarray | None] = ()
) -> list[np.ndarray]:
    """Which inputs and units have an influence: booleans for the inputs and for every layer.

    A unit is alive that has weights on a path from the inputs to the outputs. All outputs count as
    alive, and inputs that feed nothing do not. A unit that no input reaches answers the same to all
    of them, which may become a part of the biases behind it.

    Args:
        kernels: arrays of shape (inputs, units), from the first layer to the output; zeros are
            weights that are gone.
        biases: of shape (units,), of each layer, where nothing is to become a part of others: a
            unit with a bias above zero answers something then, whatever reaches it.
    """
    present = [kernel != 0 for kernel in kernels]
    reached = [np.ones(len(present[0]), bool)]
    for layer, bias in itertools.zip_longest(present, biases):
        fed = layer[reached[-1]].any(axis=0)
        reached.append(fed if bias is None else fed | (bias > 0))
    useful = [np.ones(present[-1].shape[1], bool)]
    for layer in reversed(present):
        useful.insert(0, layer[:, useful[0]].any(axis=1))
    *inner, _ = (before & ahead for before, ahead in zip(reached, useful, strict=True))
    return [*inner, useful[-1]]


def useful(weights: Weights) -> dict[str, np.ndarray]:
    """Which hidden weights lie on a path that has an influence: booleans by layer name.

    The rest may be removed; where that changes an answer, it does so by a constant.
    """
    levels = itertools.pairwise(living(list(weights.kernels.values()))[:-1])
    return {
        name: (kernel != 0) & before[:, np.newaxis] & after
        for (name, kernel), (before, after) in zip(weights.hidden.items(), levels, strict=True)
    }


@dataclass(frozen=True)
class DenseSubnetwork:
    """The living part of a network, as indices.

    Attributes:
        kept: indices of the inputs, then of the units of every layer.
    """

    kept: list

    @classmethod
    def of(cls, weights: Weights) -> "DenseSubnetwork":
        """The living part of these `Weights`; of a dead layer one unit stays."""
        alive = living(list(weights.kernels.values()), list(weights.biases.values()))
        for level in alive:
            level[0] |= not level.any()
        return cls([np.flatnonzero(level) for level in alive])

    @property
    def hidden_units(self) -> tuple[int, ...]:
        """How many units the hidden layers have."""
        return tuple(len(kept) for kept in self.kept[1:-1])

    def smaller(self, weights: Weights) -> Weights:
        """Copies of the living part."""
        return Weights(
            {name: weights.kernels[name][part] for name, part in self._parts(weights)},
            {name: bias[self._units(weights)[name]] for name, bias in weights.biases.items()},
        )

    def multiply_adds(self) -> int:
        """How many multiplications and additions the living part takes for one example."""
        return sum(len(before) * len(after) for before, after in itertools.pairwise(self.kept))

    def larger(self, small: Weights, weights: Weights) -> Weights:
        """Copies of `weights` with the living part replaced by `small`."""
        kernels = {name: kernel.copy() for name, kernel in weights.kernels.items()}
        biases = {name: bias.copy() for name, bias in weights.biases.items()}
        for name, part in self._parts(weights):
            kernels[name][part] = small.kernels[name]
        for name in biases:
            biases[name][self._units(weights)[name]] = small.biases[name]
        return Weights(kernels, biases)

    def smaller_masks(self, masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Copies of the living part of masks by layer name."""
        return {name: masks[name][part] for name, part in self._hidden_parts(masks)}

    def larger_masks(
        self, small: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Copies of `masks` with the living part replaced by `small`."""
        whole = {name: mask.copy() for name, mask in masks.items()}
        for name, part in self._hidden_parts(masks):
            whole[name][part] = small[name]
        return whole

    def _hidden_parts(self, masks):
        pairs = itertools.pairwise(self.kept[:-1])
        return [(name, np.ix_(*pair)) for name, pair in zip(masks, pairs, strict=True)]

    def _parts(self, weights):
        pairs = itertools.pairwise(self.kept)
        return [(name, np.ix_(*pair)) for name, pair in zip(weights.kernels, pairs, strict=True)]

    def _units(self, weights):
        return dict(zip(weights.kernels, self.kept[1:], strict=True))
