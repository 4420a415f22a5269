"""Post-training quantization: the levels of a kernel's weights, and rounding a model to them."""

from collections.abc import Iterable

import keras
import numpy as np

from ..models import kernels
from ..models.copies import copy_of_model, refresh
from ..models.kernels import value_of

# Fewer numbers take less space unquantized than as indices with a table of levels.
FEW = 64
LEAST_BITS_OF_BIASES = 5
STEPS = np.linspace(0.15, 1, 35)
# The step width is chosen on at most so many values.
MOST_TRIED = 100_000


def magnitudes_of(values: np.ndarray, number: int) -> np.ndarray:
    """The magnitudes of quantization levels: means of the values in steps of equal width, where the
    last step also has all larger values.

    The width is the one with the least squared error. After entropy coding, steps of equal width
    need fewer bits than levels of equal frequency (Gish & Pierce, 1968).

    Args:
        values: of any shape; zeros are ignored.
        number: the number of magnitudes.

    Returns:
        float32 numbers of 16 significant bits (bfloat16), of shape (up to number,), ascending.
    """
    sizes = np.abs(values[values != 0]).astype(np.float64)
    if not sizes.size:
        return np.zeros(0, np.float32)
    some, widths = _Sorted(sizes[:: 1 + sizes.size // MOST_TRIED]), STEPS * sizes.max() / number
    best = min(widths, key=lambda width: some.squared_error(width, number))
    return np.unique(in_16_bits(_means(sizes, best, number)))


class _Sorted:
    """Numbers in ascending order, whose sums over a range are two lookups."""

    def __init__(self, sizes):
        self.sizes = np.sort(sizes)
        powers = self.sizes**0, self.sizes, self.sizes**2
        self.sums = [np.concatenate([[0], np.cumsum(power)]) for power in powers]

    def squared_error(self, width, number):
        """Of rounding them to the means in steps of a width; see `magnitudes_of`."""
        edges = np.searchsorted(self.sizes, width * np.arange(1, number))
        counts, sums, _ = self._in_parts(edges)
        levels = sums[counts > 0] / counts[counts > 0]
        edges = np.searchsorted(self.sizes, middles(levels), side="right")
        counts, sums, squares = self._in_parts(edges)
        return (squares - 2 * levels * sums + levels**2 * counts).sum()

    def _in_parts(self, edges):
        """The counts, sums and sums of squares between these places."""
        places = [0, *edges, len(self.sizes)]
        return [np.diff(sums[places]) for sums in self.sums]


def _means(sizes, width, number):
    step = np.minimum((sizes / width).astype(int), number - 1)
    counts = np.bincount(step, minlength=number)
    sums = np.bincount(step, sizes, minlength=number)
    return sums[counts > 0] / counts[counts > 0]


def nearest(sizes: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The nearest of some ascending levels for each number."""
    return levels[np.searchsorted(middles(levels), sizes)]


def middles(levels: np.ndarray) -> np.ndarray:
    """The midpoints between neighbours of some ascending levels."""
    return (levels[1:] + levels[:-1]) / 2


def rounded(values: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
    """Values rounded to the nearest magnitudes, with their signs; zeros stay zero."""
    if not len(magnitudes):
        return np.zeros_like(values)
    return np.where(values == 0, 0, np.sign(values) * nearest(np.abs(values), magnitudes)).astype(
        values.dtype
    )


def in_16_bits(values: np.ndarray) -> np.ndarray:
    """float32 numbers rounded to the nearest ones whose lower 16 bits are zero (bfloat16)."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).reshape(np.shape(values))


def quantized(model: keras.Model, bits: int) -> keras.Model:
    """A quantized copy of a Keras model: each kernel and bias has 2ᵇⁱᵗˢ levels, half of them below
    0, and all other trained floats have 16 bits. Zeros stay zero.

    Args:
        model: any built Keras model.
        bits: per weight, 2 or more.
    """
    copy = copy_of_model(model)
    quantize(copy, bits)
    return copy


def quantize(model: keras.Model, bits: int) -> None:
    """The same in place."""
    numbers = numbers_of_magnitudes(model, bits)
    round_others(model, numbers)
    for variable, number in numbers:
        round_to_levels(variable, number)


def round_to_levels(variable: keras.Variable, number: int) -> None:
    """Quantizes a Keras variable, in place, to so many magnitudes; see `magnitudes_of`."""
    values = value_of(variable).astype(np.float32)
    variable.assign(rounded(values, magnitudes_of(values, number)))


def numbers_of_magnitudes(model: keras.Model, bits: int) -> list[tuple[keras.Variable, int]]:
    """The variables of a Keras model to quantize, kernels and long biases, each with its number of
    magnitudes."""
    found = kernels.all_kernels(model)
    biases = ((k.bias, max(bits, LEAST_BITS_OF_BIASES)) for k in found)
    wanted = {id(bias): (bias, 2 ** (own - 1)) for bias, own in biases if bias is not None}
    wanted |= {id(kernel.variable): (kernel.variable, 2 ** (bits - 1)) for kernel in found}
    return [
        (variable, number)
        for variable, number in wanted.values()
        if keras.backend.is_float_dtype(variable.dtype)
        and np.count_nonzero(value_of(variable)) > FEW
    ]


def round_others(model: keras.Model, quantized: Iterable[tuple[keras.Variable, int]]) -> None:
    """Rounds the trained variables of a model that are not quantized to 16 bits, in place.

    Statistics, such as those of normalizations, and scales of integers are not rounded: a mean of
    2012.9 may have a deviation of 1.
    """
    known = {id(variable) for variable, _ in quantized} | _not_trained(model)
    for variable in model.weights:
        if id(variable) not in known and keras.backend.is_float_dtype(variable.dtype):
            variable.assign(in_16_bits(value_of(variable).astype(np.float32)))
    refresh(model)


def _not_trained(model):
    """The ids of the variables that are never updated by gradients, whether frozen or not."""
    layers = [model, *model._flatten_layers(include_self=False)]
    return {id(variable) for layer in layers for variable in layer._non_trainable_variables}


def is_quantized(model: keras.Model) -> bool:
    """Whether Keras itself has quantized a layer of a model, as by `model.quantize("int8")`."""
    layers = model._flatten_layers(include_self=False)
    return any(getattr(layer, "quantization_mode", None) is not None for layer in layers)
