"""Masks that are applied after every optimizer step while a Keras model is trained by `fit`.

Keras applies constraints of variables within the compiled step, on every backend; so masks are
constraints of the variables that they prune. Their values are untracked variables: the model, its
optimizer, checkpoints and exports do not change.
"""

import functools
from collections.abc import Iterable

import keras

from ..models.arrays import Array, count, is_numpy, local_value, namespace
from ..models.kernels import masked, value_of, zero
from .masked_step import Mask, compile_step, replace, restore


class MaskConstraints:
    """Masks of some variables of a model in training, until `detach`.

    A model may have several at once; a weight is zero if one of them prunes it. If masks are still
    attached when `fit` begins, because an earlier one was interrupted, it detaches them.

    Args:
        model: a compiled Keras model.
        masks: pairs of a Keras variable and an array of booleans, False for entries that are kept
            at exactly 0.0. Variables that are not trained are masked in `set` only.
        training: identifies a training: masks attached with another object are detached.
    """

    def __init__(
        self,
        model: keras.Model,
        masks: "Iterable[tuple[keras.Variable, Array]]",
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
                own, average = Mask(mask, variable), _average(model, variable)
                self._variables[id(variable)] = (own, average)
                variable.constraint = _Masked(self, variable.constraint, own, average)
        self._compile()
        self.set(masks)

    def set(self, masks: "Iterable[tuple[keras.Variable, Array]]") -> None:
        """Replaces the masks, and applies them, also to variables that are not trained."""
        self._masks = list(masks)
        for variable, mask in self._masks:
            own, average = self._variables.get(id(variable), (None, None))
            if own is not None:
                own.variable.assign(mask)
            for value in (variable, average):
                if value is not None:
                    zero(value, mask)

    def reapply(self) -> None:
        """Sets pruned weights to zero again."""
        self.set(self._masks)

    def are_met(self) -> bool:
        """Whether all pruned weights are zero now."""
        return not any(_keeps_more(*pair) for pair in self._masks)

    def detach(self) -> None:
        """Removes the masks; the user's constraints are restored."""
        for variable, _ in self._masks:
            variable.constraint = _without(variable.constraint, self)
        self._compile()

    def _compile(self):
        """Compiles the step, unless nothing that it trains is masked."""
        if self._variables:
            _compile(self.model)


def _keeps_more(variable, mask):
    """Whether a weight is not zero that a mask prunes."""
    value = value_of(variable) if is_numpy(mask) else local_value(variable)
    xp = namespace(value)
    return count(xp.logical_and(value != 0, xp.logical_not(mask))) > 0


class _Masked(keras.constraints.Constraint):
    """A constraint that applies another one first, if any, and then a mask.

    It is set on the variable; the layer's config has only the layer's own constraint.
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
        return masked(value, self.mask.value)


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
    """Compiles the training step with the current masks, and has the next `fit` detach them."""
    masks = [link.mask for variable in model.variables for link in _chain(variable)]
    restore(model, "fit")
    compile_step(model, masks)
    if masks:
        replace(model, "fit", _detaching(model))


def _detaching(model):
    """A `fit` that first detaches the masks of an interrupted training."""

    @functools.wraps(model.fit)
    def fit(*args, **kwargs):
        for constraints in _attached(model):
            constraints.detach()
        return model.fit(*args, **kwargs)

    return fit


def _average(model, variable):
    """The optimizer's moving average of a variable, which may replace it later; None if there is
    none."""
    averaging = [part for part in _parts(model.optimizer) if getattr(part, "use_ema", False)]
    if averaging and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for part in averaging:
        if part._var_key(variable) in part._trainable_variables_indices:
            return part._model_variables_moving_average[part._get_variable_index(variable)]
    return None


def _parts(optimizer):
    """The optimizers that update variables: mixed precision wraps one in another, and
    `MultiOptimizer` has several."""
    if hasattr(optimizer, "inner_optimizer"):
        return _parts(optimizer.inner_optimizer)
    return getattr(optimizer, "optimizers", None) or [optimizer]
