"""How much does each weight matter? One registered function per criterion.

A criterion takes a `Layer` and returns finite scores of the kernel's shape (inputs, units), not
negative; the weights with the lowest are removed first. To add one, in a file of your own:

    from network_pruning import register_criterion

    @register_criterion("mine")
    def mine(layer):
        return abs(layer.kernel)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..models.arrays import Array, in_float32, is_numpy, placed_like
from ..settings.registry import Registry
from .statistics import read_only

CRITERIA = Registry("criterion", takes=("layer",))
register_criterion = CRITERIA.register


def additive(criterion: Any) -> "Callable[[Layer], np.ndarray]":
    """Marks a criterion whose scores add up: items of several weights, such as units, are scored by
    the sum of their weights' scores, not by the L2 norm."""
    criterion.additive = True
    return criterion


def is_additive(name: str) -> bool:
    """Whether the scores of the criterion of this name add up."""
    return getattr(CRITERIA.function(name), "additive", False)


@dataclass(frozen=True)
class Layer:
    """The input of a criterion: the weights of one layer, and statistics of calibration data.

    Attributes that need data are computed when they are first used; a criterion that uses the
    weights only costs nothing more. All arrays are read-only, because all methods share them: of
    NumPy, or tensors on an accelerator for a criterion that is registered with `tensors=True`.

    Attributes:
        name: of the layer.
        kernel: its weights, of shape (inputs, units), in float32 if the model has a smaller type.
        seed: for criteria that draw random numbers.
        statistics: a `Statistics` of the whole network.
    """

    name: str
    kernel: Array
    seed: int = 0
    statistics: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", self._beside(in_float32(self.kernel)))

    def _beside(self, array):
        """An array where the kernel is, read-only."""
        placed = placed_like(array, self.kernel)
        return read_only(placed) if is_numpy(placed) else placed

    @cached_property
    def gradient(self) -> Array:
        """∂L/∂w, the mean over a sample of the training data; of the kernel's shape. L is the loss
        without penalties on the weights."""
        return self._beside(self.statistics.gradients[self.name])

    @cached_property
    def squared_gradient(self) -> Array:
        """(∂L/∂w)² of single examples, averaged over the sample: the diagonal of the empirical
        Fisher information, with the labels of the data."""
        return self._beside(self.statistics.squared_gradients[self.name])

    @cached_property
    def input_norm(self) -> Array:
        """L2 norm of each input of the layer over the sample, of shape (inputs,); (inputs, units)
        where units read inputs of their own, as in depthwise and grouped convolutions."""
        return self._beside(self.statistics.input_norms[self.name])


@register_criterion("magnitude", tensors=True)
def magnitude(layer: Layer) -> Array:
    """The absolute value (Han et al., 2015, arXiv:1506.02626)."""
    return abs(layer.kernel)


@register_criterion("random")
def random(layer: Layer) -> np.ndarray:
    """Random scores: the floor that every other criterion must beat."""
    # The name is part of the seed, so that layers of one shape differ.
    generator = np.random.default_rng((layer.seed, *layer.name.encode()))
    return generator.random(layer.kernel.shape, np.float32) + np.float32(1e-6)


@register_criterion("gradient", tensors=True)
def gradient(layer: Layer) -> Array:
    """|w · ∂L/∂w|, to first order how much the loss changes without the weight (at initialisation
    SNIP, Lee et al., 2019, arXiv:1810.02340). For units the L2 norm, which ranks them like the sum
    of squares of Molchanov et al., 2019, arXiv:1906.10771. (Molchanov et al., 2017,
    arXiv:1611.06440, use activations, and average absolute values over examples.)

    The loss is without penalties: a penalty makes large weights costly to keep, and would score
    them as important for that reason.
    """
    return abs(layer.kernel * layer.gradient)


@register_criterion("activation", tensors=True)
def activation(layer: Layer) -> Array:
    """|w| · ‖x‖ of the weight's input (Wanda; Sun et al., 2024, arXiv:2306.11695); meant for the
    scope `output`."""
    norm = layer.input_norm
    return abs(layer.kernel) * (norm if norm.ndim == 2 else norm[:, None])


@register_criterion("lamp")
def lamp(layer: Layer) -> np.ndarray:
    """w² over the sum of all w² in the layer that are not smaller (Lee et al., 2021,
    arXiv:2010.07611); meant for the scope `global`."""
    squares = np.square(layer.kernel, dtype=np.float64).ravel()
    order = np.argsort(squares, kind="stable")
    ascending = squares[order]
    remaining = np.cumsum(ascending[::-1])[::-1]
    scores = np.empty_like(squares)
    scores[order] = np.divide(ascending, remaining, where=ascending > 0, out=0 * ascending)
    return scores.reshape(layer.kernel.shape)


@register_criterion("obd", tensors=True)
@additive
def obd(layer: Layer) -> Array:
    """½ w² · ∂²L/∂w² (LeCun et al., 1990, "Optimal Brain Damage"), the curvature approximated by
    the diagonal of the empirical Fisher information (as in Theis et al., 2018, arXiv:1801.05787).
    For units the sum of their weights' saliencies."""
    return 0.5 * layer.kernel**2 * layer.squared_gradient


@register_criterion("magnitude_small")
def magnitude_small(layer: Layer) -> np.ndarray:
    """Reversed magnitude: the largest weights are removed first. An example of a bad criterion."""
    size = np.abs(layer.kernel)
    return np.where(size > 0, size.max(initial=0) + size.min(initial=np.inf) - size, 0)
