"""`reconstruct`, and `prune` with the recovery of this name."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from keras_models import (
    OwnWeights,
    attention,
    branches,
    kernels_of,
    mixed,
    outputs_of,
    randomized,
    recurrent,
)
from network_pruning.reconstruction import reconstruct as module
from network_pruning.reconstruction import statistics

pytestmark = pytest.mark.backends


def inputs_of(model, number=200, seed=0):
    random = np.random.default_rng(seed)
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    found = [random.standard_normal((number, *shape)).astype(np.float32) for shape in shapes]
    return found if len(found) > 1 else found[0]


def outputs(model, x):
    found = outputs_of(model, x)
    return np.concatenate([np.reshape(each, (len(each), -1)) for each in found], axis=1)


def error(model, dense, x):
    return np.square(outputs(model, x) - outputs(dense, x)).mean()


def pruned_both_ways(model, k, method, x):
    """Plain, and reconstructed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return (
            npr.prune(model, k, method, data=(x, None)),
            npr.prune(model, k, f"{method}/reconstruct", data=(x, None), verbose=0),
        )


def perceptron(*sizes, **options):
    model = keras.Sequential([keras.Input(sizes[:1])])
    for size in sizes[1:-1]:
        model.add(layers.Dense(size, activation="relu", **options))
    model.add(layers.Dense(sizes[-1], **options))
    return randomized(model)


def test_the_kept_weights_by_hand():
    # The second input is twice the first: with its weight removed, 1 + 2·3 remain to be done.
    model = perceptron(2, 1, 1)
    model.set_weights([*map(np.array, ([[3.0], [1.0]], [5.0], [[1.0]], [0.0]))])
    x = np.array([[1.0, 2.0]] * 3 + [[2.0, 4.0]] * 10)
    hidden, bias, output, last = npr.prune(model, 0.5, "weight/reconstruct", data=x).get_weights()
    np.testing.assert_allclose(hidden, [[5], [0]], rtol=1e-2)
    np.testing.assert_allclose([*bias, *output[0], *last], [5, 1, 0], rtol=1e-2, atol=3e-2)


def test_without_pruning_nothing_changes():
    model = randomized(mixed())
    for method in ("weight", "unit"):
        _, same = pruned_both_ways(model, 0.0, method, inputs_of(model))
        for old, new in zip(model.get_weights(), same.get_weights(), strict=True):
            np.testing.assert_allclose(new, old, rtol=1e-3, atol=1e-3)


def test_with_everything_pruned_biases_answer():
    model = perceptron(3, 4, 2)
    x = inputs_of(model, 2000)
    none = npr.prune(model, 1, "weight/reconstruct", data=x, verbose=0)
    expected = outputs(model, x)
    np.testing.assert_allclose(outputs(none, x), outputs(none, x[:1]).repeat(len(x), axis=0))
    np.testing.assert_allclose(outputs(none, x[:1])[0], expected.mean(axis=0), rtol=0.2, atol=0.1)


@pytest.mark.parametrize("method", ["weight/activation", "2:4", "4x2", "unit"])
@pytest.mark.parametrize("make", [mixed, branches, attention, recurrent])
def test_models_of_all_kinds_come_closer(make, method):
    model = randomized(make())
    x, unseen = inputs_of(model), inputs_of(model, seed=1)
    plain, rebuilt = pruned_both_ways(model, 0.4, method, x)
    assert error(rebuilt, model, unseen) < 0.85 * error(plain, model, unseen)
    for one, other in zip(kernels_of(plain), kernels_of(rebuilt), strict=True):
        if method in ("2:4", "4x2"):  # the same masks
            assert (other[one == 0] == 0).all()
        if method == "weight/activation":
            assert np.count_nonzero(one) == np.count_nonzero(other)


