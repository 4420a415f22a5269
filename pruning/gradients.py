"""Gradients of a Keras model's loss with respect to some of its variables, on each backend."""

import keras
import numpy as np


def loss_gradients(model, variables):
    """A function of examples that returns ∂L/∂w of their mean loss, for inference.

    It is compiled where the backend compiles, and does not change the model.

    Args:
        model: a compiled Keras model.
        variables: Keras variables of floating-point numbers.

    Returns:
        A function of `x` and `y`, as the model takes them, that returns NumPy arrays of the
        variables' shapes; zeros for those that the loss does not depend on.
    """
    gradients_of = _BACKENDS[keras.backend.backend()](model, variables)

    def call(x, y):
        x, y = (keras.tree.map_structure(keras.ops.convert_to_tensor, part) for part in (x, y))
        return [
            np.zeros(variable.shape, np.float32) if gradient is None else np.asarray(gradient)
            for variable, gradient in zip(variables, gradients_of(x, y), strict=True)
        ]

    return call


def _loss(model, x, y):
    return model.compute_loss(x, y, model(x, training=False), training=False)


def _tensorflow(model, variables):
    import tensorflow as tf

    values = [variable.value for variable in variables]

    @tf.function(reduce_retracing=True)
    def gradients_of(x, y):
        with tf.GradientTape() as tape:
            for value in values:  # those of frozen layers are not watched otherwise
                tape.watch(value)
            loss = _loss(model, x, y)
        gradients = tape.gradient(loss, values)
        return [
            None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients
        ]

    return gradients_of


def _jax(model, variables):
    import jax

    def loss_of(values, x, y):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return _loss(model, x, y)

    gradients_of = jax.jit(jax.grad(loss_of))
    return lambda x, y: gradients_of([variable.value for variable in variables], x, y)


def _torch(model, variables):
    import torch

    def gradients_of(x, y):
        values = [variable.value for variable in variables]
        frozen = [value for value in values if not value.requires_grad]
        for value in frozen:
            value.requires_grad_(True)
        try:
            gradients = torch.autograd.grad(_loss(model, x, y), values, allow_unused=True)
        finally:
            for value in frozen:
                value.requires_grad_(False)
        return [None if g is None else g.detach().cpu() for g in gradients]

    return gradients_of


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
