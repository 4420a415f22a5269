"""How layers read their inputs: a kernel as a product of rows of inputs and a matrix.

Every unit of a layer computes at every position of its output a weighted sum of some inputs. Here
these inputs are rows of a matrix, at a chosen number of positions, so that the memory is bounded
however large the pictures are.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from ..models.arrays import Array, namespace, placed_like
from ..models.kernels import (
    CONVOLUTIONS,
    DEPTHWISE,
    SEPARABLE,
    TRANSPOSED,
    Kernel,
    einsum_letters,
    value_of,
)
from ..models.recurrent import CONVOLUTIONAL


@dataclass(frozen=True)
class Reading:
    """How the layer of a kernel reads its inputs.

    Units fall into groups that read inputs of their own: those of grouped and depthwise
    convolutions, of one channel each. All other layers have one group.

    Attributes:
        kernel: the `Kernel`.
    """

    kernel: Kernel

    @cached_property
    def columns(self) -> np.ndarray:
        """The columns of the kernel's matrix that belong to each group, of shape (groups,
        units)."""
        kernel = self.kernel
        units = np.arange(kernel.shape[1])
        if kernel.is_depthwise:
            return units.reshape(kernel.variable.shape[-2], -1)
        return units.reshape(getattr(kernel.layer, "groups", 1), -1)

    @property
    def bias(self) -> keras.Variable | None:
        """The bias that is added to the kernel's sums, one number for each column; None if there is
        none."""
        bias, kernel = self.kernel.bias, self.kernel
        separable = isinstance(kernel.layer, SEPARABLE)
        if bias is None or kernel.is_recurrent or (separable and kernel.is_depthwise):
            return None
        return bias if np.prod(bias.shape) == self.kernel.shape[1] else None

    def split(self, matrix: np.ndarray) -> np.ndarray:
        """A matrix of the kernel's shape by groups, of shape (groups, inputs, units)."""
        return np.moveaxis(matrix[:, self.columns], 0, 1)

    def joined(self, parts: np.ndarray) -> np.ndarray:
        """The inverse of `split`."""
        matrix = np.empty((parts.shape[1], self.columns.size), parts.dtype)
        matrix[:, self.columns] = np.moveaxis(parts, 0, 1)
        return matrix

    def positions(self, inputs: Array) -> int:
        """The number of positions of the output of each example."""
        return int(np.prod(self.laid_out(inputs).shape[1:-2]))

    def rows(self, inputs: Array, examples: np.ndarray, places: np.ndarray) -> Array:
        """The inputs that the units read at chosen positions.

        Args:
            inputs: of the layer, of shape (examples, ...).
            examples, places: the number of the example and of the position in it, of shape (rows,).

        Returns:
            An array of shape (rows, groups, inputs).
        """
        laid, number = self.laid_out(inputs), self.positions(inputs)
        xp = namespace(laid)
        flat = xp.reshape(laid, (-1, *laid.shape[-2:]))
        return xp.take(flat, examples * number + places, axis=0)

    def laid_out(self, inputs: Array) -> Array:
        """The inputs of shape (examples, ..., groups, inputs)."""
        return namespace(inputs).expand_dims(inputs, -2)


class EinsumReading(Reading):
    """Of an EinsumDense layer, as in attention."""

    @cached_property
    def columns(self) -> np.ndarray:
        shape, kernel = self.kernel.variable.shape, self.kernel
        read, letters, _ = self._equation
        order = [axis for axis in kernel.units if letters[axis] in read]
        groups = int(np.prod([shape[axis] for axis in order], initial=1))
        order += [axis for axis in kernel.units if letters[axis] not in read]
        numbers = np.arange(kernel.shape[1]).reshape([shape[axis] for axis in kernel.units])
        return numbers.transpose([kernel.units.index(axis) for axis in order]).reshape(groups, -1)

    @property
    def _equation(self):
        """The letters of input, kernel and output, without those for any axes."""
        equation = self.kernel.layer.equation.replace(" ", "").replace("...", "")
        operands, result = equation.split("->")
        return *operands.split(","), result

    def is_plain(self) -> bool:
        """Whether each input is multiplied with weights, and sums go over nothing else."""
        read, letters, result = self._equation
        summed = all(letters[axis] in read for axis in self.kernel.inputs)
        return summed and all(letter in letters + result for letter in read)

    def laid_out(self, inputs: Array) -> Array:
        read, letters, _ = einsum_letters(self.kernel.layer, inputs.ndim)
        groups = [letters[axis] for axis in self.kernel.units if letters[axis] in read]
        summed = [letters[axis] for axis in self.kernel.inputs]
        free = [letter for letter in read if letter not in letters]
        xp = namespace(inputs)
        turned = xp.transpose(inputs, [read.index(each) for each in (*free, *groups, *summed)])
        lead = turned.shape[: len(free)]
        number = int(np.prod(turned.shape[len(free) : len(free) + len(groups)], initial=1))
        return xp.reshape(turned, (*lead, number, -1))