@pytest.mark.parametrize("method", ["weight/gradient", "unit/obd", "weight/lamp/global"])
def test_criteria_and_scopes_of_all_kinds(method):
    model = perceptron(6, 12, 8, 3)
    model.compile("sgd", "mse")
    x = inputs_of(model)
    data = (x, outputs(model, x) + 1)
    plain = npr.prune(model, 0.5, method, data=data)
    rebuilt = npr.prune(model, 0.5, f"{method}/reconstruct", data=data, verbose=0)
    for one, other in zip(kernels_of(plain)[:2], kernels_of(rebuilt)[:2], strict=True):
        assert (other[one == 0] == 0).all()
    assert error(rebuilt, model, x) < 0.85 * error(plain, model, x)


def test_units_of_several_layers_that_one_reads():
    """Its weights are re-fitted for all that it loses."""
    model = randomized(branches())
    x = inputs_of(model)
    _, rebuilt = pruned_both_ways(model, 0.5, "unit", x)
    again = npr.reconstruct(rebuilt, model, x, verbose=0)
    assert error(rebuilt, model, x) < 1.05 * error(again, model, x)


def test_pruned_units_can_be_removed():
    model = randomized(mixed())
    x = inputs_of(model)
    for method in ("unit", "unit_in_out/activation"):
        _, rebuilt = pruned_both_ways(model, 0.5, method, x)
        small = npr.shrink(rebuilt)
        assert small.count_params() < 0.7 * model.count_params()
        np.testing.assert_allclose(outputs(small, x), outputs(rebuilt, x), rtol=1e-3, atol=1e-3)


