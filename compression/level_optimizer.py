"""An optimizer that keeps weights on few levels, on any backend."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from .levels import Levels


class LevelAdam(keras.optimizers.Adam):
    """Adam that keeps variables on `Levels`.

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
                None if number is None else Levels(variable, number, self._new)
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

    def _new(self, name, value, like=None):
        if like is None:
            found = self.add_variable(np.shape(value), "zeros", name=name)
        else:
            found = self.add_variable_from_reference(like, name)
        found.assign(value)
        return found
