"""Trains a network while it is pruned or quantized."""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.backend import tf
from .loop import STEPS_AT_ONCE, check_finite

if TYPE_CHECKING:
    from ..data.augmentation import RandomShift


class MaskedTrainer:
    """Trains a Keras model whose weights a callback prunes or quantizes at intervals.

    Attributes:
        model: the compiled model.
        config: with `batch_size`.
        size: the number of examples.
        run_steps: of `compile_steps`.
        pixels: the variable that holds the examples' pixels.
        augmentation: a `RandomShift`, or None.
    """

    model: Any
    config: Any
    size: int
    run_steps: Callable[[Any], Any]
    pixels: Any
    augmentation: "RandomShift | None"

    def train(
        self,
        epochs: int,
        learning_rate: Callable[[float], float],
        generators: Iterator[np.random.Generator],
        on_steps: Callable[[int], object],
        on_stop: Callable[[float], object] | None = None,
        num_stops: int = 0,
    ) -> None:
        """Trains in place.

        Every epoch visits the examples in a new order; its last batch is filled up with the
        epoch's first examples, because another size would be compiled separately.

        Args:
            epochs: the number of epochs.
            learning_rate: a function of the progress in [0, 1].
            generators: yields a random generator for every epoch.
            on_steps: called with the number of steps just done.
            on_stop: called with the progress at equal intervals.
            num_stops: how often, if there are as many steps.
        """
        batch_size = self.config.batch_size
        steps = -(-self.size // batch_size)
        total = epochs * steps
        num_stops = min(num_stops, total)
        stops = {number * total // (num_stops + 1) for number in range(1, num_stops + 1)}
        for epoch in range(epochs):
            generator, done = next(generators), epoch * steps
            if self.augmentation:
                self.pixels.assign(self.augmentation(generator))
            order = generator.permutation(self.size).astype(np.int32)
            batches = np.resize(order, (steps, batch_size))
            cuts = {*range(0, steps, STEPS_AT_ONCE), steps, *(stop - done for stop in stops)}
            for start, end in itertools.pairwise(sorted(c for c in cuts if 0 <= c <= steps)):
                if on_stop and done + start in stops:
                    on_stop((done + start) / total)
                rate = learning_rate((done + start) / total)
                self.model.optimizer.learning_rate.assign(rate)
                loss, _ = self.run_steps(batches[start:end])
                on_steps(end - start)
            check_finite(float(loss), epoch + 1)
            self.check(epoch + 1)

    def check(self, epoch: int) -> None:
        """Checks the weights after each epoch; called by `train`."""

    def reset_optimizer(self) -> None:
        """Resets the optimizer's state to zeros."""
        for variable in self.model.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
