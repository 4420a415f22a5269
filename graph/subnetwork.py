"""The live units of a Keras model as a smaller model, and where each of its weights comes from."""

import contextlib
from dataclasses import dataclass

import keras
import numpy as np

from ..models.copies import copy_of_model, knowing
from ..models.kernels import value_of
from ..models.weights import Weights
from .liveness import LivenessAnalysis
from .shrink import GraphRewriter
from .tracing import Graph, function_of

# Indices go through the rewriter in the place of weights; `float32` holds them exactly up to here.
MOST_INDICES = 2**24


@dataclass(frozen=True)
class Subnetwork:
    """A part of a large model as a model of its own.

    Attributes:
        model: the smaller model, with weights of its own.
        sources: for each of its weights, in their order, the number of the weight of the large
            model that it is a part of, and flat indices into that, of its own shape.
        inputs: indices of the numbers of an example that it takes; None for all.
    """

    model: keras.Model
    sources: list[tuple[int, np.ndarray]]
    inputs: np.ndarray | None = None

    @classmethod
    def of_live_units(cls, model: keras.Model) -> "Subnetwork":
        """What of a model has an influence on its answers; all of a subclassed one.

        What is constant but not zero stays: nothing is folded into biases.
        """
        if function_of(model) is None or not _hold_indices(model.weights):
            return cls.whole(model)
        if max(int(np.prod(variable.shape)) for variable in model.weights) > MOST_INDICES:
            return cls.whole(model)
        graph = Graph(model)
        with knowing(model):
            rewriter = GraphRewriter(graph, LivenessAnalysis.of(graph, folding=False))
            smaller = rewriter.build()
        numbers = {id(variable): number for number, variable in enumerate(model.weights)}
        with _indices_as_weights(model):
            found = {
                id(new): (numbers[id(old)], indices.astype(np.intp))
                for new, old, indices in rewriter.copied_weights()
                if id(old) in numbers  # which seeds of dropout are not
            }
        return cls(smaller, [found[id(variable)] for variable in smaller.weights])

    @classmethod
    def whole(cls, model: keras.Model) -> "Subnetwork":
        """All of a model, as a copy."""
        copy = copy_of_model(model)
        return cls(copy, [(n, _indices(v.shape)) for n, v in enumerate(model.weights)])

    def smaller(self, weights: Weights) -> Weights:
        """The part of the large model's weights, by the names of where they are from."""
        arrays = list(weights.arrays.items())
        found = {}
        for number, indices in self.sources:
            name, array = arrays[number]
            found[name] = np.ravel(array)[indices]
        return Weights(found)

    def larger(self, small: Weights, weights: Weights) -> Weights:
        """Copies of the large model's weights with the part replaced by `small`."""
        whole = {name: np.array(array) for name, array in weights.arrays.items()}
        arrays = list(whole.values())
        for (number, indices), array in zip(self.sources, small.arrays.values(), strict=True):
            arrays[number].reshape(-1)[indices] = array
        return Weights(whole)

    def contains(self, other: "Subnetwork") -> bool:
        """Whether another part of the same model is within this one."""
        own = dict(self.sources)
        return all(
            number in own and np.isin(indices, own[number], kind="table").all()
            for number, indices in other.sources
        )


def _hold_indices(variables):
    """Whether these can hold indices exactly."""
    return all(str(variable.dtype) in ("float32", "float64") for variable in variables)


def _indices(shape):
    return np.arange(int(np.prod(shape))).reshape(shape)


@contextlib.contextmanager
def _indices_as_weights(model):
    """While it lasts, every weight of a model holds its own flat indices."""
    before = [(variable, value_of(variable)) for variable in model.weights]
    try:
        for variable, value in before:
            variable.assign(_indices(value.shape).astype(value.dtype))
        yield
    finally:
        for variable, value in before:
            variable.assign(value)