def test_a_model_pruned_by_other_means_keeps_its_zeros():
    model = perceptron(8, 16, 3)
    x = inputs_of(model)
    pruned = keras.models.clone_model(model)
    weights = model.get_weights()
    weights[0][np.random.default_rng(0).random(weights[0].shape) < 0.6] = 0
    weights[0][:, 3], weights[1][3] = 0, 0  # a unit with its bias
    pruned.set_weights(weights)
    before = [np.array(w) for w in (*pruned.get_weights(), *model.get_weights())]
    rebuilt = npr.reconstruct(pruned, model, (x, None), verbose=0)
    kernel, bias, *_ = rebuilt.get_weights()
    np.testing.assert_array_equal(kernel == 0, weights[0] == 0)
    assert bias[3] == 0
    assert error(rebuilt, model, x) < 0.7 * error(pruned, model, x)
    for old, new in zip(before, (*pruned.get_weights(), *model.get_weights()), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_layer_of_zeros_stays():
    model = perceptron(4, 6, 6, 2)
    weights = model.get_weights()
    weights[2][:], weights[3][:] = 0, 0
    model.set_weights(weights)
    rebuilt = npr.reconstruct(model, model, inputs_of(model), verbose=0)
    for old, new in zip(weights, rebuilt.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-2)
    assert not rebuilt.get_weights()[2].any()


def test_shared_layers_and_nested_models():
    inner_input = keras.Input((6,))
    inner = keras.Model(inner_input, layers.Dense(8, activation="relu")(inner_input))
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    shared = layers.Dense(5, activation="tanh")
    parts = [shared(inner(one)), shared(inner(other))]
    model = randomized(keras.Model([one, other], layers.Dense(2)(layers.Add()(parts))))
    x, unseen = inputs_of(model), inputs_of(model, seed=1)
    plain, rebuilt = pruned_both_ways(model, 0.5, "weight", x)
    assert error(rebuilt, model, unseen) < 0.7 * error(plain, model, unseen)
    named = dict(zip(("one", "other"), x, strict=True))
    again = npr.prune(model, 0.5, "weight/reconstruct", data=named, verbose=0)
    for old, new in zip(rebuilt.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


class Block(layers.Layer):
    """A layer with layers in it, one of them called twice."""

    def build(self, shape):
        self.first = layers.Dense(12, activation="relu")
        self.second = layers.Dense(shape[-1])
        self.first.build(shape)
        self.second.build((*shape[:-1], 12))

    def call(self, x):
        return self.second(self.first(x)) + self.second(self.first(x) / 2)


@keras.saving.register_keras_serializable("tests")
class OwnModel(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.block, self.last = Block(), layers.Dense(2)

    def call(self, x):
        return self.last(self.block(x))


def test_layers_in_layers_and_subclassed_models():
    inputs = keras.Input((6,))
    model = randomized(keras.Model(inputs, layers.Dense(2)(Block()(inputs))))
    own = OwnModel()
    own(np.zeros((1, 6), np.float32))
    x = inputs_of(model)
    for each in (model, randomized(own)):
        plain, rebuilt = pruned_both_ways(each, 0.5, "weight", x)
        assert error(rebuilt, each, x) < 0.7 * error(plain, each, x)


def test_statistics_of_batch_normalization_are_computed_anew():
    inputs = keras.Input((6,))
    x = layers.Dense(20, name="hidden")(inputs)
    x = layers.BatchNormalization(name="norm")(layers.PReLU()(x))
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    x = inputs_of(model, 1000)
    hidden = keras.Model(inputs, model.get_layer("norm").input)
    values = hidden.predict(x, verbose=0)
    norm = model.get_layer("norm")
    norm.moving_mean.assign(values.mean(axis=0))
    norm.moving_variance.assign(values.var(axis=0))
    pruned = npr.prune(model, 0.5)
    pruned.get_layer("norm").moving_mean.assign(values.mean(axis=0) + 3)
    rebuilt = npr.reconstruct(pruned, model, x, verbose=0)
    mean = keras.ops.convert_to_numpy(rebuilt.get_layer("norm").moving_mean.value)
    varies = pruned.get_weights()[0].any(axis=0)
    np.testing.assert_allclose(mean[varies], values.mean(axis=0)[varies], atol=0.3)


def test_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = perceptron(6, 16, 2)
    finally:
        keras.config.set_dtype_policy("float32")
    x = inputs_of(model)
    plain, rebuilt = pruned_both_ways(model, 0.5, "weight", x)
    assert error(rebuilt, model, x) < 0.7 * error(plain, model, x)


@given(st.integers(0, 999), st.sampled_from([0.3, 0.6, 0.9]), st.sampled_from(["weight", "unit"]))
@settings(deadline=None, max_examples=8)
def test_every_layer_does_at_least_as_well_on_examples_held_out(seed, k, method):
    """As its plain weights would with the same inputs."""
    model = randomized(perceptron(5, 8, 3), seed)
    x = inputs_of(model, 60, seed)
    errors = []

    def compared(kernel, refit):  # noqa: ARG001
        mask = refit.matrix != 0
        errors.append((refit, refit.seen.held_out.error(refit.weights)))
        return mask

    pruned = npr.prune(model, k, method)
    examples = module.calibration_inputs(x, model)
    module.refit_layers(pruned, model, examples, choice=compared)
    for refit, plain in errors:
        assert (refit.seen.held_out.error(refit.weights) <= plain * (1 + 1e-9) + 1e-9).all()


def test_data_however_they_are_given():
    model = perceptron(6, 12, 2)
    x = inputs_of(model, 100)

    def generator():
        for start in range(0, 100, 25):
            yield x[start : start + 25], np.zeros(25)

    options = {"sparsity": 0.5, "method": "weight/activation/reconstruct", "verbose": 0}
    expected = npr.prune(model, data=x, **options).get_weights()
    for data in ((x, None), (x, np.zeros(100)), generator()):
        for old, new in zip(
            expected, npr.prune(model, data=data, **options).get_weights(), strict=True
        ):
            np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-6)


def test_of_large_pictures_a_sample_of_positions_is_enough(monkeypatch):
    monkeypatch.setattr(statistics, "MOST_ROWS", 500)
    inputs = keras.Input((12, 12, 2))
    x = layers.Conv2D(6, 3, activation="relu")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(x))
    model = randomized(keras.Model(inputs, layers.Dense(2)(x)))
    x = inputs_of(model, 100)
    plain, rebuilt = pruned_both_ways(model, 0.5, "weight", x)
    _, again = pruned_both_ways(model, 0.5, "weight", x)
    assert error(rebuilt, model, x) < 0.5 * error(plain, model, x)
    for old, new in zip(rebuilt.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_not_refitted_is_named(monkeypatch):
    monkeypatch.setattr(module, "MOST_INPUTS", 20)
    inputs = keras.Input((5,))
    x = OwnWeights()(layers.Dense(8)(layers.Embedding(9, 3)(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="wide")(layers.Flatten()(x)))
    x = np.random.default_rng(0).integers(0, 9, (50, 5))
    message = r"Not re-fitted: embedding.*OwnWeights.*wide \(40 inputs are too many\)"
    with pytest.warns(UserWarning, match=message):
        npr.prune(model, 0.5, "weight/reconstruct", data=x, verbose=0)


NAN = np.full((50, 6), np.nan)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "are re-fitted and trained on inputs; give some hundred"),
        (np.zeros((5, 6)), "5 examples are too few to re-fit or train weights; give at least 10"),
        (np.zeros((50, 7)), r"inputs of shape \(7,\) were given, the model takes \(6,\)"),
        (NAN, "the inputs are not finite"),
        (iter([]), "gives no examples"),
    ],
)
def test_bad_data(data, message):
    with pytest.raises(npr.UsageError, match=message):
        npr.prune(perceptron(6, 4, 2), 0.5, "weight/reconstruct", data=data)


