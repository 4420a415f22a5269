"""A model whose weights are on few levels, chosen by the inputs that its layers read."""

from functools import partial

import keras

from ..models.copies import copy_of_model
from ..pruning.examples import Examples
from ..reconstruction.reconstruct import refit_layers
from ..reconstruction.refit import Refit
from ..reconstruction.rounding import round_to_levels
from . import quantization
from .quantization import in_16_bits, magnitudes_of, numbers_of_magnitudes, round_others, rounded


def fitted_to_levels(
    model: keras.Model, bits: int, examples: Examples, seed: int = 0
) -> keras.Model:
    """A quantized copy of a model, as by `quantized`, but each layer is re-fitted to what those
    before it compute now, and its weights make up for each other's errors.

    Args:
        model: any built Keras model.
        bits: per weight, 2 or more.
        examples: from `calibration_inputs`.
        seed: as for `reconstruct`.
    """
    copy = copy_of_model(model)
    found = numbers_of_magnitudes(copy, bits)
    numbers = {id(variable): number for variable, number in found}
    done: set[int] = set()
    refit_layers(copy, model, examples, seed, after=partial(_round, numbers, done))
    for variable, number in found:
        if id(variable) not in done:
            quantization.round_to_levels(variable, number)
    round_others(copy, found)
    return copy


def _round(numbers, done, refit: Refit):
    kernel, bias = refit.reading.kernel.variable, refit.reading.bias
    if id(kernel) not in numbers:
        return
    number = numbers.get(id(bias))
    round_to_levels(
        refit,
        lambda weights: magnitudes_of(weights, numbers[id(kernel)]),
        partial(_rounded_biases, number),
    )
    done |= {id(kernel), id(bias)}


def _rounded_biases(number, biases):
    biases = biases.astype("float32")
    return in_16_bits(biases) if number is None else rounded(biases, magnitudes_of(biases, number))
