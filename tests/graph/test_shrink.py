"""`shrink`: the same outputs from a smaller model, on any backend."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from keras_models import (
    OwnWeights,
    answers,
    attention,
    branches,
    check_random_graph,
    mixed,
    on_random_graphs,
    quietly_shrunk,
    randomized,
    recurrent,
    set_part,
    shrunk,
)

pytestmark = pytest.mark.backends


def set_weights(model, *weights):
    model.set_weights([np.array(array, np.float32) for array in weights])


def set_kernel(model, name, change):
    """Changes a layer's kernel, with a function of the array in place."""
    set_part(model, name, "kernel", change)


def test_a_dead_unit_is_gone_and_the_weights_that_stay_are_the_same():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(3, activation="relu", use_bias=False, name="a"),
            layers.Dense(1, name="out"),
        ]
    )
    set_weights(model, [[1, 0, 2], [3, 0, 4]], [[5], [6], [7]], [8])
    smaller = shrunk(model)
    assert isinstance(smaller, keras.Sequential)
    first, second, bias = smaller.get_weights()
    np.testing.assert_array_equal(first, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(second, [[5], [7]])
    np.testing.assert_array_equal(bias, [8])


def test_a_unit_that_nothing_reads_is_gone():
    model = randomized(branches())
    set_kernel(model, "joined", lambda kernel: kernel.__setitem__(slice(1, 6), 0))
    smaller = shrunk(model)
    assert smaller.get_layer("left").units == 1
    assert smaller.get_layer("right").units == 6


def test_a_constant_unit_becomes_a_part_of_the_bias():
    inputs = keras.Input((2,))
    x = layers.Dense(2, activation="relu", name="a")(inputs)
    model = keras.Model(inputs, layers.Dense(2, use_bias=False, name="out")(x))
    set_weights(model, [[1, 0], [1, 0]], [0, 3], [[1, 2], [10, -10]])
    smaller = shrunk(model)
    assert smaller.get_layer("a").units == 1
    np.testing.assert_array_equal(smaller.get_layer("out").get_weights()[1], [30, -30])


def test_a_constant_that_padding_makes_uneven_stays():
    inputs = keras.Input((5, 5, 1))
    x = layers.Conv2D(3, 3, padding="same", activation="relu", name="a")(inputs)
    same = keras.Model(inputs, layers.Conv2D(2, 3, padding="same", name="b")(x))
    valid = keras.Model(inputs, layers.Conv2D(2, 3, name="b")(x))
    for model, filters in ((randomized(same), 3), (randomized(valid), 2)):
        set_kernel(model, "a", lambda kernel: kernel[..., 0].fill(0))
        model.get_layer("a").bias.assign([1.0, 0.5, 0.2])
        assert shrunk(model).get_layer("a").filters == filters
        model.get_layer("a").bias.assign([-1.0, 0.5, 0.2])  # nothing comes out of the ReLU
        assert shrunk(model).get_layer("a").filters == 2


def test_inputs_that_nothing_reads_are_dropped_behind_the_same_interface(tmp_path):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, name="a"), layers.Dense(2)])
    randomized(model)
    set_kernel(model, "a", lambda kernel: kernel.__setitem__([0, 2, 5], 0))
    smaller = shrunk(model)
    assert smaller.input_shape == (None, 6)
    assert smaller.get_layer("a").kernel.shape == (3, 3)
    smaller.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(answers(loaded)[0], answers(smaller)[0])


def test_a_layer_of_which_nothing_is_left_keeps_one_unit():
    model = randomized(keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(2)]))
    kernel = model.layers[0].kernel
    kernel.assign(np.zeros(kernel.shape))
    assert shrunk(model).layers[-2].units == 1


def test_units_that_a_residual_addition_needs_stay():
    model = randomized(mixed())
    set_kernel(model, "project", lambda kernel: kernel[..., 0].fill(0))
    assert shrunk(model).get_layer("project").filters == 6
    set_kernel(model, "stem", lambda kernel: kernel[..., 0].fill(0))
    pruned = npr.prune(model, 0.5, "unit")
    assert shrunk(pruned).get_layer("project").filters == 3


