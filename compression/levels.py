"""Weights that stay on few levels while they are trained, on any backend."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ..models.kernels import value_of
from .quantization import in_16_bits, magnitudes_of, middles

# What a bit is worth, in mean squared errors of a weight. In theory it is 2·ln 2 where there are
# many levels (Gish & Pierce, 1968); with so much, weights become zero one after the other while
# they are trained, until a layer has none.
WORTH = 0.5
# Shares of the training after which the levels are frozen, and after which all weights are.
LEVELS_FROZEN, WEIGHTS_FROZEN = 0.5, 0.9


def new_variable(
    name: str,
    value: np.ndarray,
    like: keras.Variable | None = None,  # noqa: ARG001 - for those that place it as another one
) -> keras.Variable:
    """A variable with a value."""
    return keras.Variable(value, name=name)


class Levels:
    """Keeps a variable on levels.

    Gradients are taken at the levels but update latent weights, from which each weight gets the
    level that is best, error and bits together (the straight-through estimator; Bengio et al.,
    2013, arXiv:1308.3432). Weights that are zero stay zero.

    Args:
        variable: a Keras variable of float32.
        number: of magnitudes.
        new: makes the variables of the state, as `new_variable` does.

    Attributes:
        variable: the variable.
        latent: the variable of the latent weights.
    """

    def __init__(
        self,
        variable: keras.Variable,
        number: int,
        new: Callable[..., keras.Variable] = new_variable,
    ) -> None:
        self.variable, self._given = variable, value_of(variable)
        magnitudes = magnitudes_of(self._given, number)
        self.latent = new("latent", self._given, variable)
        self._frozen = new("frozen", (self._given == 0).astype(np.float32), variable)
        self._table = new("table", np.zeros(len(magnitudes) + 1, np.float32))
        self._edges = new("edges", np.zeros(len(magnitudes), np.float32))
        self._price: float | None = None
        self._set(magnitudes)

    @property
    def magnitudes(self) -> np.ndarray:
        """The magnitudes of the levels, ascending."""
        return value_of(self._table)[1:]

    def project(self) -> None:
        """Sets the weights that are not frozen to the levels of the latent ones. Keras operations
        only."""
        value, latent = map(keras.ops.convert_to_tensor, (self.variable, self.latent))
        self.variable.assign(keras.ops.where(self._frozen.value > 0, value, self._on(latent)))

    def updated(self, latent: Any) -> Any:
        """The weights after the latent ones were set to these. Keras operations only."""
        frozen = self._frozen.value > 0
        latent = keras.ops.where(frozen, self.latent.value, latent)
        self.latent.assign(latent)
        return keras.ops.where(frozen, latent, self._on(latent))

    def _on(self, latent):
        ops = keras.ops
        edges, table = map(ops.convert_to_tensor, (self._edges, self._table))
        place = ops.searchsorted(edges, ops.reshape(ops.abs(latent), [-1]))
        sizes = ops.reshape(ops.take(table, place), ops.shape(latent))
        return ops.sign(latent) * sizes

    def follow(self, progress: float) -> None:
        """What is due at a progress of the training, in [0, 1]: in the first half the levels adapt;
        then they are frozen, and more and more weights with them."""
        share = (progress - LEVELS_FROZEN) / (WEIGHTS_FROZEN - LEVELS_FROZEN)
        if share < 0:
            self.adapt()
        else:
            self.freeze(min(share, 1))

    def adapt(self) -> None:
        """Sets each level to the mean of the latent weights that are nearest to it."""
        table, sizes = value_of(self._table), np.abs(value_of(self.latent)[self._given != 0])
        place = np.searchsorted(value_of(self._edges), sizes)
        counts = np.bincount(place, minlength=len(table))
        sums = np.bincount(place, sizes, minlength=len(table))
        means = np.where(counts, sums / np.maximum(counts, 1), table)
        self._set(in_16_bits(np.sort(means[1:])))

    def freeze(self, share: float) -> None:
        """Freezes a share of the weights that were not zero, those nearest to their levels first.

        Frozen weights do not oscillate between two levels until the end, and the others can still
        compensate for their rounding (Zhou et al., 2017, arXiv:1702.03044).
        """
        latent, now = value_of(self.latent).copy(), value_of(self.variable)
        distance = np.abs(latent - now)
        distance[value_of(self._frozen) > 0] = -1
        distance[self._given == 0] = np.inf
        order = np.argsort(distance, axis=None, kind="stable")
        chosen = order[: round(share * np.count_nonzero(self._given))]
        frozen = self._given == 0
        frozen.reshape(-1)[chosen] = True
        latent[frozen] = now[frozen]
        self.latent.assign(latent)
        self._frozen.assign(frozen)

    def _set(self, magnitudes):
        """Sets the levels, and puts the weights that are not frozen on those that are best, their
        bits considered."""
        table = np.concatenate([[0], magnitudes]).astype(np.float32)
        sizes = np.abs(value_of(self.latent))
        self._table.assign(table)
        sizes, number = sizes[self._given != 0], sizes.size
        if self._price is None:
            self._price = price_of_a_bit(sizes, table)
        self._edges.assign(cheaper_edges(sizes, number, table, self._price))
        self.project()


def price_of_a_bit(sizes: np.ndarray, table: np.ndarray) -> float:
    """The squared error that a bit is worth, from that of weights on their nearest levels.

    It stays the same while weights are trained: if it rose with the error of those that it has made
    zero, more and more would become so.
    """
    nearest = table[_places(sizes, table)]
    return WORTH * float(np.square(sizes - nearest).mean()) if sizes.size else 0.0


def _places(sizes, table):
    """The nearest level of each weight, zero excluded."""
    return np.searchsorted(np.concatenate([[0], middles(table[1:])]), sizes)


def cheaper_edges(sizes: np.ndarray, number: int, table: np.ndarray, price: float) -> np.ndarray:
    """The limits between levels where both are as good, error and bits together, as in
    entropy-constrained quantization (Chou et al., 1989).

    Args:
        sizes: of weights that are not pruned, of shape (n,).
        number: of weights, with those that are pruned.
        table: the magnitudes, ascending, 0 first.
        price: the squared error that a bit is worth.
    """
    counts = np.bincount(_places(sizes, table), minlength=len(table)) + 0.5
    counts[0] += number - len(sizes)
    bits = np.log2(counts.sum() / counts) + (table > 0)  # a sign, too
    gaps = np.maximum(np.diff(table), np.finfo(np.float32).tiny)
    edges = middles(table) + np.where(np.diff(table) > 0, price * np.diff(bits) / (2 * gaps), 0)
    return np.maximum.accumulate(np.maximum(edges, 0)).astype(np.float32)
