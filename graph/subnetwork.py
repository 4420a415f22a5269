"""The live units of a Keras model as a smaller model, and where each of its weights comes from."""

import contextlib
from dataclasses import dataclass

import keras
import numpy as np

from ..models.copies import CannotCopyError, copy_of_model, custom_objects_of
from ..models.kernels import value_of
from ..models.weights import Weights
from .liveness import LivenessAnalysis
from .shrink import GraphRewriter
from .tracing import Graph, function_of

# Indices replace weights during rewriting; `float32` represents them exactly up to this one.
MAX_INDEX = 2**24


@dataclass(frozen=True)
class Subnetwork:
    """A part of a large model as a separate model.

    Attributes:
        model: the smaller model, with its own weights.
        sources: for each of its weights, in order, the number of the weight of the large model that
            it is part of, and flat indices into that, in the small weight's shape.
        inputs: indices of an example's features that it takes; None for all.
    """

    model: keras.Model
    sources: list[tuple[int, np.ndarray]]
    inputs: np.ndarray | None = None

    @classmethod
    def of_live_units(cls, model: keras.Model) -> "Subnetwork":
        """The live units of a model; all units of a subclassed one.

        Constants that are not zero are kept: nothing is folded into biases.
        """
        if function_of(model) is None or not _can_hold_indices(model.weights):
            return cls.whole(model)
        if max(int(np.prod(variable.shape)) for variable in model.weights) > MAX_INDEX:
            return cls.whole(model)
        graph = Graph(model)
        rewriter = GraphRewriter(graph, LivenessAnalysis.of(graph, folding=False))
        try:
            with custom_objects_of(model):
                smaller = rewriter.build()
        except CannotCopyError:
            return cls.whole(model)
        numbers = {id(variable): number for number, variable in enumerate(model.weights)}
        with _indices_as_weights(model):
            found = {
                id(new): (numbers[id(old)], indices.astype(np.intp))
                for new, old, indices in rewriter.copied_weights()
                if id(old) in numbers  # not seeds of dropout
            }
        return cls(smaller, [found[id(variable)] for variable in smaller.weights])

    @classmethod
    def whole(cls, model: keras.Model) -> "Subnetwork":
        """A copy of the whole model."""
        copy = copy_of_model(model)
        return cls(copy, [(n, _indices(v.shape)) for n, v in enumerate(model.weights)])

    def smaller(self, weights: Weights) -> Weights:
        """The small model's part of the large model's weights, by the large model's names."""
        arrays = list(weights.arrays.items())
        found = {}
        for number, indices in self.sources:
            name, array = arrays[number]
            found[name] = np.ravel(array)[indices]
        return Weights(found)

    def larger(self, small: Weights, weights: Weights) -> Weights:
        """Copies of the large model's weights, updated with those of the small one."""
        whole = {name: np.array(array) for name, array in weights.arrays.items()}
        arrays = list(whole.values())
        for (number, indices), array in zip(self.sources, small.arrays.values(), strict=True):
            arrays[number].reshape(-1)[indices] = array
        return Weights(whole)

    def contains(self, other: "Subnetwork") -> bool:
        """Whether this one includes another subnetwork of the same model."""
        own = dict(self.sources)
        return all(
            number in own and np.isin(indices, own[number], kind="table").all()
            for number, indices in other.sources
        )


def _can_hold_indices(variables):
    """Whether the types of these variables represent indices exactly."""
    return all(str(variable.dtype) in ("float32", "float64") for variable in variables)


def _indices(shape):
    return np.arange(int(np.prod(shape))).reshape(shape)


@contextlib.contextmanager
def _indices_as_weights(model):
    """Within the block, every weight of a model holds its own flat indices."""
    before = [(variable, value_of(variable)) for variable in model.weights]
    try:
        for variable, value in before:
            variable.assign(_indices(value.shape).astype(value.dtype))
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
