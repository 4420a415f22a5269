"""What a Keras model does with data, for criteria that look at it; on every backend."""

from functools import cached_property

import keras
import numpy as np

from ..config import UsageError
from ..models import kernels
from .statistics import read_only

# Examples that are computed with at once.
BATCH = 64


class ModelStatistics:
    """Activations and gradients of a Keras model on a sample, computed when asked for.

    Has what `Statistics` has for networks of dense layers: arrays by the kernel's name, of the
    shape of its matrix.

    Args:
        model: a built Keras model, compiled for gradients.
        found: the `Kernel`s that are asked about.
        data: inputs and labels as a pair (x, y), as `fit` takes them, or None for no data.
        loss_gradients: a function that returns the `LossGradients` of the kernels' variables.
    """

    def __init__(self, model, found, data, loss_gradients):
        self.model, self.kernels, self.data = model, found, data
        self._loss_gradients = loss_gradients

    @cached_property
    def gradients(self):
        """∂L/∂w, the mean over the sample."""
        return self._summed(lambda x, y: [_size(x) * g for g in self._loss_gradients().mean(x, y)])

    @cached_property
    def squared_gradients(self):
        """The mean of single examples' (∂L/∂w)²."""
        return self._summed(lambda x, y: self._loss_gradients().squares(x, y))

    @cached_property
    def input_norms(self):
        """L2 norm of each input over the sample and, in a convolution, all positions."""
        sums = {kernel.name: 0.0 for kernel in self.kernels}

        def add(kernel, inputs, _outputs):
            sums[kernel.name] += _squares(kernel, inputs)

        with kernels.watched(self.kernels, add):
            for x, _ in self._batches():
                self.model(keras.tree.map_structure(keras.ops.convert_to_tensor, x), training=False)
        return {
            kernel.name: read_only(_norms(kernel, np.sqrt(sums[kernel.name])))
            for kernel in self.kernels
        }

    def _summed(self, of_batch):
        """The mean over the sample of what is summed over each batch."""
        self._checked_data()
        if not self.model.compiled:
            raise UsageError(
                f"data: {self.model.name!r} is not compiled, so that it has no loss whose gradient "
                "could be taken; compile it first."
            )
        sums = [np.zeros(kernel.variable.shape, np.float64) for kernel in self.kernels]
        size = 0
        for x, y in self._batches():
            size += _size(x)
            for total, array in zip(sums, of_batch(x, y), strict=True):
                total += array
        return self._matrices(total / size for total in sums)

    def _matrices(self, arrays):
        return {
            kernel.name: read_only(kernel.matrix(array.astype(np.float32)))
            for kernel, array in zip(self.kernels, arrays, strict=True)
        }

    def _checked_data(self):
        if self.data is None:
            raise UsageError(
                "data: this criterion looks at data; give some training examples as data=(x, y)."
            )
        if not isinstance(self.data, (tuple, list)) or len(self.data) != 2:
            raise UsageError(
                f"data: {type(self.data).__name__} is not a pair of arrays; give some training "
                "examples as data=(x, y)."
            )
        sizes = {len(array) for array in keras.tree.flatten(self.data)}
        if len(sizes) != 1 or sizes == {0}:
            raise UsageError(
                f"data: its arrays are of lengths {', '.join(map(str, sorted(sizes)))}; there must "
                "be a label for each example, and one example or more."
            )
        return self.data

    def _batches(self):
        x, y = self._checked_data()
        for start in range(0, _size(x), BATCH):
            yield tuple(
                keras.tree.map_structure(lambda a, s=start: np.asarray(a[s : s + BATCH]), part)
                for part in (x, y)
            )


def _size(x):
    return len(keras.tree.flatten(x)[0])


def _squares(kernel, inputs):
    """The sum of squares of each channel of a layer's inputs."""
    inputs = np.asarray(keras.ops.convert_to_numpy(inputs), np.float64)
    first = getattr(kernel.layer, "data_format", None) == "channels_first"
    if first and inputs.ndim > 2:
        inputs = np.moveaxis(inputs, 1, -1)
    axes = kernels.einsum_read(kernel.layer) if _is_einsum(kernel) else (inputs.ndim - 1,)
    others = tuple(axis for axis in range(inputs.ndim) if axis not in axes)
    return np.square(inputs).sum(axis=others)


def _is_einsum(kernel):
    return isinstance(kernel.layer, keras.layers.EinsumDense)


def _norms(kernel, norms):
    """The norms of channels as norms of the inputs of the kernel's matrix."""
    inputs, units = kernel.shape
    if kernel.is_depthwise:
        return np.repeat(norms, units // norms.size)[np.newaxis].astype(np.float32)
    if kernel.name.endswith("/pointwise_kernel"):
        # What the depthwise part makes of the inputs is not seen from outside: its norm is not
        # known, and that of the channel stands for it.
        norms = np.repeat(norms, inputs // norms.size)
    return np.tile(norms.ravel(), inputs // norms.size).astype(np.float32)