@pytest.mark.parametrize("make", [mixed, branches, attention, recurrent])
@pytest.mark.parametrize("method", ["unit", "weight", "unit_in_out/global"])
def test_pruned_models_shrink_and_answer_the_same(make, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pruned = npr.prune(randomized(make()), 0.6, method)
        smaller = shrunk(pruned)
    if "unit" in method:
        share = 0.9 if make is attention else 0.75
        assert smaller.count_params() < share * pruned.count_params()


def test_nested_models_and_shared_layers_shrink():
    shared = layers.Dense(6, activation="relu", name="shared")
    inner = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, activation="relu", name="inside"), layers.Dense(4)],
        name="inner",
    )
    one, two = keras.Input((4,)), keras.Input((4,))
    x = layers.Add()([inner(shared(one)), inner(shared(two))])
    model = randomized(keras.Model([one, two], [layers.Dense(2)(x), layers.Dense(1)(x)]))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert smaller.get_layer("shared").units == 3
    assert smaller.get_layer("inner").get_layer("inside").units == 4
    assert len(smaller.outputs) == 2


def test_what_is_not_understood_is_left_alone_and_named():
    inputs = keras.Input((5, 3))
    x = layers.Dense(4, use_bias=False, name="before")(inputs)
    x = OwnWeights(name="own")(x)
    model = randomized(keras.Model(inputs, layers.Dense(1)(x)))
    set_kernel(model, "before", lambda kernel: kernel[:, 0].fill(0))
    with pytest.warns(UserWarning, match=r"1 dead channel .* own \(OwnWeights\)"):
        assert shrunk(model).get_layer("before").units == 4


def own_prelu():
    activation = layers.PReLU()
    activation.build((None, 6))
    return activation


@pytest.mark.parametrize(
    "behind",
    [
        lambda x: layers.Activation(own_prelu())(x),
        lambda x: layers.Dense(4, activation=layers.LeakyReLU(0.3))(x),
        lambda x: layers.PReLU()(x),
        lambda x: 1 - x * 0.5,
        lambda x: keras.ops.exp(x),
    ],
)
def test_activations_of_all_kinds(behind):
    inputs = keras.Input((5,))
    x = behind(layers.Dense(6, name="before")(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    set_kernel(model, "before", lambda kernel: kernel[:, :2].fill(0))
    quietly_shrunk(model)


def test_layers_with_more_than_their_kernel_are_left_alone():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, name="a"), layers.Dense(4)])
    randomized(model)
    model.get_layer("a").enable_lora(2)
    set_kernel(model, "a", lambda kernel: kernel[:, :2].fill(0))
    model.get_layer("a").lora_kernel_b.assign(np.ones((2, 8)))
    shrunk(model)


def test_numbers_shared_along_other_axes():
    inputs = keras.Input((6, 5))
    x = layers.PReLU(shared_axes=[2])(layers.Dense(6, name="a")(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(3)(x)))
    set_kernel(model, "a", lambda kernel: kernel[:, :2].fill(0))
    quietly_shrunk(model)


def test_a_tensor_as_mask():
    inputs, mask = keras.Input((6, 5)), keras.Input((6,))
    x = layers.Dense(8, name="a")(inputs)
    x = layers.GlobalAveragePooling1D()(x, mask=mask)
    model = randomized(keras.Model([inputs, mask], layers.Dense(3)(x)))
    assert npr.shrink(model).count_params() == model.count_params()


def test_subclassed_models_are_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    model = Own()
    model(np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="not a functional or sequential model"):
        npr.shrink(model)


def test_the_smaller_model_is_compiled_and_named_as_the_other():
    model = randomized(mixed())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    pruned = npr.prune(model, 0.5, "unit")
    smaller = npr.shrink(pruned)
    assert smaller.compiled
    assert smaller.name == model.name
    assert [layer.name for layer in smaller.layers] == [layer.name for layer in pruned.layers]


# --- Random graphs -------------------------------------------------------------------------------

ACTIVATIONS = st.sampled_from(["relu", "linear", "tanh", "sigmoid", "gelu"])