def test_what_is_always_zero_is_no_obstacle():
    """A dead layer, inputs of zeros, and a network without biases of which nothing is kept."""
    dead, x = perceptron(6, 12, 8, 3), inputs_of(perceptron(6, 2))
    dead.layers[0].bias.assign(np.full(12, -1000))
    bare = keras.Sequential([keras.Input((6,))])
    for units in (12, 8, 3):
        bare.add(layers.Dense(units, use_bias=False))
    for model, data, k in ((dead, x, 0.5), (perceptron(6, 12, 3), 0 * x, 0.5), (bare, x, 1)):
        rebuilt = npr.prune(model, k, "weight/activation/reconstruct", data=data, verbose=0)
        assert all(np.isfinite(weights).all() for weights in rebuilt.get_weights())


def test_few_examples_are_told_of():
    model = perceptron(6, 8, 5)
    with pytest.warns(UserWarning, match="re-fitted on 20 examples only"):
        npr.prune(model, 0.5, "weight/reconstruct", data=inputs_of(model, 20), verbose=0)


def test_weights_with_which_the_model_is_worse_are_not_taken(monkeypatch):
    finish = module.Refit.finish

    def spoil(self, *arguments):
        found = finish(self, *arguments)
        self.weights *= -3
        self.put()
        return found

    monkeypatch.setattr(module.Refit, "finish", spoil)
    model = randomized(mixed())
    plain = npr.prune(model, 0.5)
    with pytest.warns(UserWarning, match="farther from the dense one on the examples"):
        same = npr.prune(model, 0.5, "weight/reconstruct", data=inputs_of(model), verbose=0)
    for one, other in zip(plain.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_models_that_do_not_fit():
    model, x = perceptron(6, 4, 2), np.zeros((50, 6))
    with pytest.raises(npr.UsageError, match=r"dense: it has more zeros .* comes first"):
        npr.reconstruct(model, npr.prune(model, 0.5), x)
    with pytest.raises(npr.UsageError, match="dense: its weights have other shapes"):
        npr.reconstruct(perceptron(6, 3, 2), model, x)
    with pytest.raises(npr.UsageError, match="dense: int is not a Keras model"):
        npr.reconstruct(model, 3, x)


def test_when_it_is_interrupted_the_given_model_is_untouched(monkeypatch):
    model = perceptron(6, 4, 2)
    before = [np.array(w) for w in model.get_weights()]
    monkeypatch.setattr(
        module.Reconstruction, "_fit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        npr.prune(model, 0.5, "weight/reconstruct", data=inputs_of(model))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
