"""Statistics of a Keras model on data, for criteria that need them; on every backend."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models import kernels
from ..utils import UsageError
from .examples import Examples
from .statistics import read_only

if TYPE_CHECKING:
    from ..models.kernels import Kernel
    from .gradients import LossGradients


# Examples in a batch, and numbers in its inputs: all activations are in memory at once.
BATCH, BATCH_NUMBERS = 64, 2**20


class ModelStatistics:
    """Activations and gradients of a Keras model on a sample, computed on first use.

    Has the attributes of `Statistics`: arrays by the kernel's name, of the shape of its matrix.

    Raises:
        UsageError: (a ValueError) if the data does not fit the model, or a result is not finite.

    Args:
        model: a built Keras model, compiled for gradients.
        found: the `Kernel`s to compute statistics of.
        data: examples as `fit` takes them, or `Examples`; None for no data.
        loss_gradients: a function that returns the `LossGradients` of the kernels' variables.
    """

    def __init__(
        self,
        model: keras.Model,
        found: "Sequence[Kernel]",
        data: Any,
        loss_gradients: "Callable[[], LossGradients]",
    ) -> None:
        self.model, self.kernels, self.examples = model, found, Examples.of(data)
        self._loss_gradients = loss_gradients

    @cached_property
    def gradients(self) -> dict[str, np.ndarray]:
        """∂L/∂w, the mean over the sample."""
        # Batches of equal size, so that it does not matter whether the loss is a mean or a sum.
        size = _equal_size(len(self.examples))
        return self._summed(lambda *e: [size * g for g in self._loss_gradients().mean(*e)], size)

    @cached_property
    def squared_gradients(self) -> dict[str, np.ndarray]:
        """The mean of single examples' (∂L/∂w)²."""
        return self._summed(lambda *e: self._loss_gradients().squares(*e), BATCH)

    @cached_property
    def input_norms(self) -> dict[str, np.ndarray]:
        """L2 norm of each input over the sample and, in a convolution, all positions."""
        sums = {kernel.name: 0.0 for kernel in self.kernels}

        def add(kernel, inputs, _outputs):
            sums[kernel.name] = sums[kernel.name] + _squares(kernel, inputs)

        with kernels.watched(self.kernels, add):
            for x, *_ in self.examples.batches(self.examples.batch_size(BATCH_NUMBERS, BATCH)):
                self.model(keras.tree.map_structure(keras.ops.convert_to_tensor, x), training=False)
        return {
            kernel.name: _finite("inputs", kernel, _norms(kernel, np.sqrt(sums[kernel.name])))
            for kernel in self.kernels
        }

    def _summed(self, of_batch, size):
        """The mean over the sample, of sums over batches of this size."""
        self._check_loss()
        sums = [np.zeros(kernel.variable.shape, np.float64) for kernel in self.kernels]
        for batch in self.examples.batches(size):
            for total, array in zip(sums, of_batch(*batch), strict=True):
                total += array
        return self._matrices(total / len(self.examples) for total in sums)

    def _check_loss(self):
        has_labels = self.examples.has_labels
        if not self.model.compiled:
            raise UsageError(
                f"data: {self.model.name!r} is not compiled, so it has no loss to take gradients "
                "of; compile it first."
            )
        if not has_labels and self.model.loss is not None:
            raise UsageError(
                "data: this criterion takes gradients of the loss, which needs labels; give them "
                "as data=(x, y)."
            )

    def _matrices(self, arrays):
        return {
            kernel.name: _finite("gradients", kernel, kernel.matrix(array.astype(np.float32)))
            for kernel, array in zip(self.kernels, arrays, strict=True)
        }


def _finite(what, kernel, array):
    """An array of a kernel, read-only.

    Raises:
        UsageError: unless all of it is finite.
    """
    if not np.isfinite(array).all():
        raise UsageError(
            f"data: the {what} of the layer {kernel.name!r} are not finite; look for NaN and "
            "infinite numbers in the examples, and in the weights and biases of the model."
        )
    return read_only(array)


def _equal_size(number):
    """The largest batch size that divides the number of examples."""
    return next(size for size in range(min(BATCH, number), 0, -1) if number % size == 0)


def _squares(kernel, inputs):
    """The sum of squares of each channel of a layer's inputs, as an array that broadcasts to the
    kernel's: each weight with the channel that it is multiplied with."""
    inputs = np.asarray(keras.ops.convert_to_numpy(inputs)).astype(np.float64)
    layer, sizes = kernel.layer, kernel.variable.shape
    if isinstance(layer, keras.layers.EinsumDense):
        return _einsum_squares(layer, inputs, sizes)
    first = getattr(layer, "data_format", None) == "channels_first" and not kernel.is_in_cell
    if first and inputs.ndim > 2:
        inputs = np.moveaxis(inputs, 1, -1)
    channels = np.square(inputs).sum(axis=tuple(range(inputs.ndim - 1)))
    if kernel.is_depthwise:
        return channels[:, np.newaxis]
    if kernel.name.endswith("/pointwise_kernel"):
        # The output of the depthwise part cannot be observed; the norm of its input channel is
        # used instead.
        channels = np.repeat(channels, sizes[-2] // channels.size)
    if isinstance(layer, kernels.TRANSPOSED):
        return channels
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return channels[:, np.newaxis]
    return np.repeat(channels.reshape(groups, -1), sizes[-1] // groups, axis=0).T


def _einsum_squares(layer, inputs, sizes):
    read, kernel, result = kernels.einsum_letters(layer, inputs.ndim)
    # Axes of the input alone are summed over before anything is multiplied.
    left = "".join(letter for letter in read if letter in kernel + result)
    squares = np.square(np.einsum(f"{read}->{left}", inputs))
    common = "".join(letter for letter in kernel if letter in read)
    shape = [size if letter in read else 1 for letter, size in zip(kernel, sizes, strict=True)]
    return np.einsum(f"{left}->{common}", squares).reshape(shape)


def _norms(kernel, norms):
    """Norms that broadcast to a kernel as those of the inputs of its matrix: of shape (inputs,), or
    (inputs, units) where units read inputs of their own."""
    sizes, axes = kernel.variable.shape, (*kernel.inputs, *kernel.units)
    norms = norms.reshape((1,) * (len(sizes) - norms.ndim) + norms.shape)
    own = any(norms.shape[axis] > 1 for axis in kernel.units)
    shape = [size if own or axis in kernel.inputs else 1 for axis, size in enumerate(sizes)]
    matrix = np.transpose(np.broadcast_to(norms, shape), axes).reshape(kernel.shape[0], -1)
    return (matrix if own else matrix[:, 0]).astype(np.float32)
