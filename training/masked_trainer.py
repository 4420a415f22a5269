"""Training a network that exists, as it is pruned or its weights move to levels."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.backend import tf
from .loop import STEPS_AT_ONCE, check_finite

if TYPE_CHECKING:
    from ..data.augmentation import RandomShift


class MaskedTrainer:
    """A Keras model that is trained while something is done to its weights now and then.

    Attributes:
        model: the compiled model.
        config: with `batch_size`.
        size: the number of examples.
        run_steps: as `compile_steps` returns it.
        pixels: the variable that holds the examples' pixels.
        moving: a `RandomShift`, or None to leave images where they are.
    """

    model: Any
    config: Any
    size: int
    run_steps: Callable[[Any], Any]
    pixels: Any
    moving: "RandomShift | None"

    def train(
        self,
        epochs: int,
        learning_rate: Callable[[float], float],
        generators: Iterator[np.random.Generator],
        on_steps: Callable[[int], object],
        at_stops: Callable[[float], object] | None = None,
        times: int = 0,
    ) -> None:
        """Trains in place.

        Every epoch visits the examples in a new order; its last batch is filled up with the
        epoch's first examples, because another size would be compiled anew.

        Args:
            epochs: how many.
            learning_rate: at a progress in [0, 1].
            generators: an iterator that gives every epoch its random generator.
            on_steps: called with the number of steps just done.
            at_stops: called with the progress, at equal distances on the way.
            times: how often, if there are as many steps.
        """
        batch_size = self.config.batch_size
        steps = -(-self.size // batch_size)
        total = epochs * steps
        times = min(times, total)
        stops = {number * total // (times + 1) for number in range(1, times + 1)}
        for epoch in range(epochs):
            generator, done = next(generators), epoch * steps
            if self.moving:
                self.pixels.assign(self.moving(generator))
            order = generator.permutation(self.size).astype(np.int32)
            batches = np.resize(order, (steps, batch_size))
            cuts = {*range(0, steps, STEPS_AT_ONCE), steps, *(stop - done for stop in stops)}
            for start, end in itertools.pairwise(sorted(c for c in cuts if 0 <= c <= steps)):
                if at_stops and done + start in stops:
                    at_stops((done + start) / total)
                rate = learning_rate((done + start) / total)
                self.model.optimizer.learning_rate.assign(rate)
                loss, _ = self.run_steps(batches[start:end])
                on_steps(end - start)
            check_finite(float(loss), epoch + 1)
            self.check(epoch + 1)

    def check(self, epoch: int) -> None:
        """Makes sure, after each epoch, that the weights are what they should be."""

    def reset_optimizer(self) -> None:
        """Gives the model a fresh Adam."""
        for variable in self.model.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
