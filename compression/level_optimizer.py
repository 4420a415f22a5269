"""An optimizer that keeps weights on few levels while they are trained, on any backend."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from ..models.kernels import value_of
from .quantization import in_16_bits, magnitudes_of, middles

# What a bit is worth, in mean squared errors of a weight. In theory it is 2·ln 2 where there are
# many levels (Gish & Pierce, 1968); with so much, weights become zero one after the other while
# they are trained, until a layer has none.
WORTH = 0.5


class LevelAdam(keras.optimizers.Adam):
    """Adam that keeps variables on levels.

    Gradients are taken at the levels but update latent weights, from which each weight is the
    nearest level (the straight-through estimator; Bengio et al., 2013, arXiv:1308.3432). Weights
    that are zero stay zero.

    Args:
        learning_rate: as for Adam.
        numbers: pairs of a variable of float32 and its number of magnitudes.

    Attributes:
        levels: of the variables, once the optimizer is built.
    """

    def __init__(self, learning_rate: Any, numbers: Iterable[tuple[keras.Variable, int]]) -> None:
        super().__init__(learning_rate)
        self._numbers = {id(variable): number for variable, number in numbers}
        # By the place of the variable; TensorFlow's own variables stand for Keras' in a step.
        self._of_places: list[Levels | None] = []

    @property
    def levels(self) -> "list[Levels]":
        """Of all variables."""
        return [levels for levels in self._of_places if levels is not None]

    def build(self, variables: Any) -> None:
        """Adds the state of levels, and puts the variables on them."""
        if not self.built:
            super().build(variables)
            numbers = (self._numbers.get(id(variable)) for variable in variables)
            self._of_places = [
                None if number is None else Levels(self, variable, number)
                for variable, number in zip(variables, numbers, strict=True)
            ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable."""
        levels = self._of_places[self._get_variable_index(variable)]
        if levels is None:
            super().update_step(gradient, variable, learning_rate)
        else:
            self.assign(variable, keras.ops.convert_to_tensor(levels.latent))
            super().update_step(gradient, variable, learning_rate)
            self.assign(variable, levels.updated(keras.ops.convert_to_tensor(variable)))


class Levels:
    """The levels of one variable in training.

    Args:
        optimizer: keeps their state.
        variable: a Keras variable.
        number: of magnitudes.
    """

    def __init__(self, optimizer: LevelAdam, variable: keras.Variable, number: int) -> None:
        self.variable, self._given = variable, value_of(variable)
        magnitudes = magnitudes_of(self._given, number)
        self.latent = optimizer.add_variable_from_reference(variable, "latent")
        self._frozen = optimizer.add_variable_from_reference(variable, "frozen")
        self._table = optimizer.add_variable((len(magnitudes) + 1,), "zeros", name="magnitudes")
        self._edges = optimizer.add_variable(magnitudes.shape, "zeros", name="edges")
        self.latent.assign(self._given)
        self._frozen.assign(self._given == 0)
        self._set(magnitudes)

    def updated(self, latent: Any) -> Any:
        """The weights on levels, after the latent ones were set to these. Keras operations only."""
        ops = keras.ops
        latent = ops.where(self._frozen.value > 0, self.latent.value, latent)
        place = ops.searchsorted(self._edges.value, ops.reshape(ops.abs(latent), [-1]))
        sizes = ops.reshape(ops.take(self._table.value, place), ops.shape(latent))
        self.latent.assign(latent)
        return ops.where(self._frozen.value > 0, latent, ops.sign(latent) * sizes)

    def adapt(self) -> None:
        """Sets each level to the mean of the latent weights that are nearest to it."""
        table, sizes = value_of(self._table), np.abs(value_of(self.latent)).ravel()
        place = self._places(sizes)
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

    def _places(self, sizes):
        return np.searchsorted(value_of(self._edges), sizes)

    def _set(self, magnitudes):
        """Sets the levels, and puts the weights that are not frozen on those that are best, their
        bits considered."""
        table = np.concatenate([[0], magnitudes]).astype(np.float32)
        latent = value_of(self.latent)
        sizes = np.abs(latent)
        edges = cheaper_edges(sizes[self._given != 0], sizes.size, table)
        self._table.assign(table)
        self._edges.assign(edges)
        new = np.sign(latent) * table[np.searchsorted(edges, sizes)]
        self.variable.assign(np.where(value_of(self._frozen) > 0, latent, new))


def cheaper_edges(sizes: np.ndarray, number: int, table: np.ndarray) -> np.ndarray:
    """The limits between levels where both are as good, error and bits together, as in
    entropy-constrained quantization (Chou et al., 1989).

    Args:
        sizes: of weights that are not pruned, of shape (n,).
        number: of weights, with those that are pruned.
        table: the magnitudes, ascending, 0 first.
    """
    place = np.searchsorted(np.concatenate([[0], middles(table[1:])]), sizes)
    counts = np.bincount(place, minlength=len(table)) + 0.5
    counts[0] += number - len(sizes)
    bits = np.log2(counts.sum() / counts) + (table > 0)  # a sign, too
    price = WORTH * np.square(sizes - table[place]).mean()
    edges = middles(table) + price * np.diff(bits) / (2 * np.diff(table))
    return np.maximum.accumulate(np.maximum(edges, 0)).astype(np.float32)
