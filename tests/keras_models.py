"""Small Keras models for tests, with random weights and statistics."""

import warnings

import hypothesis
import keras
import network_pruning as npr
import numpy as np
from keras import layers


@keras.saving.register_keras_serializable("tests")
class OwnWeights(layers.Layer):
    """A layer of a user's own, of which nothing is known."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],))

    def call(self, x):
        return x * self.scale


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


def answers(model, seed=0):
    """A model's outputs for three random examples."""
    generator = np.random.default_rng(seed)
    inputs = [
        generator.normal(size=(3, *(size or 6 for size in tensor.shape[1:]))).astype("float32")
        for tensor in model.inputs
    ]
    return outputs_of(model, inputs if len(inputs) > 1 else inputs[0])


def shrunk(model):
    """The smaller model, its answers compared."""
    smaller = npr.shrink(model)
    for ours, theirs in zip(answers(smaller), answers(model), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)
    return smaller


def quietly_shrunk(model):
    """The same where layers may be left alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return shrunk(model)


# On other backends every graph is compiled anew, which takes longer than all the rest.
EXAMPLES = 20 if keras.backend.backend() == "tensorflow" else 5
on_random_graphs = hypothesis.settings(
    max_examples=EXAMPLES, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)


def check_random_graph(model, seed):
    """Whatever is zero: kernels at random, whole units, all that reads a channel."""
    some_zeros(randomized(model), seed)
    smaller = quietly_shrunk(model)
    assert smaller.count_params() <= model.count_params() + 50  # biases may be new


def set_part(model, name, part, change):
    """Changes the first weight of a layer with this in its path, by a function of the array in
    place."""
    variable = next(v for v in model.get_layer(name).weights if part in v.path)
    value = np.array(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable.value)))
    change(value)
    variable.assign(value)


def some_zeros(model, seed):
    """Sets weights to zero: kernels at random, whole units, all that reads a channel."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if "kernel" in variable.path or "beta" in variable.path or "bias" in variable.path:
            value = np.array(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(variable)))
            value *= generator.random(value.shape) < 0.5
            value *= generator.random(value.shape[-1:]) < 0.6
            if value.ndim > 1:
                value *= (generator.random(value.shape[-2]) < 0.7)[:, None]
            variable.assign(value)


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


def recurrent():
    """Recurrent layers in both directions, with several kinds of cells."""
    inputs = keras.Input((5, 6))
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="both")(inputs)
    x = layers.GRU(8, return_sequences=True, name="gru")(x)
    x = layers.SimpleRNN(6, name="simple")(x)
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