@st.composite
def graphs(draw):
    """A random network of convolutions, joins and dense layers, some of its channels dead."""
    number = iter(range(100))
    inputs = x = keras.Input((6, 6, draw(st.integers(1, 3))))
    open_tensors = [x]
    for _ in range(draw(st.integers(1, 5))):
        x = draw(st.sampled_from(open_tensors))
        kind = draw(st.sampled_from(_KINDS))
        made = kind(draw, x, open_tensors, f"layer_{next(number)}")
        open_tensors.append(made)
    x = open_tensors[-1]
    x = draw(st.sampled_from([layers.Flatten(), layers.GlobalAveragePooling2D()]))(x)
    x = layers.Dense(draw(st.integers(1, 5)), activation=draw(ACTIVATIONS), name="dense")(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


def _convolution(draw, x, _others, name):
    padding = draw(st.sampled_from(["same", "valid"]))
    size = draw(st.integers(1, 2)) if x.shape[1] > 2 else 1
    groups = draw(st.sampled_from([n for n in (1, 2, 3) if x.shape[-1] % n == 0]))
    return layers.Conv2D(
        draw(st.integers(1, 3)) * groups,
        size,
        padding=padding,
        groups=groups,
        use_bias=draw(st.booleans()),
        activation=draw(ACTIVATIONS),
        name=name,
    )(x)


def _depthwise(draw, x, _others, name):
    return layers.DepthwiseConv2D(
        2,
        padding="same",
        depth_multiplier=draw(st.integers(1, 2)),
        activation=draw(ACTIVATIONS),
        name=name,
    )(x)


def _normalization(_draw, x, _others, name):
    return layers.BatchNormalization(name=name)(x)


def _separable(draw, x, _others, name):
    return layers.SeparableConv2D(draw(st.integers(1, 4)), 2, padding="same", name=name)(x)


def _addition(draw, x, others, name):
    same = [tensor for tensor in others if tensor.shape == x.shape]
    join = draw(st.sampled_from([layers.Add, layers.Multiply, layers.Maximum]))
    return join(name=name)([x, draw(st.sampled_from(same))])


def _concatenation(draw, x, others, name):
    same = [tensor for tensor in others if tensor.shape[:3] == x.shape[:3]]
    return layers.Concatenate(name=name)([x, draw(st.sampled_from(same))])


def _gate(_draw, x, _others, name):
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=name)(squeezed)
    return layers.Multiply()([x, gate])


_KINDS = [
    _convolution,
    _depthwise,
    _normalization,
    _separable,
    _addition,
    _concatenation,
    _gate,
]


@on_random_graphs
@given(st.data())
def test_random_graphs_answer_the_same(data):
    check_random_graph(data.draw(graphs()), data.draw(st.integers(0, 1000)))


def halved(x):
    return x / 2


class Tripled(layers.Layer):
    def call(self, x):
        return 3 * x


def own_loss(y, answers):
    return keras.ops.mean(keras.ops.square(y - answers))


def with_code_of_its_own():
    """A model with functions and classes that nobody has registered."""
    inputs = keras.Input((6,))
    x = layers.Dense(5, activation=halved, name="first")(inputs)
    x = layers.Lambda(lambda x, by: by * x, arguments={"by": 2.0}, output_shape=(5,))(x)
    x = Tripled()(layers.Dense(4, activation="relu", name="second")(x))
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Lambda(halved), layers.Dense(4, name="third")]
    )
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(inner(x))))
    model.compile("sgd", own_loss, metrics=[own_loss])
    return model


def test_code_of_ones_own_needs_not_be_registered():
    model = with_code_of_its_own()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # layers of one's own are left alone
        pruned = npr.prune(model, {"third": 0.5}, "unit")
    small = quietly_shrunk(pruned)
    assert small.count_params() < model.count_params()
    for same in (pruned, small):
        same.fit(np.ones((4, 6)), np.ones((4, 2)), verbose=0)
    assert not any((weight == 0).all() for weight in model.get_weights())


def test_two_functions_of_one_name_are_not_mistaken_for_each_other():
    def relu(x):
        return -x

    inputs = keras.Input((3,))
    x = layers.Dense(3, activation=keras.activations.relu)(inputs)
    model = keras.Model(inputs, layers.Dense(3, activation=relu)(x))
    with pytest.raises(ValueError, match=r"called 'relu'; decorate .* or rename it"):
        npr.prune(model, 0.5)
    # One of them in the register goes by another name.
    keras.saving.register_keras_serializable("two_of_one_name")(relu)
    pruned = npr.prune(model, 0.0)
    assert pruned.layers[1].activation is keras.activations.relu
    assert pruned.layers[2].activation is relu


def test_what_cannot_be_copied_ends_in_one_sentence():
    class Stubborn(layers.Dense):
        def __init__(self, secret):
            super().__init__(3, name="stubborn")
            self.secret = secret

    model = keras.Sequential([keras.Input((2,)), Stubborn("x"), layers.Dense(1)])
    for refused in (lambda: npr.prune(model, 0.5), lambda: npr.shrink(model)):
        with pytest.raises(ValueError, match="get_config") as error:
            refused()
        assert "\n" not in str(error.value)


