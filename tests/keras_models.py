"""Small Keras models for tests, with random weights and statistics."""

import keras
import numpy as np
from keras import layers


def randomized(model, seed=0):
    """The model with other weights, none of them zero; variances are positive."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if "seed" in variable.path:
            continue
        low, high = (0.5, 2) if "variance" in variable.path else (0.1, 0.6)
        value = generator.uniform(low, high, variable.shape)
        sign = 1 if "variance" in variable.path else generator.choice([-1, 1], variable.shape)
        variable.assign((value * sign).astype("float32"))
    return model


def kernels_of(model):
    """All weights of the model's kernels, as arrays."""
    return [
        keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable.value))
        for variable in model.weights
        if "kernel" in variable.path
    ]


def outputs_of(model, x):
    """A model's outputs as arrays, without compiling it: that takes longer than a few examples."""
    outputs = keras.tree.flatten(model(x, training=False))
    return [np.asarray(keras.ops.convert_to_numpy(output)) for output in outputs]


def mixed():
    """A residual network with every kind of two-dimensional convolution."""
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = a = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(6, 1, name="project")(x)
    x = layers.Add()([a, x])
    x = layers.SeparableConv2D(8, 3, activation="relu", name="separable")(x)
    x = layers.Conv2DTranspose(4, 2, strides=2, activation="tanh", name="up")(x)
    x = layers.MaxPooling2D(3)(x)
    x = layers.Dense(6, activation="relu", name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))


def branches():
    """Two dense layers beside each other."""
    inputs = keras.Input((5,))
    left = layers.Dense(4, activation="relu", name="left")(inputs)
    right = layers.Dense(8, activation="gelu", name="right")(inputs)
    x = layers.Dense(6, name="joined")(layers.Concatenate()([left, right]))
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


def attention():
    """A transformer's block."""
    inputs = keras.Input((5, 8))
    x = layers.LayerNormalization()(inputs)
    x = layers.Add()([inputs, layers.MultiHeadAttention(2, 4, name="attention")(x, x)])
    y = layers.Dense(16, activation="gelu", name="wide")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.EinsumDense("abc,cd->abd", (None, 8), name="narrow")(y)])
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, name="out")(x))


def pictures():
    """Two hidden layers that look at pictures of 6×6."""
    model = keras.Sequential(
        [
            keras.Input((36,)),
            layers.Dense(12, activation="relu", use_bias=False, name="one"),
            layers.Dense(9, activation="relu", name="two"),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        name="small",
    )
    return randomized(model)


def convolutions():
    """A chain with a picture in it."""
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, strides=2),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(5),
            layers.Activation("softmax"),
        ]
    )
    return randomized(model)
