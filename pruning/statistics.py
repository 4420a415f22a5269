"""What a network does with data: activations and gradients, for criteria that look at them."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..models.weights import Weights

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Split


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written to: every method looks at the same arrays."""
    view = array.view()
    view.flags.writeable = False
    return view


# Enough for a stable ranking, little enough to take a tenth of a second.
SAMPLE_SIZE = 1000


class Statistics:
    """Activations and gradients of a dense ReLU network on a sample, computed when asked for.

    Plain NumPy: the gradient of a dense layer is the product of its inputs and the errors of its
    outputs, and so are squares of single examples' gradients.

    All its arrays are read-only.

    Args:
        weights: the `Weights`.
        images: float32 of shape (n, inputs).
        labels: integers of shape (n,).
    """

    def __init__(self, weights: Weights, images: np.ndarray, labels: np.ndarray) -> None:
        self.weights = Weights(_all_read_only(weights.arrays))
        self.images, self.labels = read_only(images), read_only(labels)

    @cached_property
    def inputs(self) -> dict[str, np.ndarray]:
        """The inputs of every layer, of shape (n, inputs)."""
        x, inputs = self.images, {}
        for name, kernel in self.weights.kernels.items():
            inputs[name] = x
            x = np.maximum(x @ kernel + self.weights.biases.get(name, 0), 0)
        return _all_read_only(inputs)

    @cached_property
    def errors(self) -> dict[str, np.ndarray]:
        """∂L/∂z of every layer's outputs before ReLU, for each example, of shape (n, units)."""
        *hidden, output = self.weights.kernels
        logits = self.inputs[output] @ self.weights.kernels[output]
        logits = logits + self.weights.biases.get(output, 0)
        error = np.exp(logits - logits.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[np.arange(len(error)), self.labels] -= 1
        errors, following = {output: error}, output
        for name in reversed(hidden):
            back = errors[following] @ self.weights.kernels[following].T
            errors[name] = back * (self.inputs[following] > 0)
            following = name
        return _all_read_only(errors)

    @cached_property
    def gradients(self) -> dict[str, np.ndarray]:
        """∂L/∂w, the mean over the sample, by layer name."""
        size = np.float32(len(self.images))
        return _all_read_only(
            {name: x.T @ self.errors[name] / size for name, x in self.inputs.items()}
        )

    @cached_property
    def squared_gradients(self) -> dict[str, np.ndarray]:
        """The mean of single examples' (∂L/∂w)², by layer name."""
        size = np.float32(len(self.images))
        return _all_read_only(
            {
                name: np.square(x).T @ np.square(self.errors[name]) / size
                for name, x in self.inputs.items()
            }
        )

    @cached_property
    def input_norms(self) -> dict[str, np.ndarray]:
        """L2 norm of each input over the sample, by layer name, of shape (inputs,)."""
        return _all_read_only({name: np.linalg.norm(x, axis=0) for name, x in self.inputs.items()})


def _all_read_only(arrays):
    return {name: read_only(array) for name, array in arrays.items()}


def sample(split: "Split", seed: int, most: int = SAMPLE_SIZE) -> "Split":
    """Some examples of a split, at most so many; the seed chooses."""
    size = min(most, len(split))
    return split[np.random.default_rng(seed).choice(len(split), size, replace=False)]
