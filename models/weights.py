"""The weights of a network as arrays, and what a mask leaves of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weights:
    """Kernels and biases by layer name, in the order of the layers, the output layer last.

    Attributes:
        kernels: arrays of shape (inputs, units).
        biases: arrays of shape (units,); empty for a network without biases.
    """

    kernels: dict
    biases: dict

    @classmethod
    def of(cls, model):
        """Copies of a Keras model's weights."""
        layers = {layer.name: layer for layer in model.layers}
        return cls(
            {name: layer.kernel.numpy() for name, layer in layers.items()},
            {name: layer.bias.numpy() for name, layer in layers.items() if layer.use_bias},
        )

    def put_into(self, model):
        """Gives these weights to a Keras model of the same architecture."""
        for layer in model.layers:
            layer.kernel.assign(self.kernels[layer.name])
            if layer.use_bias:
                layer.bias.assign(self.biases[layer.name])

    @property
    def hidden(self):
        """The kernels that can be pruned: all but the output layer's."""
        return dict(list(self.kernels.items())[:-1])

    @property
    def layers(self):
        """A (kernel, bias) for every layer; the bias is None where there is none."""
        return [(kernel, self.biases.get(name)) for name, kernel in self.kernels.items()]

    @property
    def size(self):
        """The number of all weights and biases."""
        arrays = (*self.kernels.values(), *self.biases.values())
        return sum(array.size for array in arrays)

    def masked(self, masks):
        """Copies with the removed weights set to exactly 0.0.

        A unit that has lost all its incoming weights loses its bias too: it is gone.

        Args:
            masks: booleans of the kernels' shapes by layer name, True where a weight is kept.
        """
        kernels, biases = dict(self.kernels), dict(self.biases)
        for name, mask in masks.items():
            kernels[name] = np.where(mask, kernels[name], 0)
            if name in biases:
                biases[name] = np.where(mask.any(axis=0), biases[name], 0)
        return Weights(kernels, biases)
