"""The training step of a Keras model whose variables have masks.

On TensorFlow and PyTorch a constraint reads a variable, such as a mask, as it is now. On JAX what a
function captures is frozen into the step when that is compiled. There the masks go into the step
beside each batch of data, as arguments.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from ..utils import UsageError

if TYPE_CHECKING:
    import numpy as np


class Mask:
    """Booleans that a compiled step can read while they change.

    Attributes:
        variable: the Keras variable that holds them.
        traced: what stands for them while JAX compiles a step.
    """

    def __init__(self, mask: "np.ndarray") -> None:
        self.variable = keras.Variable(mask, dtype="bool", trainable=False, name="pruning_mask")
        self.traced = None

    @property
    def value(self) -> Any:
        """The booleans, as a tensor of the backend."""
        return self.variable.value if self.traced is None else self.traced


class _Batch(NamedTuple):
    """What a step on JAX works on: the values of the masks, and the data."""

    masks: list
    data: Any


def compile_step(model: keras.Model, masks: Sequence[Mask]) -> None:
    """Has a model compile its training step anew, so that it reads masks as they are at each step.

    Args:
        model: a compiled Keras model.
        masks: all `Mask`s that constraints of its variables read; with none of them the step is the
            model's own again.

    Raises:
        UsageError: if Keras' JAX backend runs with Flax's NNX.
    """
    restore(model, "train_step")
    model.train_function = None
    if masks and keras.backend.backend() == "jax":
        _compile_on_jax(model, masks)
    elif masks:
        model.make_train_function(force=True)


def _compile_on_jax(model, masks):
    if getattr(keras.config, "is_nnx_enabled", bool)():
        raise UsageError(
            "Pruning and KeepPruned do not work with NNX; call keras.config.disable_nnx() first."
        )
    replace(model, "train_step", _step_with(model.train_step, masks))
    model.make_train_function(force=True)
    model.train_function = _function_with(model.train_function, masks)


def _step_with(step, masks):
    """A `train_step` that works on a `_Batch`."""

    def train_step(state, batch):
        if not isinstance(batch, _Batch):  # of a step that somebody else has compiled meanwhile
            return step(state, batch)
        try:
            for mask, value in zip(masks, batch.masks, strict=True):
                mask.traced = value
            return step(state, batch.data)
        finally:
            for mask in masks:
                mask.traced = None

    return train_step


def _function_with(function, masks):
    """A `train_function` that adds the masks as they are now to each batch of data."""

    def train_function(state, batches):
        values = [mask.variable.value for mask in masks]
        return function(state, map(partial(_Batch, values), batches))

    return train_function


def replace(model: keras.Model, name: str, function: Any) -> None:
    """Puts a function in the place of a model's method, until `restore`."""
    function.replaced = vars(model).get(name)
    setattr(model, name, function)


def restore(model: keras.Model, name: str) -> None:
    """Puts back what `replace` has replaced, if anything."""
    function = vars(model).get(name)
    if not hasattr(function, "replaced"):
        return
    if function.replaced is None:
        delattr(model, name)
    else:
        setattr(model, name, function.replaced)
