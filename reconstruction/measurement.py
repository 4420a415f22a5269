"""What a model loses without more and more items of a layer: for the scope `budget`."""

from collections.abc import Callable

import keras
import numpy as np

from ..models.kernels import Kernel
from ..pruning.examples import Examples
from ..pruning.prune import Pruner
from ..pruning.ranking import TINY, Errors, counts_to_measure
from .choices import Candidates
from .reconstruct import refit_layers
from .refit import Refit

# The error of the outputs is measured at every so many numbers of removed items, on so many
# examples, or with so many numbers in their inputs.
EVERY, EXAMPLES, NUMBERS = 4, 500, 2**20


def measured_errors(
    pruner: Pruner, dense: keras.Model, examples: Examples, verbose: int = 0
) -> dict[str, Errors]:
    """The `Errors` of the dependency groups of a model that has not been pruned yet.

    Args:
        pruner: of a copy of the dense model.
        dense: the dense model.
        examples: from `calibration_inputs`.
        verbose: as for `prune`.
    """
    measurement = Measurement(pruner, output_error(pruner.model, examples))
    refit_layers(pruner.model, dense, examples, pruner.seed, verbose, measurement.mask)
    return measurement.errors


def output_error(model: keras.Model, examples: Examples) -> Callable[[], float]:
    """A function that returns how far the outputs of a model are from what they are now: the sum of
    squares, as a share of that of the outputs' differences from their mean."""
    x, *_ = next(examples.batches(examples.batch_size(NUMBERS, EXAMPLES)))
    outputs = [np.asarray(y) for y in keras.tree.flatten(model.predict_on_batch(x))]

    def error():
        now = keras.tree.flatten(model.predict_on_batch(x))
        return sum(
            float(np.square(new - old).sum() / max(np.square(old - old.mean(axis=0)).sum(), TINY))
            for new, old in zip(now, outputs, strict=True)
        )

    return error


class Measurement:
    """Measures the error of the model's outputs without more and more items of one layer: what is
    left of it re-fitted, or as it is, all other layers as they are. Nothing is removed.

    The error of the layer's own outputs is measured at every number of removed items, that of the
    model's at some, which tell how much one is worth in the other.

    Args:
        pruner: the `Pruner` of the dense model.
        output_error: from the function of this name.

    Attributes:
        errors: the `Errors`, the sum where several layers read a group.
    """

    def __init__(self, pruner: Pruner, output_error: Callable[[], float]) -> None:
        self._candidates, self._output_error = Candidates(pruner), output_error
        self._refits = pruner.method.recovery != "none"
        self.errors: dict[str, Errors] = {}

    def mask(self, kernel: Kernel, refit: Refit) -> None:
        """Measures the groups that a kernel holds or reads; it stays as it is."""
        self._candidates.observe(kernel, refit)
        for name in self._candidates.read_by(kernel):
            counts = counts_to_measure(self._candidates.rankings[name].size)
            errors = self._measured(name, kernel, refit, counts)
            if name in self.errors:
                errors = errors + self.errors[name][1]
            self.errors[name] = counts, errors

    def _measured(self, name, kernel, refit, counts):
        start = refit.weights, refit.mask
        masks = self._candidates.masks(name, refit, counts[1:])
        kept = self._candidates.inputs_kept(name, kernel, refit, masks)
        errors, places, worths = [0.0], [], []
        for number, _ in enumerate(refit.remove(kept, self._refits), 1):
            errors.append(refit.error())
            if number % EVERY == 0 or number == len(counts) - 1:
                refit.put()
                places.append(number)
                worths.append(np.log((self._output_error() + TINY) / (errors[-1] + TINY)))
        refit.weights, refit.mask = start
        refit.put()
        worth = np.exp(np.interp(np.arange(len(counts)), places, worths))
        # With more items an error is no larger; those with most of them are not re-fitted.
        return np.minimum.accumulate((worth * errors)[::-1])[::-1]
