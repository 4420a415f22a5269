"""Models that are only pruned, which tells about what they will need."""

import warnings

import keras

from ..graph.shrink import shrink
from ..graph.tracing import function_of
from ..models.copies import copy_of_model, refresh
from ..models.kernels import value_of
from ..pruning.examples import Examples
from ..pruning.prune import Pruner
from ..pruning.statistics import SAMPLE_SIZE
from ..reconstruction.measurement import measured_errors
from ..reconstruction.prune import parsed_method


class Sketch:
    """A model that is pruned, to any sparsity, but not re-fitted.

    Args:
        dense, method, examples, seed: as for `Maker`.
    """

    def __init__(self, dense: keras.Model, method: str, examples: Examples, seed: int) -> None:
        self.model = copy_of_model(dense)
        parsed = parsed_method(method)
        self.pruner = Pruner(self.model, parsed, 0.0, examples.head(SAMPLE_SIZE), (), seed)
        if parsed.scope == "budget":
            self.pruner.errors = measured_errors(self.pruner, dense, examples, 0)
        self.rankings = self.pruner.rankings()
        self._given = [value_of(variable) for variable in self.model.weights]

    def at(self, sparsity: float) -> keras.Model:
        """The model at a sparsity, without its dead units."""
        for variable, array in zip(self.model.weights, self._given, strict=True):
            variable.assign(array)
        self.pruner.remove(self.pruner.masks_at(self.rankings, sparsity))
        refresh(self.model)
        return without_dead_units(self.model)


def without_dead_units(model: keras.Model) -> keras.Model:
    """The model `shrink`s to; a subclassed one as it is, copied."""
    if function_of(model) is None:
        return copy_of_model(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return shrink(model)
