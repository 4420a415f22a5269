"""`measure`: how much is left of a Keras model, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from keras_models import OwnWeights, attention, mixed, randomized
from network_pruning.utils import UsageError

pytestmark = pytest.mark.backends


def test_by_hand():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(2, use_bias=False, name="a"),
            layers.Dense(2, name="b"),
        ]
    )
    weights = [[1, 0], [2, 0], [0, 0]], [[1, 0], [5, 6]], [7, 0]
    model.set_weights([np.array(array, np.float32) for array in weights])
    size = npr.measure(model)
    assert size.sparsity == pytest.approx(4 / 6)
    assert size.layer_sparsity == {"a": pytest.approx(4 / 6)}
    assert size.parameters == 12
    assert size.nonzero == 2 + 3 + 1
    # The second unit of `a` is dead, and with it what reads it.
    assert size.effective_sparsity == pytest.approx(4 / 6)
    # Both biases of `b` stay, also the one that is zero.
    assert size.living == 2 + 1 + 2
    assert size.multiply_adds == 2 + 1
    assert size.speedup == pytest.approx(10 / 3)
    assert size.compression_ratio == 12 / 5


def chain(kernels, biases=()):
    """A chain of dense layers with these kernels and, by layer, biases."""
    kernels, biases = [np.array(kernel, np.float32) for kernel in kernels], dict(biases)
    dense = [
        layers.Dense(kernel.shape[1], use_bias=number in biases, name=f"layer_{number}")
        for number, kernel in enumerate(kernels)
    ]
    model = keras.Sequential([keras.Input((len(kernels[0]),)), *dense])
    for number, (layer, kernel) in enumerate(zip(dense, kernels, strict=True)):
        biased = number in biases
        layer.set_weights([kernel, np.array(biases[number])] if biased else [kernel])
    return model


def test_what_dead_units_alone_feed_is_dead():
    # Unit 1 of the first layer has no input, unit 2 leads nowhere.
    kernels = [[1, 0, 2], [3, 0, 4]], [[5, 0], [6, 7], [0, 0]], [[1, 1], [0, 1]]
    size = npr.measure(chain(kernels, {0: [1, 0, 2]}))
    assert size.sparsity == 1 - 7 / 12
    assert size.layer_sparsity == {"layer_0": 1 - 4 / 6, "layer_1": 1 - 3 / 6}
    # On a path: two weights into unit 0, then its one weight; the second layer's unit 1 is fed by
    # a dead unit alone: what its bias would make of it is a part of the output's.
    assert [layer.living for layer in size.layers] == [2, 1, 2]
    assert size.effective_sparsity == 1 - 3 / 12
    assert size.nonzero == 7 + 3 + 2
    # The same, and the bias of unit 0, but not that of unit 2.
    assert size.multiply_adds == 2 + 1 + 2
    assert size.living == 2 + 1 + 2 + 1
    assert size.compression_ratio == (12 + 4 + 3) / 6
    assert size.speedup == 16 / 5


def test_biases_of_zero_of_units_with_an_influence_count():
    size = npr.measure(chain([[[1, 0]], [[2], [3]]], {0: [0, 0], 1: [0]}))
    assert (size.nonzero, size.living) == (3, 1 + 1 + 1 + 1)


def test_the_outgoing_weights_of_dead_units_do_not_count():
    """80 % of the units of the reference network: 784-200-200-100-40-10 is what removal leaves."""
    shapes = [(784, 1000), (1000, 1000), (1000, 500), (500, 200), (200, 10)]
    kernels = [np.ones(shape) for shape in shapes]
    for kernel in kernels[:-1]:
        kernel[:, : int(0.8 * kernel.shape[1])] = 0
    size = npr.measure(chain(kernels))
    expected = 784 * 200 + 200 * 200 + 200 * 100 + 100 * 40 + 40 * 10
    assert size.living == size.multiply_adds == expected
    assert size.compression_ratio == size.speedup == 2_386_000 / expected  # 10.8
    assert size.nonzero == 2_384_000 // 5 + 2_000  # as stored, the output layer whole


def test_nothing_but_zeros():
    size = npr.measure(chain([np.zeros((2, 2))] * 2))
    assert (size.sparsity, size.effective_sparsity, size.nonzero) == (1, 1, 0)
    assert (size.living, size.compression_ratio, size.speedup) == (0, np.inf, np.inf)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_effective_sparsity_is_at_least_the_sparsity(seed, density):
    generator = np.random.default_rng(seed)
    shapes = (4, 5), (5, 3), (3, 2)
    size = npr.measure(chain([generator.random(shape) < density for shape in shapes]))
    assert size.effective_sparsity >= size.sparsity


def test_multiply_adds_are_counted_at_every_position():
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(3, 3, name="conv")(inputs)  # 4 × 4 positions of 54 weights
    x = layers.DepthwiseConv2D(2, name="depthwise")(x)  # 3 × 3 of 12
    x = layers.SeparableConv2D(5, 2, name="separable")(x)  # 2 × 2 of 12 and 15
    x = layers.Conv2DTranspose(2, 3, strides=2, name="up")(x)  # 2 × 2 inputs of 90
    x = layers.Dense(4, name="dense")(layers.Flatten()(x))  # 5 × 5 × 2 inputs
    model = randomized(keras.Model(inputs, x))
    found = {layer.name: layer.multiply_adds for layer in npr.measure(model).layers}
    assert found == {
        "conv": 16 * 54,
        "depthwise": 9 * 12,
        "separable/depthwise_kernel": 4 * 12,
        "separable/pointwise_kernel": 4 * 15,
        "up": 4 * 90,
        "dense": 50 * 4,
    }


def test_open_sizes_leave_multiply_adds_unknown():
    inputs = keras.Input((None, None, 2))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3)(inputs))
    size = npr.measure(randomized(keras.Model(inputs, layers.Dense(1)(x))))
    assert size.multiply_adds is None
    assert size.speedup is None
    assert "multiply-adds:" not in str(size)


def test_shrinking_removes_what_does_not_live():
    pruned = npr.prune(randomized(mixed()), 0.5, "unit")
    before, after = npr.measure(pruned), npr.measure(npr.shrink(pruned))
    assert before.effective_sparsity > before.sparsity
    assert after.sparsity == after.effective_sparsity == 0
    assert after.multiply_adds == before.multiply_adds
    assert sum(layer.living for layer in before.layers) == sum(
        layer.weights for layer in after.layers
    )


def test_what_is_never_pruned_is_counted():
    model = randomized(attention())
    size = npr.measure(model)
    assert size.parameters == model.count_params()
    assert [layer.name for layer in size.layers if not layer.prunable] == ["out"]
    assert size.multiply_adds is not None


def test_subclassed_models_have_no_effective_sparsity():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = layers.Dense(4, name="first"), layers.Dense(2)

        def call(self, inputs):
            return self.last(self.first(inputs))

    model = Own()
    model(np.zeros((1, 3), np.float32))
    size = npr.measure(model)
    assert size.effective_sparsity is None
    assert size.layer_sparsity == {"first": 0}


def test_layers_that_cannot_be_pruned_are_named():
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, layers.Dense(1)(OwnWeights(name="own")(inputs)))
    with pytest.warns(UserWarning, match=r"never pruned: own \(OwnWeights, 3 weights\)"):
        npr.measure(model)


def test_the_table_has_a_line_for_every_kernel_and_the_sums():
    text = str(npr.measure(npr.prune(randomized(mixed()), 0.9)))
    lines = text.splitlines()
    assert lines[0].split() == [
        "layer",
        "shape",
        "weights",
        "nonzero",
        "sparsity",
        "multiply-adds",
    ]
    assert any(line.startswith("separable/pointwise_kernel") for line in lines)
    assert any(line.startswith("sparsity 89.") for line in lines)
    assert "parameters are not zero" in text


def test_an_untouched_model_is_not_smaller():
    inputs = keras.Input((6, 6, 2))
    x = layers.BatchNormalization()(layers.Conv2D(3, 3)(inputs))  # biases and means of zero
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x)))
    size = npr.measure(model)
    assert size.living == size.parameters > size.nonzero
    assert size.compression_ratio == size.speedup == 1
    assert "1×" not in str(size)


def test_numbers_of_dead_units_do_not_count():
    """What is counted is what `shrink` leaves, in a block as MobileNetV2's."""
    inputs = keras.Input((6, 6, 3))
    x = stem = layers.Conv2D(10, 3, padding="same", use_bias=False)(inputs)
    for layer in (
        layers.Conv2D(20, 1, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6),
        layers.Conv2D(10, 1, use_bias=False),
        layers.BatchNormalization(),
    ):
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(layers.Add()([stem, x]))
    model = randomized(keras.Model(inputs, layers.Dense(3)(x)))
    pruned = npr.prune(model, 0.9, "unit")
    small = npr.shrink(pruned)
    size = npr.measure(pruned)
    assert size.living == small.count_params()
    assert size.compression_ratio == model.count_params() / small.count_params()


