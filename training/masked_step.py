"""The training step of a Keras model whose variables have masks.

On TensorFlow and PyTorch a constraint reads the current value of a variable, such as a mask. On JAX
captured values become constants when the step is compiled, so masks are arguments of the step,
passed with each batch of data.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import keras

from ..models.arrays import Array
from ..utils import UsageError


class Mask:
    """A mask that may change between calls of a compiled step.

    Args:
        mask: its first value.
        variable: what it masks; the mask is placed, and divided among devices, like it.

    Attributes:
        variable: the Keras variable with its value.
        traced: its tracer while JAX compiles a step, else None.
    """

    def __init__(self, mask: Array, variable: keras.Variable) -> None:
        layout = getattr(variable, "_layout", None)
        placed = {} if layout is None else {"layout": layout}
        self.variable = keras.Variable(
            mask, dtype="bool", trainable=False, name="pruning_mask", **placed
        )
        self.traced = None

    @property
    def value(self) -> Any:
        """The current booleans, as a tensor of the backend."""
        return self.variable.value if self.traced is None else self.traced


class _Batch(NamedTuple):
    """The arguments of a step on JAX: the values of the masks, and the data."""

    masks: list
    data: Any


def compile_step(model: keras.Model, masks: Sequence[Mask]) -> None:
    """Makes a model compile a training step that reads the current masks at each step.

    Args:
        model: a compiled Keras model.
        masks: all `Mask`s that constraints of its variables read; without any the model's own step
            is restored.

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
    """A `train_step` that takes a `_Batch`."""

    def train_step(state, batch):
        if not isinstance(batch, _Batch):  # from a step that was compiled by other code
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
    """A `train_function` that adds the current masks to each batch of data."""

    def train_function(state, batches):
        values = [mask.variable.value for mask in masks]
        return function(state, map(partial(_Batch, values), batches))

    return train_function


def replace(model: keras.Model, name: str, function: Any) -> None:
    """Replaces a model's method by a function, until `restore`."""
    function.replaced = vars(model).get(name)
    setattr(model, name, function)


def restore(model: keras.Model, name: str) -> None:
    """Restores a method after `replace`, if necessary."""
    function = vars(model).get(name)
    if not hasattr(function, "replaced"):
        return
    if function.replaced is None:
        delattr(model, name)
    else:
        setattr(model, name, function.replaced)