# --- Calls that are out of the ordinary ----------------------------------------------------------


def test_a_dead_unit_whose_normalization_sees_a_mask():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(5, 4, mask_zero=True)(inputs)
    x = layers.BatchNormalization(name="norm")(layers.Dense(3, name="a")(x))
    x = layers.Dense(2, name="b")(x)
    model = randomized(keras.Model(inputs, x))
    pruned = npr.prune(model, {"a": 0.34}, "unit")
    smaller = npr.shrink(pruned)
    assert smaller.get_layer("a").units == 2
    words = np.array([[1, 2, 0, 3, 4, 0], [4, 4, 1, 0, 0, 0]])
    np.testing.assert_allclose(
        smaller.predict(words, verbose=0), pruned.predict(words, verbose=0), atol=1e-6
    )


def test_a_product_of_channels_along_different_axes():
    one, two = keras.Input((3,)), keras.Input((3,))
    rows = layers.Reshape((6, 1))(layers.Dense(6, name="rows")(one))
    columns = layers.Reshape((1, 4))(layers.Dense(4, name="columns")(two))
    x = layers.Flatten()(layers.Multiply()([rows, columns]))
    model = randomized(keras.Model([one, two], layers.Dense(2, name="out")(x)))
    quietly_shrunk(model)
    set_kernel(model, "rows", lambda kernel: kernel[:, 0].fill(0))
    quietly_shrunk(model)


def test_one_addition_of_two_and_of_three():
    add, inputs = layers.Add(), keras.Input((4,))
    one, two, three = (layers.Dense(6, name=name)(inputs) for name in ("one", "two", "three"))
    x = layers.Dense(6, activation="relu", name="four")(add([one, two, three]))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(add([x, one]))))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert smaller.get_layer("four").units == 3


def test_an_activation_used_in_several_places_ties_nothing_together():
    relu, inputs = layers.ReLU(), keras.Input((4,))
    x = relu(layers.Dense(8, name="one")(inputs))
    x = relu(layers.Dense(4, name="two")(x))
    outputs = relu(layers.Dense(4, name="out")(x))  # whose channels stay
    model = randomized(keras.Model(inputs, outputs))
    smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert [smaller.get_layer(name).units for name in ("one", "two", "out")] == [4, 2, 4]


def test_a_dropout_of_so_many_channels_keeps_them():
    inputs = keras.Input((4,))
    x = layers.Dropout(0.5, noise_shape=(None, 6), name="all")(layers.Dense(6, name="a")(inputs))
    x = layers.Dropout(0.5, noise_shape=(None, 1))(layers.Dense(6, name="b")(x))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    with pytest.warns(UserWarning, match=r"Not pruned: a \(because of all \(Dropout\)\)"):
        smaller = shrunk(npr.prune(model, 0.5, "unit"))
    assert [smaller.get_layer(name).units for name in ("a", "b")] == [6, 3]
    smaller(np.ones((2, 4), np.float32), training=True)


def test_a_reshape_used_in_several_places_keeps_its_shape():
    reshape, inputs = layers.Reshape((2, 3)), keras.Input((4,))
    one = layers.Dense(2, name="after_one")(reshape(layers.Dense(6, name="one")(inputs)))
    two = layers.Dense(2, name="after_two")(reshape(layers.Dense(6, name="two")(inputs)))
    x = layers.Flatten()(layers.Add()([one, two]))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    for kernel in (model.get_layer(name).kernel for name in ("after_one",)):
        kernel.assign(np.array(kernel) * [[0], [1], [1]])
    quietly_shrunk(model)


@pytest.mark.parametrize("beta", [0.5, -0.5])
def test_a_channel_with_a_factor_of_zero_is_dead(beta):
    inputs = keras.Input((4,))
    x = layers.Dense(3, name="a")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="b")(x)))
    norm = model.get_layer("norm")
    norm.gamma.assign([1.0, 0.0, 2.0])
    norm.beta.assign([1.0, beta, 2.0])
    before = model.get_layer("b").get_weights()
    smaller = shrunk(model)
    assert smaller.get_layer("a").units == 2
    after = smaller.get_layer("b").get_weights()
    np.testing.assert_allclose(after[1], before[1] + max(beta, 0) * before[0][1], rtol=1e-6)
