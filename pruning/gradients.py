"""Gradients of a Keras model's loss with respect to some of its variables, on each backend."""

import keras
import numpy as np


class LossGradients:
    """∂L/∂w of examples, for inference. Compiled where the backend compiles; does not change the
    model.

    Args:
        model: a compiled Keras model.
        variables: Keras variables of floating-point numbers.
    """

    def __init__(self, model, variables):
        self.variables = variables
        self._mean, self._squares = _BACKENDS[keras.backend.backend()](model, variables)

    def mean(self, x, y):
        """The gradients of the examples' mean loss, as NumPy arrays of the variables' shapes;
        zeros for those that the loss does not depend on."""
        return self._arrays(self._mean, x, y)

    def squares(self, x, y):
        """The same of every single example, squared and summed."""
        return self._arrays(self._squares, x, y)

    def _arrays(self, function, x, y):
        x, y = (keras.tree.map_structure(keras.ops.convert_to_tensor, part) for part in (x, y))
        return [
            np.zeros(variable.shape, np.float32) if gradient is None else np.asarray(gradient)
            for variable, gradient in zip(self.variables, function(x, y), strict=True)
        ]


def _loss(model, x, y):
    return model.compute_loss(x, y, model(x, training=False), training=False)


def _example(examples, number):
    """One of some examples, as a batch of its own."""
    return keras.tree.map_structure(lambda array: array[number : number + 1], examples)


def _size(examples):
    return keras.tree.flatten(examples)[0].shape[0]


def _tensorflow(model, variables):
    import tensorflow as tf

    values = [variable.value for variable in variables]

    def gradients_of(x, y):
        with tf.GradientTape() as tape:
            for value in values:  # those of frozen layers are not watched otherwise
                tape.watch(value)
            loss = _loss(model, x, y)
        gradients = tape.gradient(loss, values)
        return [
            None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients
        ]

    @tf.function(reduce_retracing=True)
    def squares(x, y):
        sums = [tf.zeros(value.shape, value.dtype) for value in values]
        for number in tf.range(tf.shape(keras.tree.flatten(x)[0])[0]):
            found = gradients_of(_example(x, number), _example(y, number))
            pairs = zip(sums, found, strict=True)
            sums = [total if each is None else total + tf.square(each) for total, each in pairs]
        return sums

    return tf.function(gradients_of, reduce_retracing=True), squares


def _jax(model, variables):
    import jax

    def loss_of(values, x, y):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return _loss(model, x, y)

    gradients_of = jax.grad(loss_of)

    def squares(values, x, y):
        def add(sums, example):
            batch = jax.tree.map(lambda array: array[None], example)
            pairs = zip(sums, gradients_of(values, *batch), strict=True)
            return [total + each**2 for total, each in pairs], None

        return jax.lax.scan(add, [jax.numpy.zeros_like(value) for value in values], (x, y))[0]

    compiled = jax.jit(gradients_of), jax.jit(squares)
    return [
        lambda x, y, function=function: function([variable.value for variable in variables], x, y)
        for function in compiled
    ]


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

    def squares(x, y):
        sums = [None] * len(variables)
        for number in range(_size(x)):
            found = gradients_of(_example(x, number), _example(y, number))
            pairs = zip(sums, found, strict=True)
            sums = [_plus_square(total, gradient) for total, gradient in pairs]
        return sums

    return gradients_of, squares


def _plus_square(total, gradient):
    if gradient is None:
        return total
    return gradient**2 if total is None else total + gradient**2


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