def test_what_follows_a_dead_layer_does_not_count():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2), layers.Dense(1)])
    randomized(model)
    for array in model.layers[0].weights:
        array.assign(np.zeros(array.shape))
    size = npr.measure(model)
    # All that depends on no input becomes a part of the last bias.
    assert size.living == 1
    assert size.multiply_adds == 0
    assert size.speedup == np.inf


def test_against_a_baseline():
    model = randomized(mixed())
    small = npr.shrink(npr.prune(model, 0.5, "unit"))
    size = npr.measure(small, baseline=model)
    assert size.compression_ratio == model.count_params() / small.count_params()
    before, after = npr.measure(model).multiply_adds, npr.measure(small).multiply_adds
    assert size.speedup == before / after
    assert "× smaller than the baseline" in str(size)
    assert "× fewer than the baseline" in str(size)
    with pytest.raises(ValueError, match="baseline: str is not a Keras model"):
        npr.measure(small, baseline="model.keras")


def two_open_inputs():
    images, numbers = keras.Input((None, None, 2), name="images"), keras.Input((3,), name="numbers")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="conv")(images))
    return keras.Model([images, numbers], layers.Dense(1)(layers.Concatenate()([x, numbers])))


@pytest.mark.parametrize("shape", [[(5, 6, 2), (3,)], {"images": (5, 6, 2)}])
def test_several_open_inputs(shape):
    size = npr.measure(two_open_inputs(), input_shape=shape)
    assert size.multiply_adds == 3 * 4 * (9 * 2 * 4) + 7


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 6, 2), "for 1 input, but the model has 2; give a list"),
        ([(5, 6, 2), (4,)], r"\(4,\) does not fit the model's input 'numbers' of \(3,\)"),
        ({"image": (5, 6, 2)}, "no input is called 'image', but images, numbers"),
        ([(5, 6, 2), "three"], "'three' is not the shape of an example"),
        ([(1, 1, 2), (3,)], "takes no examples of .* give another `input_shape`"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ValueError, match=message) as error:
        npr.measure(two_open_inputs(), input_shape=shape)
    assert "\n" not in str(error.value)


def test_a_shape_that_disagrees_with_the_model_is_refused():
    with pytest.raises(ValueError, match=r"\(9, 8\) does not fit"):
        npr.measure(attention(), input_shape=(9, 8))
    npr.measure(attention(), input_shape=(5, 8))


@pytest.mark.parametrize("function", [npr.measure, npr.shrink])
def test_what_is_no_model_is_refused(function):
    with pytest.raises(UsageError, match="str is not a Keras model"):
        function("model.keras")
    with pytest.raises(ValueError, match="build it first"):
        function(keras.Sequential([layers.Dense(1)]))
