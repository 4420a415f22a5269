"""The networks: architectures by name, build, clone."""

from ..data.data_loaders.loader_utils import INPUT_SIZE, NUM_CLASSES
from .architectures import architecture_of
from .backend import keras


def build(learning_rate=0.001, l1_reg=0.0, l2_reg=0.0, seed=0, name="mlp"):
    """A dense network with ReLU and softmax, compiled.

    Args:
        learning_rate: of Adam, whose other settings are Keras' defaults.
        l1_reg: factor of the sum of absolute hidden weights in the loss.
        l2_reg: factor of the sum of squared hidden weights in the loss.
        seed: of the Glorot uniform initial weights. Sets Python's, NumPy's and TensorFlow's too.
        name: of the architecture; the default is 784-1000-1000-500-200-10 without biases.

    Returns:
        A `keras.Sequential` with the layers `hidden_1` … and `output`; it maps images
        of shape (n, 784) to class probabilities of shape (n, 10).

    Raises:
        UsageError: if there is no such architecture, or it describes no network.
    """
    keras.utils.set_random_seed(seed)
    return assemble(architecture_of(name), INPUT_SIZE, learning_rate, l1_reg, l2_reg, name)


def build_for(config):
    """The network of an `ExperimentConfig`, compiled."""
    return build(config.learning_rate, config.l1_reg, config.l2_reg, config.seed, config.model)


def assemble(architecture, input_size, learning_rate, l1_reg, l2_reg, name=None):
    """A compiled network of this `Architecture`, for images of shape (n, input_size)."""
    layers = [keras.Input((input_size,), name="images")]
    for number, units in enumerate(architecture.hidden_units, start=1):
        layers.append(
            keras.layers.Dense(
                units,
                activation="relu",
                use_bias=architecture.use_bias,
                kernel_regularizer=keras.regularizers.L1L2(l1_reg, l2_reg),
                name=f"hidden_{number}",
            )
        )
    layers.append(
        keras.layers.Dense(
            NUM_CLASSES, activation="softmax", use_bias=architecture.use_bias, name="output"
        )
    )
    model = keras.Sequential(layers, name=name)
    compile_model(model, learning_rate)
    return model


def compile_model(model, learning_rate):
    """Gives `model` a new Adam optimizer, cross-entropy on integer labels, and accuracy."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def clone(model):
    """A new, compiled model with the same architecture and a copy of the weights."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    compile_model(copy, float(model.optimizer.learning_rate))
    return copy
