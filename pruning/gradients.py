"""Gradients of a Keras model's loss with respect to some of its variables, on each backend."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ..models.arrays import to_numpy


class LossGradients:
    """∂L/∂w over examples, in inference mode; L is the loss without penalties on the weights.
    Compiled where the backend compiles. Changes neither the model nor its loss trackers.

    Args:
        model: a compiled Keras model.
        variables: Keras variables of floating-point numbers.
    """

    def __init__(self, model: keras.Model, variables: Sequence[keras.Variable]) -> None:
        self.model, self.variables = model, variables
        self._mean, self._squares = _BACKENDS[keras.backend.backend()](model, variables)
        self._is_built = False

    def mean(self, *examples: Any) -> list[np.ndarray]:
        """The gradients of the examples' loss, as NumPy arrays of the variables' shapes; zeros for
        those that the loss does not depend on.

        Args:
            examples: x, y and, if there are some, weights, as `fit` takes them.
        """
        return self._arrays(self._mean, examples)

    def squares(self, *examples: Any) -> list[np.ndarray]:
        """The gradients of single examples' losses, squared and summed, as `mean` returns them."""
        return self._arrays(self._squares, examples)

    def _arrays(self, function, examples):
        examples = tuple(
            keras.tree.map_structure(keras.ops.convert_to_tensor, part)
            for part in examples
            if part is not None
        )
        if not self._is_built:
            # Losses of several outputs create variables, which is impossible while compiling.
            _loss(self.model, [], _example(examples, 0))
            self._is_built = True
        return [
            np.zeros(variable.shape, np.float32) if gradient is None else to_numpy(gradient)
            for variable, gradient in zip(self.variables, function(examples), strict=True)
        ]


def _loss(model, values, examples):
    """The loss of examples with other values of some variables, given as pairs of both.

    The model's state, such as running means of its losses, does not change.
    """
    x, y, weights = (*examples, None, None)[:3]
    # Also of a class whose own `compute_loss` takes no `training`, which Keras allows.
    compute_loss = getattr(model, "_compute_loss", model.compute_loss)
    scope = keras.StatelessScope(state_mapping=values, collect_losses=True)
    with scope, _without_penalties(model):
        return compute_loss(x, y, model(x, training=False), weights, training=False)


@contextlib.contextmanager
def _without_penalties(model):
    """While it lasts, the model's weights have no regularizers.

    The Fisher information is that of the likelihood, and to first order a penalty would count the
    cost of keeping a weight as importance.
    """
    penalized = [(v, v.regularizer) for v in model.trainable_weights if v.regularizer is not None]
    try:
        for variable, _ in penalized:
            variable.regularizer = None
        yield
    finally:
        for variable, regularizer in penalized:
            variable.regularizer = regularizer


def _example(examples, number):
    """One of some examples, as a batch of its own."""
    return keras.tree.map_structure(lambda array: array[number : number + 1], examples)


def _size(examples):
    return keras.tree.flatten(examples)[0].shape[0]


def _tensorflow(model, variables):
    import tensorflow as tf

    values = [variable.value for variable in variables]

    def gradients_of(examples):
        with tf.GradientTape() as tape:
            for value in values:  # those of frozen layers are not watched otherwise
                tape.watch(value)
            # Without other values: functions compiled by the model use its own variables.
            loss = _loss(model, [], examples)
        return [
            None if gradient is None else tf.cast(tf.convert_to_tensor(gradient), tf.float32)
            for gradient in tape.gradient(loss, values)
        ]

    @tf.function(reduce_retracing=True)
    def squares(examples):
        sums = [tf.zeros(variable.shape) for variable in variables]
        for number in tf.range(tf.shape(keras.tree.flatten(examples)[0])[0]):
            pairs = zip(sums, gradients_of(_example(examples, number)), strict=True)
            sums = [total if each is None else total + tf.square(each) for total, each in pairs]
        return sums

    return tf.function(gradients_of, reduce_retracing=True), squares


def _jax(model, variables):
    import jax

    def loss_of(values, examples):
        return _loss(model, list(zip(variables, values, strict=True)), examples)

    def gradients_of(values, examples):
        return [g.astype("float32") for g in jax.grad(loss_of)(values, examples)]

    def squares(values, examples):
        def add(sums, example):
            batch = jax.tree.map(lambda array: array[None], example)
            pairs = zip(sums, gradients_of(values, batch), strict=True)
            return [total + each**2 for total, each in pairs], None

        zeros = [jax.numpy.zeros(value.shape) for value in values]
        return jax.lax.scan(add, zeros, examples)[0]

    compiled = jax.jit(gradients_of), jax.jit(squares)
    return [
        lambda examples, function=function: function(
            [variable.value for variable in variables], examples
        )
        for function in compiled
    ]


def _torch(model, variables):
    import torch

    def gradients_of(examples):
        values = [variable.value.detach().requires_grad_() for variable in variables]
        loss = _loss(model, list(zip(variables, values, strict=True)), examples)
        gradients = torch.autograd.grad(loss, values, allow_unused=True)
        return [None if g is None else g.detach().float().cpu() for g in gradients]

    def squares(examples):
        sums = [None] * len(variables)
        for number in range(_size(examples)):
            pairs = zip(sums, gradients_of(_example(examples, number)), strict=True)
            sums = [_plus_square(total, gradient) for total, gradient in pairs]
        return sums

    return gradients_of, squares


def _plus_square(total, gradient):
    if gradient is None:
        return total
    return gradient**2 if total is None else total + gradient**2


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
