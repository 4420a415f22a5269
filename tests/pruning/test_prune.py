"""`prune`: any Keras model, on any backend."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import OwnWeights, attention, branches, kernels_of, mixed, randomized
from network_pruning.pruning.gradients import LossGradients

pytestmark = pytest.mark.backends


def dense(*kernels, **settings):
    """A model of dense layers with these kernels, without biases, and one output more."""
    inputs = keras.Input((len(kernels[0]),))
    x = inputs
    for number, kernel in enumerate(kernels):
        x = layers.Dense(len(kernel[0]), use_bias=False, name=f"d{number}", **settings)(x)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(x))
    model.set_weights([*map(np.array, kernels), np.ones((len(kernels[-1][0]), 1))])
    return model


def test_the_smallest_weights_of_every_layer_go_by_hand():
    model = dense([[4.0, -1.0], [2.0, 3.0]], [[-8.0, 5.0], [6.0, 7.0]])
    pruned = npr.prune(model, 0.5)
    first, second, out = pruned.get_weights()
    np.testing.assert_array_equal(first, [[4, 0], [0, 3]])
    np.testing.assert_array_equal(second, [[-8, 0], [0, 7]])
    np.testing.assert_array_equal(out, [[1], [1]])  # never the output layer


def test_the_given_model_is_untouched():
    model = randomized(mixed())
    before = [np.array(w) for w in model.get_weights()]
    npr.prune(model, 0.9)
    npr.prune(model, 0.5, "unit")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_ties_go_by_position_and_counts_are_exact():
    pruned = npr.prune(dense([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), 0.5)
    np.testing.assert_array_equal(pruned.get_weights()[0], [[0, 0, 0], [1, 1, 1]])


def test_the_outgoing_weights_of_units_count_in_the_output_layer_too():
    model = dense([[1.0, 2.0], [1.0, 2.0]])
    model.get_layer("out").set_weights([np.array([[10.0], [1.0]])])
    for method, kept in (("unit", [2, 2]), ("unit_in_out", [1, 1])):
        kernel, _ = npr.prune(model, 0.5, method).get_weights()
        np.testing.assert_array_equal(kernel.sum(axis=1), kept)


@pytest.mark.parametrize(("k", "left"), [(0, 4), (0.24, 4), (0.25, 3), (1, 0)])
def test_floor_of_k_n_goes(k, left):
    pruned = npr.prune(dense([[1.0, 2.0], [3.0, 4.0]]), k)
    assert np.count_nonzero(pruned.get_weights()[0]) == left


def test_global_and_by_layer():
    model = dense([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]])
    with pytest.warns(UserWarning, match="whole layer d0"):
        pruned = npr.prune(model, 0.5, "global")
    assert not pruned.get_weights()[0].any()
    pruned = npr.prune(model, {"d1": 0.75})
    np.testing.assert_array_equal(pruned.get_weights()[0], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(pruned.get_weights()[1], [[0, 0], [0, 8]])


def test_excluded_layers_stay():
    model = dense([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]])
    for exclude in (("d0",), ("*0",)):
        pruned = npr.prune(model, 0.5, exclude=exclude)
        assert pruned.get_weights()[0].all()
        assert np.count_nonzero(pruned.get_weights()[1]) == 2


def test_a_unit_goes_with_bias_and_normalization():
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(3, 2, name="c")(inputs)
    x = layers.BatchNormalization(name="n")(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(2, name="w")(x)
    x = layers.Flatten()(x)
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    kernel = model.get_layer("c").kernel
    value = np.ones(kernel.shape, np.float32)
    value[..., 1] = 0.1
    kernel.assign(value)
    depthwise = model.get_layer("w").kernel
    depthwise.assign(np.ones(depthwise.shape))
    pruned = npr.prune(model, 0.34, "unit")
    convolution, bias = pruned.get_layer("c").get_weights()
    assert not convolution[..., 1].any()
    assert convolution[..., [0, 2]].all()
    assert bias[1] == 0
    gamma, beta, *_ = pruned.get_layer("n").get_weights()
    assert gamma[1] == beta[1] == 0
    assert gamma[[0, 2]].all()
    assert not pruned.get_layer("w").get_weights()[0][:, :, 1].any()


def test_a_residual_addition_joins_units():
    """Both layers lose the same units, by their common norm."""
    inputs = keras.Input((2,))
    a = layers.Dense(3, use_bias=False, name="a")(inputs)
    b = layers.Dense(3, use_bias=False, name="b")(a)
    x = layers.Add()([a, b])
    model = keras.Model(inputs, layers.Dense(1, name="out")(x))
    model.get_layer("a").set_weights([np.array([[3.0, 0.0, 2.0], [4.0, 1.0, 0.0]])])
    model.get_layer("b").set_weights([np.diag([0.0, 4.0, 1.0])])
    pruned = npr.prune(model, 0.34, "unit")  # norms 5, √17, √5: the last one goes
    for name in ("a", "b"):
        kernel = pruned.get_layer(name).get_weights()[0]
        assert not kernel[:, 2].any()
    assert pruned.get_layer("a").get_weights()[0][:, 1].any()


def test_concatenation_keeps_its_parts_apart():
    pruned = npr.prune(randomized(branches()), 0.5, "unit")
    for name in ("left", "right"):
        kernel = pruned.get_layer(name).get_weights()[0]
        assert (~kernel.any(axis=0)).sum() == kernel.shape[1] // 2


def test_attention_is_pruned_by_weight():
    pruned = npr.prune(randomized(attention()), 0.5)
    found = npr.measure(pruned)
    assert {"query", "key", "value", "attention_output"} <= set(found.layer_sparsity)
    assert all(share == 0.5 for share in found.layer_sparsity.values())


def test_n_of_m_runs_along_the_input_channels():
    """Five channels: a group of four and one of one, at every position of the filter."""
    inputs = keras.Input((4, 4, 5))
    x = layers.Conv2D(3, 2, name="c")(inputs)
    model = randomized(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    kernel = npr.prune(model, 0.4, "2:4").get_layer("c").get_weights()[0]
    assert (np.count_nonzero(kernel[:, :, :4], axis=2) == 2).all()
    assert kernel[:, :, 4].all()


def test_nested_and_shared_layers_once():
    shared = layers.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="inside")], name="inner")
    one, two = keras.Input((4,)), keras.Input((4,))
    x = layers.Add()([inner(shared(one)), inner(shared(two))])
    model = randomized(keras.Model([one, two], layers.Dense(1)(x)))
    found = npr.measure(npr.prune(model, 0.5))
    assert found.layer_sparsity == {"shared": 0.5, "inside": 0.5}


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.first, self.last = layers.Dense(8, name="first"), layers.Dense(2, name="last")

    def call(self, inputs):
        return self.last(self.first(inputs))


def test_subclassed_models_lose_weights_but_no_units():
    model = Subclassed()
    model(np.zeros((1, 4), np.float32))
    pruned = npr.prune(randomized(model), 0.5)
    assert npr.measure(pruned).layer_sparsity == {"first": 0.5}
    with pytest.raises(ValueError, match="subclassed model"):
        npr.prune(model, 0.5, "unit")


def test_unknown_layers_with_weights_are_named():
    inputs = keras.Input((5, 3))
    x = layers.Dense(4)(OwnWeights(name="own")(inputs))
    model = keras.Model(inputs, layers.Dense(1)(x))
    with pytest.warns(UserWarning, match="Not pruned: own"):
        npr.prune(model, 0.5)


def test_warnings_point_at_the_line_of_the_caller():
    inputs = keras.Input((5, 3))
    x = layers.Dense(4, name="d")(OwnWeights()(inputs))
    model = keras.Model(inputs, layers.Dense(1)(x))
    with pytest.warns(UserWarning, match="Not pruned|allows no more") as caught:
        npr.prune(model, 0.9, "2:4")
    places = [w.filename for w in caught if w.category is UserWarning]
    assert places == [__file__, __file__]


def test_a_pattern_that_allows_less_is_warned_of():
    model = randomized(branches())
    sentence = (
        r"^2:4 cannot reach 90 %: its pattern removes at most 4\d\.\d\d % of the hidden "
        r"weights\.$"
    )
    with pytest.warns(UserWarning, match=sentence):
        npr.prune(model, 0.9, "2:4")


def test_whole_layers_that_are_removed_are_warned_of():
    model = dense([[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]])
    with pytest.warns(UserWarning, match="^weight/global removes the whole layer d0 at 50 %.$"):
        npr.prune(model, 0.5, "global")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        npr.prune(model, 1.0, "global")  # as was asked
        npr.prune(model, 0.25, "global")


def answering(model):
    """The model, compiled, and examples with numbers to answer."""
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(6, *model.input_shape[1:])).astype("float32")
    return model, (x, np.ones((6, *model.output_shape[1:]), np.float32))


@pytest.mark.filterwarnings("ignore:2.4 cannot reach", "ignore:2.4/random cannot reach")
@pytest.mark.parametrize("method", ["random", "gradient/global", "2:4/random", "2x2/random"])
def test_what_is_zero_already_goes_first(method):
    by_pattern = method[0].isdigit()
    model = npr.prune(randomized(branches()), 0.5, method.split("/")[0] if by_pattern else "weight")
    model, data = answering(model)
    again = npr.prune(model, 0.5, method, data=data)
    for before, after in zip(kernels_of(model), kernels_of(again), strict=True):
        np.testing.assert_array_equal(before, after)


def test_no_unit_more_than_asked_loses_its_bias():
    model = randomized(branches())
    kernel = model.get_layer("joined").kernel
    kernel.assign(np.where(np.arange(6) < 4, 0, np.array(kernel)))
    bias = np.array(model.get_layer("joined").bias)
    pruned = npr.prune(model, 0.5, "unit")
    np.testing.assert_array_equal(pruned.get_layer("joined").bias, [0, 0, 0, *bias[3:]])


def test_erk_of_convolutions_by_hand():
    """Kept are 5 % of 4,096 + 36,864 + 102,400 weights, 7,168, in the proportions 1 + 1 + 64 + 64 =
    130 to 134 to 138 of 402: 2,318, 2,389 and 2,461."""
    inputs = x = keras.Input((8, 8, 64))
    for size in (1, 3, 5):
        x = layers.Conv2D(64, size, padding="same", name=f"c{size}")(x)
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling2D()(x)))
    pruned = npr.prune(model, 0.95, "erk")
    kept = [np.count_nonzero(pruned.get_layer(f"c{size}").kernel) for size in (1, 3, 5)]
    assert kept == [2318, 2389, 2461]


def test_units_by_the_sum_of_what_their_weights_save():
    """obd of one example x = [1, 1] and a squared error: ∂L/∂w is the same for all weights, so that
    squares of weights count: 3² < 2² + 2² + 2² of the sums, but 3⁴ > 3 · 2⁴ of the norms."""
    model = dense([[3.0, 2.0], [0.0, 2.0], [0.0, 2.0]])
    model.compile("sgd", "mse")
    data = np.ones((1, 3), np.float32), np.ones((1, 1), np.float32)
    pruned = npr.prune(model, 0.5, "unit/obd", data=data)
    np.testing.assert_array_equal(pruned.get_weights()[0], [[0, 2], [0, 2], [0, 2]])
    pruned = npr.prune(model, 0.5, "unit/gradient", data=data)
    np.testing.assert_array_equal(pruned.get_weights()[0], [[0, 2], [0, 2], [0, 2]])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_models_of_small_types_are_scored_in_float32(dtype):
    inputs = keras.Input((2,))
    x = layers.Dense(2, use_bias=False, name="d", dtype=dtype)(inputs)
    model = keras.Model(inputs, layers.Dense(1, name="out", dtype=dtype)(x))
    # In float16 both norms are infinite; of the larger one a weight is larger, but not the norm.
    model.get_layer("d").set_weights([np.array([[300.0, 200.0], [0.5, 250.0]])])
    pruned = npr.prune(model, 0.5, "unit")
    np.testing.assert_array_equal(
        np.asarray(pruned.get_layer("d").get_weights()[0], np.float32), [[0, 200], [0, 250]]
    )
    model.compile("sgd", "mse")
    x, y = np.full((4, 2), 0.1, np.float32), np.ones((4, 1), np.float32)
    for method in ("weight", "random", "lamp/global", "activation", "gradient", "obd"):
        pruned = npr.prune(model, 0.5, method, data=(x, y))
        assert npr.measure(pruned).sparsity == 0.5


def test_a_layer_with_weights_that_are_not_finite_is_named():
    model = dense([[1.0, 2.0], [3.0, 4.0]], [[5.0, np.nan], [7.0, np.inf]])
    sentence = "The layer 'd1' cannot be pruned: 2 of its 4 weights are not finite"
    with pytest.raises(ValueError, match=sentence):
        npr.prune(model, 0.5)


def test_batches_of_data_give_the_same_masks_and_labels_are_needed_for_gradients():
    model, (x, y) = answering(randomized(branches()))
    pruned = npr.prune(model, 0.5, "gradient", data=(x, y))
    batches = iter([(x[:4], y[:4]), (x[4:], y[4:])])
    other = npr.prune(model, 0.5, "gradient", data=batches)
    for ours, theirs in zip(kernels_of(pruned), kernels_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    npr.prune(model, 0.5, "activation", data=(x, None))
    with pytest.raises(ValueError, match="needs labels"):
        npr.prune(model, 0.5, "gradient", data=(x, None))


CRITERIA = ["gradient", "activation/output", "obd/global", "lamp/global", "random", "erk"]


@pytest.mark.parametrize("method", CRITERIA)
def test_every_criterion_on_a_convolutional_network(method):
    model = randomized(mixed())
    model.compile("adam", "sparse_categorical_crossentropy")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(6, *model.input_shape[1:])).astype("float32")
    pruned = npr.prune(model, 0.5, method, data=(x, np.arange(6) % 3))
    assert abs(npr.measure(pruned).sparsity - 0.5) < 0.03
    assert any((a != b).any() for a, b in zip(kernels_of(pruned), kernels_of(model), strict=True))


def test_gradient_and_activation_by_hand():
    """Of one example and a linear network with squared error, everything is known."""
    model = dense([[1.0, 2.0], [3.0, 4.0]])
    model.compile("sgd", "mse")
    x, y = np.array([[1.0, -1.0]], np.float32), np.array([[1.0]], np.float32)
    # z = x·W = [-2, -2]; the answer is -4; ∂L/∂answer = -10; ∂L/∂W = -10 · xᵀ·[1, 1].
    from network_pruning.models.kernels import all_kernels
    from network_pruning.pruning.model_statistics import ModelStatistics

    found = all_kernels(model)
    statistics = ModelStatistics(
        model, found, (x, y), lambda: LossGradients(model, [kernel.variable for kernel in found])
    )
    np.testing.assert_allclose(statistics.gradients["d0"], [[-10, -10], [10, 10]], rtol=1e-5)
    np.testing.assert_allclose(statistics.squared_gradients["d0"], 100, rtol=1e-5)
    np.testing.assert_allclose(statistics.gradients["out"], [[20], [20]], rtol=1e-5)
    np.testing.assert_allclose(statistics.input_norms["d0"], [1, 1], rtol=1e-6)
    np.testing.assert_allclose(statistics.input_norms["out"], [2, 2], rtol=1e-6)


BAD = [
    (({},), {}, "the dictionary is empty"),
    ((60,), {}, "did you mean 0.6"),
    ((-0.1,), {}, "not a fraction"),
    (("much",), {}, "not a number"),
    (({"nobody": 0.5},), {}, "'nobody' cannot be pruned; choose from d0"),
    (({"d0": 50},), {}, "sparsity of 'd0': 50 is not a fraction"),
    ((0.5, "weigth"), {}, "^method: 'weigth'"),
    ((0.5, "weight/gradual"), {}, "network_pruning.Pruning"),
    ((0.5, "weight/finetune"), {}, "KeepPruned"),
    ((0.5,), {"exclude": ("nobody",)}, "exclude: 'nobody'"),
    ((0.5,), {"exclude": ("*",)}, "remains to be pruned"),
    ((0.5, "gradient"), {}, r"data=\(x, y\)"),
    ((0.5, "gradient"), {"data": (np.ones((1, 2)), np.ones((1, 1)))}, "not compiled"),
    ((0.5, "weight/reconstuct"), {}, "'reconstuct' .* is not known; did you mean 'reconstruct'"),
    ((0.5, "activation"), {"data": "x.npy"}, "data: str is not a pair of arrays"),
    ((0.5, "activation"), {"data": (np.ones((4, 2)), np.ones(3))}, "of lengths 3, 4"),
    ((0.5, ["weight"]), {}, r"method: \['weight'\] is not a text"),
    ((0.5, "random"), {"seed": None}, "seed: None is not a whole number of 0 or more"),
    ((0.5, "random"), {"seed": -1}, "seed: -1 is not a whole number of 0 or more"),
]


@pytest.mark.parametrize(("arguments", "settings", "sentence"), BAD)
def test_bad_arguments_end_in_one_sentence(arguments, settings, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        npr.prune(dense([[1.0, 2.0], [3.0, 4.0]]), *arguments, **settings)
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value)  # which is for the command line


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="model: str is not a Keras model; build one, or load it"):
        npr.prune("model.keras", 0.5)


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="build it first"):
        npr.prune(keras.Sequential([layers.Dense(3), layers.Dense(1)]), 0.5)


def test_the_pruned_model_is_compiled_as_the_other_and_saved_as_any(tmp_path):
    model = randomized(mixed())
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    pruned = npr.prune(model, 0.9)
    assert pruned.compiled
    pruned.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    for ours, theirs in zip(pruned.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_pruning_says_nothing_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        npr.prune(dense([[1.0, 2.0], [3.0, 4.0]]), 0.5)


def test_layers_keep_multiples_of_units():
    inputs = keras.Input((3,))
    x = layers.Dense(20, name="twenty")(inputs)
    x = layers.Dense(6, name="six")(layers.Dense(32, name="thirty_two")(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    for k, kept in ((0.5, (16, 16, 6)), (0.7, (8, 16, 6)), (0.9, (8, 8, 6)), (1, (0, 0, 0))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pruned = npr.prune(model, k, "unit", round_to=8)
        found = tuple(int((kernel != 0).any(axis=0).sum()) for kernel in kernels_of(pruned)[:3])
        assert found == kept, k
    smaller = npr.shrink(npr.prune(model, 0.5, "unit", round_to=8))
    assert [smaller.get_layer(name).units for name in ("twenty", "thirty_two", "six")] == [
        16,
        16,
        6,
    ]


@pytest.mark.parametrize(
    ("round_to", "method", "sentence"),
    [
        (0, "unit", "0 is not a whole number of 1 or more"),
        (2.5, "unit", "2.5 is not a whole number"),
        (8, "weight", "prunes single weights; choose unit or unit_in_out"),
    ],
)
def test_bad_multiples_are_refused(round_to, method, sentence):
    model = dense([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match=f"round_to: .*{sentence}"):
        npr.prune(model, 0.5, method, round_to=round_to)
    with pytest.raises(ValueError, match=f"round_to: .*{sentence}"):
        npr.Pruning(0.5, method, round_to=round_to)
