"""Masks of a pruned model: for callbacks, and for training loops of users' own."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ..graph.tracing import function_of
from ..models import kernels
from ..models.arrays import Array, is_whole, namespace, to_numpy
from ..models.copies import check_built
from ..models.kernels import masked, value_of
from ..pruning.prunables import units_of
from ..utils import UsageError
from .masked_step import Mask


class Masks:
    """Keeps pruned weights at zero in a training loop of your own: `apply` after every step.

    Masked are the weights that are zero when it is made, as by `KeepPruned`: of kernels of dense
    layers and convolutions, including the output layer's, and of biases and normalizations of units
    that are pruned as a whole. Masks are where the variables are, as one byte for each weight; the
    model and its optimizer are not changed.

    Args:
        model: a built Keras model, pruned; it need not be compiled.

    Raises:
        UsageError: (a ValueError) if no weight of it is zero.
        ValueError: if it is not built.
    """

    def __init__(self, model: keras.Model) -> None:
        check_built(model)
        self.model = model
        found = [(v, mask) for v, mask in present_masks(model) if not is_whole(mask)]
        if not found:
            raise UsageError(
                f"Masks: no weight of {model.name!r} is zero; prune it first, as npr.prune does."
            )
        self._masks = [(variable, Mask(mask, variable).variable) for variable, mask in found]

    def apply(self) -> None:
        """Sets the pruned weights of the model to exactly 0.0; also within a `tf.function`."""
        for variable, mask in self._masks:
            variable.assign(masked(variable.value, mask.value))

    def apply_to(self, values: Sequence[Any]) -> list[Any]:
        """The same for values that are not in the model, as those of a stateless step on JAX.

        Args:
            values: tensors of the shapes of `model.trainable_variables`, in their order.

        Returns:
            The values; those of masked variables with 0.0 where they are pruned.

        Raises:
            UsageError: (a ValueError) if they are not of these shapes.
        """
        variables = self.model.trainable_variables
        shapes = [tuple(getattr(value, "shape", ())) for value in values]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise UsageError(
                f"values: these {len(values)} are not of the shapes of model.trainable_variables; "
                f"give the values of these {len(variables)}, in their order."
            )
        masks = {id(variable): mask for variable, mask in self._masks}
        return [
            masked(value, masks[id(variable)].value) if id(variable) in masks else value
            for variable, value in zip(variables, values, strict=True)
        ]


def present_masks(model: keras.Model) -> list[tuple[keras.Variable, Array]]:
    """Masks of the nonzero entries of a model's kernels and of pruned units' other variables, as
    pairs of a variable and its mask."""
    found = kernels.all_kernels(model)
    kept = {name: matrix != 0 for name, matrix in kernels.matrices_of(found).items()}
    masks = {id(k.variable): (k.variable, k.array(kept[k.name])) for k in found}
    for kernel in found:
        bias = None if kernel.is_in_cell else kernel.bias
        if bias is not None and bias.shape == kernel.shape[1:]:
            _add(masks, bias, np.arange(kernel.shape[1])[np.newaxis], kept[kernel.name])
    if function_of(model) is not None:
        for layer in units_of(model).values():
            stacked = layer.stacked(kept) if layer.coupled_variables else None
            for variable, places in layer.coupled_variables:
                _add(masks, variable, places, stacked)
    return list(masks.values())


def _add(masks, variable, places, kept):
    """Masks entries that are zero and belong to units without any nonzero weight."""
    value = value_of(variable)
    mask = masks.setdefault(id(variable), (variable, np.ones(value.shape, bool)))[1]
    dead = places[:, ~to_numpy(namespace(kept).any(kept, axis=0))]
    mask.reshape(-1)[dead] = value.ravel()[dead] != 0
