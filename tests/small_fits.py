"""A small Keras model to fit, on any backend, and callbacks that watch it."""

import keras
import numpy as np
from keras import layers
from keras_models import kernels_of

SIZES = (20 * 32, 32 * 16)  # of the kernels that can be pruned
LEFT = (64, 52)  # of them at 90 %: 576 and 460 are gone


def small(optimizer=None, constraint=None, **compiled):
    keras.utils.set_random_seed(0)
    made = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(32, activation="relu", kernel_constraint=constraint),
            layers.Dense(16, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    # With momentum, weights that are zero move on their own; Adam takes longer to compile.
    # XLA compiles for longer than it is trained; JAX would be slower without.
    compiled = {"jit_compile": keras.backend.backend() == "jax", **compiled}
    made.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, **(optimizer or {})),
        "sparse_categorical_crossentropy",
        **compiled,
    )
    return made


def examples(number=256):
    x = np.random.default_rng(0).normal(size=(number, 20)).astype("float32")
    return x, x[:, :3].argmax(axis=1)


def fit(made, *callbacks, epochs=2, **settings):
    settings = {"batch_size": 32, "verbose": 0, **settings}
    return made.fit(*examples(), epochs=epochs, callbacks=list(callbacks), **settings)


def nonzeros(made):
    return tuple(int(np.count_nonzero(kernel)) for kernel in kernels_of(made)[:2])


class EveryStep(keras.callbacks.Callback):
    """Notes how many weights there are after every step."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.seen.append(nonzeros(self.model))