class PatchReading(Reading):
    """Of a convolution, depthwise and transposed ones too: rows are patches."""

    @property
    def _spatial(self):
        return self.kernel.variable.shape[:-2]

    def positions(self, inputs: Array) -> int:
        return int(np.prod(self._output_sizes(inputs)))

    def _channels_last(self, inputs):
        first = self.kernel.layer.data_format == "channels_first"
        return namespace(inputs).moveaxis(inputs, 1, -1) if first else inputs

    def _output_sizes(self, inputs):
        layer = self.kernel.layer
        shape = layer.compute_output_shape(inputs.shape)
        return shape[2:] if layer.data_format == "channels_first" else shape[1:-1]

    def rows(self, inputs: Array, examples: np.ndarray, places: np.ndarray) -> Array:
        patches = self._patches(inputs, examples, places)  # (rows, positions, channels)
        xp = namespace(patches)
        if self.kernel.is_depthwise:
            return xp.swapaxes(patches, 1, 2)
        groups = getattr(self.kernel.layer, "groups", 1)
        rows, positions, channels = patches.shape
        patches = xp.reshape(patches, (rows, positions, groups, channels // groups))
        return xp.reshape(xp.moveaxis(patches, 2, 1), (rows, groups, -1))

    def _patches(self, inputs, examples, places):
        sizes = self._output_sizes(inputs)
        inputs = self._channels_last(inputs)
        where = np.stack(np.unravel_index(places, sizes), axis=-1)  # (rows, axes)
        offsets = np.stack(np.unravel_index(np.arange(np.prod(self._spatial)), self._spatial), -1)
        read = tuple(inputs.shape[1:-1])
        found, inside = self._read_at(where[:, np.newaxis], offsets, read, sizes)
        found = np.where(inside[..., np.newaxis], found, 0)
        flat = np.ravel_multi_index(tuple(np.moveaxis(found, -1, 0)), read)
        flat = flat + examples[:, np.newaxis] * int(np.prod(read))
        xp = namespace(inputs)
        patches = xp.take(xp.reshape(inputs, (-1, inputs.shape[-1])), flat, axis=0)
        return xp.where(inside[..., np.newaxis], patches, np.float32(0))

    def _read_at(self, where, offsets, read, made):
        """Which place of the input each weight is multiplied with, and whether there is one."""
        layer = self.kernel.layer
        strides, dilation = np.array(layer.strides), np.array(layer.dilation_rate)
        width = (np.array(self._spatial) - 1) * dilation + 1
        before = _padding(layer.padding, strides, width, np.array(read), np.array(made))
        found = where * strides + offsets * dilation - before
        return found, ((found >= 0) & (found < read)).all(axis=-1)


class TransposedReading(PatchReading):
    """Of a transposed convolution: between two inputs there are as many zeros as strides are
    wide."""

    def _read_at(self, where, offsets, read, made):
        layer = self.kernel.layer
        strides, dilation = np.array(layer.strides), np.array(layer.dilation_rate)
        width = (np.array(self._spatial) - 1) * dilation + 1
        before = _padding(layer.padding, strides, width, np.array(made), np.array(read))
        found = where + before - offsets * dilation
        inside = ((found >= 0) & (found % strides == 0) & (found < read * strides)).all(axis=-1)
        return found // strides, inside


class PointwiseReading(PatchReading):
    """Of the second part of a separable convolution: what the first one returns."""

    @property
    def _spatial(self):
        return self.kernel.layer.depthwise_kernel.shape[:-2]

    @property
    def columns(self) -> np.ndarray:
        return np.arange(self.kernel.shape[1])[np.newaxis]

    def rows(self, inputs: Array, examples: np.ndarray, places: np.ndarray) -> Array:
        patches = self._patches(inputs, examples, places)
        depthwise = value_of(self.kernel.layer.depthwise_kernel).astype(np.float32)
        depthwise = placed_like(depthwise.reshape(-1, *depthwise.shape[-2:]), patches)
        made = namespace(patches).einsum("rpc,pcm->rcm", patches, depthwise)
        return namespace(made).reshape(made, (len(made), 1, -1))


def _padding(padding, strides, width, read, made):
    """How many zeros a convolution adds before its input, along each axis."""
    if padding == "valid":
        return np.zeros_like(width)
    if padding == "causal":
        return width - 1
    return np.maximum((made - 1) * strides + width - read, 0) // 2


def reading_of(kernel: Kernel) -> Reading | None:
    """The `Reading` of a kernel; None of layers that it does not know."""
    layer: Any = kernel.layer
    if not keras.backend.is_float_dtype(kernel.variable.dtype):
        return None  # integers, which Keras has quantized
    if not type(layer).call.__module__.startswith("keras."):
        return None  # what a class of the user's makes of its kernel is not known
    if kernel.is_in_cell:
        return Reading(kernel) if _sums_states(kernel) else None
    if isinstance(layer, keras.layers.EinsumDense):
        reading = EinsumReading(kernel)
        return reading if reading.is_plain() else None
    if isinstance(layer, TRANSPOSED):
        return None if layer.output_padding is not None else TransposedReading(kernel)
    if isinstance(layer, SEPARABLE):
        return PatchReading(kernel) if kernel.is_depthwise else PointwiseReading(kernel)
    if isinstance(layer, (*CONVOLUTIONS, *DEPTHWISE)):
        return PatchReading(kernel)
    return Reading(kernel) if isinstance(layer, keras.layers.Dense) else None


def _sums_states(kernel):
    """Whether a recurrent layer multiplies inputs and states with its kernels as they are: not with
    those of convolutions, and not after a gate."""
    if isinstance(kernel.layer, CONVOLUTIONAL):
        return False
    cell = kernel.owner
    return not (kernel.is_recurrent and isinstance(cell, keras.layers.GRUCell)) or cell.reset_after
