"""What a network does with data: activations and gradients, for criteria that look at them."""

from functools import cached_property

import numpy as np

# Enough for a stable ranking, little enough to take a tenth of a second.
SAMPLE_SIZE = 1000


class Statistics:
    """Activations and gradients of a dense ReLU network on a sample, computed when asked for.

    Plain NumPy: the gradient of a dense layer is the product of its inputs and the errors of its
    outputs, and so are squares of single examples' gradients.

    Args:
        weights: the `Weights`.
        images: float32 of shape (n, inputs).
        labels: integers of shape (n,).
    """

    def __init__(self, weights, images, labels):
        self.weights, self.images, self.labels = weights, images, labels

    @classmethod
    def on_sample(cls, weights, split, seed):
        """On training examples that the seed chooses."""
        chosen = sample(split, seed)
        return cls(weights, chosen.images, chosen.labels)

    @cached_property
    def inputs(self):
        """The inputs of every layer, of shape (n, inputs)."""
        x, inputs = self.images, {}
        for name, kernel in self.weights.kernels.items():
            inputs[name] = x
            x = np.maximum(x @ kernel + self.weights.biases.get(name, 0), 0)
        return inputs

    @cached_property
    def errors(self):
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
        return errors

    @cached_property
    def gradients(self):
        """∂L/∂w, the mean over the sample, by layer name."""
        return {
            name: x.T @ self.errors[name] / np.float32(len(x)) for name, x in self.inputs.items()
        }

    @cached_property
    def squared_gradients(self):
        """The mean of single examples' (∂L/∂w)², by layer name."""
        return {
            name: np.square(x).T @ np.square(self.errors[name]) / np.float32(len(x))
            for name, x in self.inputs.items()
        }

    @cached_property
    def input_norms(self):
        """L2 norm of each input over the sample, by layer name, of shape (inputs,)."""
        return {name: np.linalg.norm(x, axis=0) for name, x in self.inputs.items()}


def sample(split, seed):
    """At most SAMPLE_SIZE examples of a split; the seed chooses."""
    size = min(SAMPLE_SIZE, len(split))
    return split[np.random.default_rng(seed).choice(len(split), size, replace=False)]
