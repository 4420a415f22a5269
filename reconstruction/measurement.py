"""The error of each layer without more and more of its items: for the scope `budget`."""

import keras
import numpy as np

from ..models.kernels import Kernel
from ..pruning.examples import Examples
from ..pruning.prune import Pruner
from ..pruning.ranking import Errors, counts_to_measure
from .choices import Candidates
from .reconstruct import refit_layers
from .refit import Refit


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
    measurement = Measurement(pruner, refits=pruner.method.recovery != "none")
    refit_layers(pruner.model, dense, examples, pruner.seed, verbose, measurement.mask)
    return measurement.errors


class Measurement:
    """Measures how large the error of each layer is without more and more of its items: what is
    left re-fitted, or as it is. Nothing is removed.

    Args:
        pruner: the `Pruner` of the dense model.
        refits: whether what is left is re-fitted.

    Attributes:
        errors: the `Errors`, of each layer relative to the square of its outputs, the sum
            where several read a group.
    """

    def __init__(self, pruner: Pruner, refits: bool) -> None:
        self._candidates, self._refits = Candidates(pruner), refits
        self.errors: dict[str, Errors] = {}

    def mask(self, kernel: Kernel, refit: Refit) -> None:
        """Measures the groups that a kernel holds or reads; it stays as it is."""
        self._candidates.observe(kernel, refit)
        start = refit.weights, refit.mask
        for name in self._candidates.read_by(kernel):
            counts = counts_to_measure(self._candidates.rankings[name].size)
            masks = self._candidates.masks(name, refit, iter(counts[1:]))
            kept = self._candidates.inputs_kept(name, kernel, refit, masks)
            errors = np.array([0.0, *(refit.error() for _ in refit.remove(kept, self._refits))])
            # With more items an error is no larger; those with most of them are not re-fitted.
            errors = np.minimum.accumulate(errors[::-1])[::-1]
            if name in self.errors:
                errors = errors + self.errors[name][1]
            self.errors[name] = counts, errors
            refit.weights, refit.mask = start
