"""Masks that hold while a Keras model is trained by its own `fit`, after every optimizer step.

Keras applies a variable's constraint within the compiled step, on every backend. On JAX, what such
a function merely captures is frozen into the step when it is compiled; only what is part of the
training state is looked up anew. So the masks join the optimizer's variables for as long as they
are needed. They are never saved.
"""

import keras
import numpy as np

from ..models.kernels import value_of


class HeldMasks:
    """Masks of some variables of a model in training.

    Args:
        model: a compiled Keras model.
        masks: pairs of a Keras variable and an array of booleans, False for what is held at exactly
            0.0. Variables that are not trained need not be held.
    """

    def __init__(self, model, masks):
        self.model, self.optimizer = model, _innermost(model.optimizer)
        release(model)  # of a training that was interrupted
        if not self.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        trained = [(variable, mask) for variable, mask in masks if variable.trainable]
        self._masks = {}
        for variable, mask in trained:
            held = keras.Variable(mask, dtype="bool", trainable=False, name="pruning_mask")
            average = self._average(variable)
            self._masks[id(variable)] = (held, average)
            variable.constraint = _Masked(variable.constraint, held, average)
            self.optimizer._track_variable(held)
        self.optimizer.save_own_variables = _without_masks(self.optimizer, "save_own_variables")
        self.optimizer.load_own_variables = _without_masks(self.optimizer, "load_own_variables")
        model.make_train_function(force=True)
        self.set(trained)

    def set(self, masks):
        """Holds other masks from now on, and sets to zero what they do not keep, of variables that
        are not trained too."""
        for variable, mask in masks:
            held, average = self._masks.get(id(variable), (None, None))
            if held is not None:
                held.assign(mask)
            for value in (variable, average):
                if value is not None:
                    zero(value, mask)

    def _average(self, variable):
        """The optimizer's moving average of a variable, which may take its place later."""
        if not getattr(self.optimizer, "use_ema", False):
            return None
        place = self.optimizer._get_variable_index(variable)
        return self.optimizer._model_variables_moving_average[place]


class _Masked:
    """A constraint that applies the user's own first, and then a mask.

    Not a `keras.constraints.Constraint`, which would be written into the layer's config.
    """

    def __init__(self, own, mask, average):
        self.own, self.mask, self.average = own, mask, average

    def __call__(self, value):
        value = keras.ops.convert_to_tensor(value)
        if self.own is not None:
            value = self.own(value)
        if self.average is not None:
            self.average.assign(self._of(self.average.value))
        return self._of(value)

    def _of(self, value):
        return keras.ops.where(self.mask.value, value, keras.ops.zeros_like(value))


def release(model):
    """Holds a model's masks no longer; its own constraints are as they were."""
    for variable in model.trainable_variables:
        if isinstance(variable.constraint, _Masked):
            variable.constraint = variable.constraint.own
    optimizer = _innermost(model.optimizer)
    if "save_own_variables" in vars(optimizer):
        for mask in _masks(optimizer):
            optimizer._untrack_variable(mask)
        del optimizer.save_own_variables, optimizer.load_own_variables
        model.train_function = None


def zero(variable, mask):
    """Sets to exactly 0.0 what a mask does not keep."""
    if not mask.all():
        value = value_of(variable)
        variable.assign(np.where(mask, value, np.zeros((), value.dtype)))


def _innermost(optimizer):
    """The optimizer that holds the variables; for mixed precision Keras wraps another around it."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _masks(optimizer):
    return [variable for variable in optimizer.variables if variable.name == "pruning_mask"]


def _without_masks(optimizer, name):
    """A method of an optimizer that sees its variables without the masks."""
    method = getattr(optimizer, name)

    def call(store):
        masks = _masks(optimizer)
        for mask in masks:
            optimizer._untrack_variable(mask)
        try:
            method(store)
        finally:
            for mask in masks:
                optimizer._track_variable(mask)

    return call
