"""Masks that hold while a Keras model is trained by its own `fit`, after every optimizer step.

Keras applies a variable's constraint within the compiled step, on every backend, so that masks are
constraints of the variables that they prune. They are variables of their own, which nothing tracks:
neither the model nor its optimizer changes, and checkpoints and exports know nothing of them.
"""

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

import keras

from ..models.kernels import value_of, zero
from .masked_step import Mask, compile_step, replace, restore

if TYPE_CHECKING:
    import numpy as np


class MaskConstraints:
    """Masks of some variables of a model in training, until `detach`.

    A model may have several at once; what one of them prunes is zero. A `fit` that begins while
    some are attached, because an earlier one was interrupted, detaches them.

    Args:
        model: a compiled Keras model.
        masks: pairs of a Keras variable and an array of booleans, False for what is held at exactly
            0.0. Variables that are not trained need not be held.
        training: what is the same object for all that belong to one training; masks of another one
            are detached.
    """

    def __init__(
        self,
        model: keras.Model,
        masks: "Iterable[tuple[keras.Variable, np.ndarray]]",
        training: object = None,
    ) -> None:
        self.model, self.training = model, training
        for other in _attached(model):
            if other.training is not training:
                other.detach()
        masks = list(masks)
        self._variables = {}
        for variable, mask in masks:
            if variable.trainable:
                held, average = Mask(mask), _average(model, variable)
                self._variables[id(variable)] = (held, average)
                variable.constraint = _Masked(self, variable.constraint, held, average)
        _compile(model)
        self.set(masks)

    def set(self, masks: "Iterable[tuple[keras.Variable, np.ndarray]]") -> None:
        """Holds other masks from now on, and sets to zero what they do not keep, of variables that
        are not trained too."""
        self._masks = list(masks)
        for variable, mask in self._masks:
            held, average = self._variables.get(id(variable), (None, None))
            if held is not None:
                held.variable.assign(mask)
            for value in (variable, average):
                if value is not None:
                    zero(value, mask)

    def reapply(self) -> None:
        """Sets to zero again what the masks do not keep."""
        self.set(self._masks)

    def are_met(self) -> bool:
        """Whether all that the masks do not keep is zero now."""
        return not any(value_of(variable)[~mask].any() for variable, mask in self._masks)

    def detach(self) -> None:
        """Holds the masks no longer; the user's constraints are as they were."""
        for variable, _ in self._masks:
            variable.constraint = _without(variable.constraint, self)
        _compile(self.model)


class _Masked(keras.constraints.Constraint):
    """A constraint that applies another one first, which may be None, and then a mask.

    It belongs to a variable; the config of its layer names only the layer's own.
    """

    def __init__(self, owner, own, mask, average):
        self.owner, self.own, self.mask, self.average = owner, own, mask, average

    def __call__(self, value):
        value = keras.ops.convert_to_tensor(value)
        if self.own is not None:
            value = self.own(value)
        if self.average is not None:
            self.average.assign(self._of(self.average.value))
        return self._of(value)

    def _of(self, value):
        return keras.ops.where(self.mask.value, value, keras.ops.zeros_like(value))


def _chain(variable):
    """The masking constraints of a variable, the last one first."""
    constraint = variable.constraint
    while isinstance(constraint, _Masked):
        yield constraint
        constraint = constraint.own


def _without(constraint, owner):
    """A constraint without those of an owner."""
    if not isinstance(constraint, _Masked):
        return constraint
    constraint.own = _without(constraint.own, owner)
    return constraint.own if constraint.owner is owner else constraint


def _attached(model):
    """The `MaskConstraints` of a model, each once."""
    found = [link.owner for variable in model.variables for link in _chain(variable)]
    return list(dict.fromkeys(found))


def _compile(model):
    """Compiles the training step with the masks of now, and frees the weights at the next `fit`."""
    masks = [link.mask for variable in model.variables for link in _chain(variable)]
    restore(model, "fit")
    compile_step(model, masks)
    if masks:
        replace(model, "fit", _freeing(model))


def _freeing(model):
    """A `fit` that detaches the masks of a training that was interrupted."""

    @functools.wraps(model.fit)
    def fit(*args, **kwargs):
        for constraints in _attached(model):
            constraints.detach()
        return model.fit(*args, **kwargs)

    return fit


def _average(model, variable):
    """The moving average of a variable that an optimizer keeps, which may take its place later;
    None if there is none."""
    averaging = [part for part in _parts(model.optimizer) if getattr(part, "use_ema", False)]
    if averaging and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for part in averaging:
        if part._var_key(variable) in part._trainable_variables_indices:
            return part._model_variables_moving_average[part._get_variable_index(variable)]
    return None


def _parts(optimizer):
    """The optimizers that hold the variables: Keras wraps one in another for mixed precision, and
    `MultiOptimizer` has several."""
    if hasattr(optimizer, "inner_optimizer"):
        return _parts(optimizer.inner_optimizer)
    return getattr(optimizer, "optimizers", None) or [optimizer]
