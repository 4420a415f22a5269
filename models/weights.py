"""The weights of a network as arrays, dense or masked."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..utils import RunError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Weights:
    """All weights of a network, of any kind; immutable.

    Attributes:
        arrays: by name, such as `hidden_1/kernel`, in the order of the Keras model's weights.

    `kernels`, `biases`, `layers`, `hidden` and `masked` are for chains of dense layers.
    """

    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, model: "keras.Model") -> "Weights":
        """Copies of a Keras model's weights."""
        arrays, taken = {}, Counter()
        for variable in model.weights:
            name = "/".join(variable.path.split("/")[-2:])
            taken[name] += 1
            arrays[name if taken[name] == 1 else f"{name}#{taken[name]}"] = np.array(variable)
        return cls(arrays)

    @classmethod
    def of_chain(
        cls, kernels: Mapping[str, np.ndarray], biases: Mapping[str, np.ndarray]
    ) -> "Weights":
        """The weights of a chain of dense layers.

        Args:
            kernels: arrays of shape (inputs, units) by layer name, the output layer last.
            biases: arrays of shape (units,) by layer name, of layers that have one.
        """
        arrays = {}
        for name, kernel in kernels.items():
            arrays[f"{name}/kernel"] = kernel
            if name in biases:
                arrays[f"{name}/bias"] = biases[name]
        return cls(arrays)

    def put_into(self, model: "keras.Model") -> None:
        """Assigns these weights to a Keras model of the same architecture.

        Raises:
            ValueError: if its weights have other shapes.
        """
        from .copies import refresh

        for variable, array in zip(model.weights, self.arrays.values(), strict=True):
            variable.assign(array)
        refresh(model)

    def are_finite(self) -> bool:
        """Whether all weights are finite."""
        return all(np.isfinite(array).all() for array in self.arrays.values())

    @property
    def size(self) -> int:
        """The number of all weights."""
        return sum(array.size for array in self.arrays.values())

    @property
    def kernels(self) -> dict[str, np.ndarray]:
        """The kernels by layer name, of shape (inputs, units), the output layer's last."""
        return self._by_layer("kernel")

    @property
    def biases(self) -> dict[str, np.ndarray]:
        """The biases by layer name, of shape (units,), of layers that have one."""
        return self._by_layer("bias")

    def _by_layer(self, name):
        parts = ((path.rpartition("/"), array) for path, array in self.arrays.items())
        return {layer: array for (layer, _, own), array in parts if own == name}

    @property
    def hidden(self) -> dict[str, np.ndarray]:
        """The kernels that can be pruned: all but the output layer's."""
        return dict(list(self.kernels.items())[:-1])

    @property
    def layers(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """The (kernel, bias) of every layer; the bias may be None."""
        biases = self.biases
        return [(kernel, biases.get(name)) for name, kernel in self.kernels.items()]

    def masked(self, masks: Mapping[str, np.ndarray], by_unit: bool = False) -> "Weights":
        """Copies with pruned weights set to exactly 0.0.

        Args:
            masks: booleans of the kernels' shapes by layer name, True where a weight is kept.
            by_unit: whether whole units are pruned: then their biases are set to 0, too.
        """
        arrays = dict(self.arrays)
        for name, mask in masks.items():
            kernel, bias = f"{name}/kernel", f"{name}/bias"
            arrays[kernel] = np.where(mask, arrays[kernel], 0)
            if by_unit and bias in arrays:
                arrays[bias] = np.where(mask.any(axis=0), arrays[bias], 0)
        return Weights(arrays)


def read_weights(path: str | PathLike) -> Weights:
    """The `Weights` in an HDF5 file written by Keras, read without importing Keras.

    Raises:
        RunError: if the file cannot be read, has other layers than dense ones, or weights that are
            not finite.
    """
    return checked_weights(path, lambda: _weights_in(path))


def checked_weights(path: str | PathLike, read: Callable[[], Weights]) -> Weights:
    """The `Weights` that `read` finds in a checkpoint.

    Raises:
        RunError: if it fails on the file at `path`, or finds weights that are not finite.
    """
    try:
        weights = read()
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise RunError(
            f"{path} is not a checkpoint of this program; restore it, or train again with "
            "`force_train`."
        ) from error
    if not weights.are_finite():
        raise RunError(
            f"{path} has weights that are not finite; restore it, or train again with "
            "`force_train`."
        )
    return weights


def _weights_in(path):
    import h5py

    with h5py.File(path) as file:
        group = file["model_weights"]
        layers = {name: _arrays(group[name]) for name in _names(group, "layer_names")}
    return Weights.of_chain(
        {name: arrays["kernel"] for name, arrays in layers.items()},
        {name: arrays["bias"] for name, arrays in layers.items() if "bias" in arrays},
    )


def _arrays(layer):
    """The arrays of a layer by name, such as `kernel`."""
    return {name.split("/")[-1]: layer[name][()] for name in _names(layer, "weight_names")}


def _names(group, attribute):
    """The names in a group's attribute, which Keras writes as bytes or text."""
    names = group.attrs[attribute]
    return [name.decode() if isinstance(name, bytes) else name for name in names]
