"""The weights of a network as arrays, and what a mask leaves of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..utils import RunError

if TYPE_CHECKING:
    import keras


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
    def of(cls, model: "keras.Model") -> "Weights":
        """Copies of a Keras model's weights."""
        layers = {layer.name: layer for layer in model.layers}
        return cls(
            {name: layer.kernel.numpy() for name, layer in layers.items()},
            {name: layer.bias.numpy() for name, layer in layers.items() if layer.use_bias},
        )

    def put_into(self, model: "keras.Model") -> None:
        """Gives these weights to a Keras model of the same architecture."""
        for layer in model.layers:
            layer.kernel.assign(self.kernels[layer.name])
            if layer.use_bias:
                layer.bias.assign(self.biases[layer.name])

    @property
    def hidden(self) -> dict[str, np.ndarray]:
        """The kernels that can be pruned: all but the output layer's."""
        return dict(list(self.kernels.items())[:-1])

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """A (kernel, bias) for every layer; the bias is None where there is none."""
        return [(kernel, self.biases.get(name)) for name, kernel in self.kernels.items()]

    @property
    def size(self) -> int:
        """The number of all weights and biases."""
        arrays = (*self.kernels.values(), *self.biases.values())
        return sum(array.size for array in arrays)

    def masked(self, masks: Mapping[str, np.ndarray], by_unit: bool = False) -> "Weights":
        """Copies with the removed weights set to exactly 0.0.

        Args:
            masks: booleans of the kernels' shapes by layer name, True where a weight is kept.
            by_unit: whether whole units are removed: then their biases go with them.
        """
        kernels, biases = dict(self.kernels), dict(self.biases)
        for name, mask in masks.items():
            kernels[name] = np.where(mask, kernels[name], 0)
            if by_unit and name in biases:
                biases[name] = np.where(mask.any(axis=0), biases[name], 0)
        return Weights(kernels, biases)


def read_weights(path: str | PathLike) -> Weights:
    """The `Weights` in an HDF5 file of Keras', read as plain arrays without importing Keras.

    Raises:
        RunError: if the file cannot be read, is not of dense layers, or holds weights that are not
            finite.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            group = file["model_weights"]
            layers = {name: _arrays(group[name]) for name in _names(group, "layer_names")}
        weights = Weights(
            {name: arrays["kernel"] for name, arrays in layers.items()},
            {name: arrays["bias"] for name, arrays in layers.items() if "bias" in arrays},
        )
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise RunError(
            f"{path} is not a checkpoint of this program; restore it, or train anew with "
            "`force_train`."
        ) from error
    arrays = [*weights.kernels.values(), *weights.biases.values()]
    if not all(np.isfinite(array).all() for array in arrays):
        raise RunError(
            f"{path} holds weights that are not finite; restore it, or train anew with "
            "`force_train`."
        )
    return weights


def _arrays(layer):
    """The arrays of a layer by their own names, such as `kernel`."""
    return {name.split("/")[-1]: layer[name][()] for name in _names(layer, "weight_names")}


def _names(group, attribute):
    """Names in a group's attribute, which Keras writes as bytes or as text."""
    names = group.attrs[attribute]
    return [name.decode() if isinstance(name, bytes) else name for name in names]
