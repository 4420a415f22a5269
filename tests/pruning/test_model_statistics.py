"""What criteria see of a Keras model and data: activations and gradients, by hand."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import randomized
from network_pruning.models.kernels import all_kernels
from network_pruning.pruning.gradients import LossGradients
from network_pruning.pruning.model_statistics import ModelStatistics

pytestmark = pytest.mark.backends


def statistics_of(model, data):
    found = all_kernels(model)
    return ModelStatistics(
        model, found, data, lambda: LossGradients(model, [kernel.variable for kernel in found])
    )


def linear(loss="mse", **settings):
    """A model of one weight for each of two inputs."""
    inputs = keras.Input((2,))
    x = layers.Dense(1, use_bias=False, name="d", **settings)(inputs)
    model = keras.Model(inputs, layers.Activation("linear")(x))
    model.set_weights([np.array([[1.0], [2.0]])])
    model.compile("sgd", loss)
    return model


def examples(size):
    generator = np.random.default_rng(0)
    return (
        generator.normal(size=(size, 2)).astype("float32"),
        generator.normal(size=(size, 1)).astype("float32"),
    )


@pytest.mark.parametrize("size", [7, 66])
@pytest.mark.parametrize("reduction", ["sum", "sum_over_batch_size"])
def test_gradients_of_sums_and_of_means_point_the_same_way(size, reduction):
    """Whatever the size of the last batch. ∂(x·w - y)²/∂w = 2 (x·w - y) x."""
    x, y = examples(size)
    model = linear(keras.losses.MeanSquaredError(reduction=reduction))
    found = statistics_of(model, (x, y)).gradients["d"].ravel()
    expected = (2 * (x @ [[1], [2]] - y) * x).mean(axis=0)
    if reduction == "sum":
        found, expected = found / found[0], expected / expected[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_penalties_on_weights_are_no_part_of_any_gradient():
    plain, penalized = linear(), linear(kernel_regularizer=keras.regularizers.L1L2(0.5, 0.5))
    of_plain, of_penalized = (statistics_of(m, examples(9)) for m in (plain, penalized))
    for name in ("gradients", "squared_gradients"):
        np.testing.assert_array_equal(
            getattr(of_plain, name)["d"], getattr(of_penalized, name)["d"]
        )
    assert penalized.get_layer("d").kernel.regularizer is not None
    assert len(penalized.losses) == 1


@pytest.mark.parametrize("statistic", ["gradients", "squared_gradients", "input_norms"])
def test_what_is_not_finite_names_the_data_and_the_layer(statistic):
    x, y = examples(3)
    x[1] = np.nan
    with pytest.raises(ValueError, match=r"^data: the .* of the layer 'd' are not finite; look"):
        getattr(statistics_of(linear(), (x, y)), statistic)


class Tripled(keras.Sequential):
    """A loss of its own, which does not ask whether the model is training."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):  # noqa: ARG002
        return 3 * keras.ops.mean(keras.ops.square(y - y_pred))


def test_a_loss_of_the_models_own_class():
    x, y = examples(6)
    model = Tripled([keras.Input((2,)), layers.Dense(1, use_bias=False, name="d")])
    model.set_weights([np.array([[1.0], [2.0]])])
    model.compile("sgd")
    found = statistics_of(model, (x, y)).gradients["d"].ravel()
    expected = (6 * (x @ [[1], [2]] - y) * x).mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_weights_of_examples_count():
    x, y = examples(6)
    weights = np.array([1, 1, 0, 0, 0, 0], np.float32)
    found = statistics_of(linear(), (x, y, weights)).squared_gradients["d"].ravel()
    expected = np.square(2 * (x @ [[1], [2]] - y) * x)[:2].sum(axis=0) / 6
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def two_outputs():
    inputs = keras.Input((3,))
    x = layers.Dense(4, activation="relu", name="hidden")(inputs)
    outputs = [layers.Dense(1, name="one")(x), layers.Dense(1, name="two")(x)]
    model = randomized(keras.Model(inputs, outputs))
    model.compile("sgd", ["mse", "mae"])
    return model


def test_what_a_model_tracks_of_its_losses_does_not_change():
    x = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
    y = [np.ones((12, 1), np.float32), np.ones((12, 1), np.float32)]
    model = two_outputs()
    model.evaluate(x, y, verbose=0)
    before = {metric.name: float(metric.result()) for metric in model.metrics}
    assert len(before) == 3
    found = statistics_of(model, (x, [100 * part for part in y]))
    assert found.gradients["hidden"].any()
    assert found.squared_gradients["hidden"].any()
    assert {metric.name: float(metric.result()) for metric in model.metrics} == before


@pytest.mark.parametrize("criterion", ["gradient", "obd"])
def test_what_fit_reports_of_several_outputs_is_the_same_with_the_callback(criterion):
    x = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
    y = [np.ones((12, 1), np.float32), np.ones((12, 1), np.float32)]
    data = (x, [1000 * part for part in y])
    reported = []
    for callbacks in ([], [npr.Pruning(0.0, f"weight/{criterion}", every=1, data=data)]):
        fitted = two_outputs().fit(
            x, y, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks
        )
        reported.append(fitted.history)
    for name in ("loss", "one_loss", "two_loss"):
        assert reported[1][name] == pytest.approx(reported[0][name], rel=1e-5)


def test_a_model_that_was_never_fitted_can_be_after_its_gradients_were_taken():
    x = np.zeros((4, 3), np.float32)
    y = [np.ones((4, 1), np.float32)] * 2
    pruned = npr.prune(two_outputs(), 0.5, "gradient", data=(x + 1, y))
    pruned.fit(x, y, verbose=0)


@pytest.mark.parametrize(("size", "groups"), [(3, 2), (2, 2), (1, 4)])
def test_norms_of_inputs_of_grouped_convolutions(size, groups):
    """Each unit reads the channels of its own group."""
    inputs = keras.Input((4, 4, 4))
    x = layers.Conv2D(8, size, groups=groups, name="c")(inputs)
    model = randomized(keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x))))
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 4)).astype("float32")
    norms = np.sqrt(np.square(x).sum(axis=(0, 1, 2)))
    per_group = 4 // groups
    expected = np.empty((size, size, per_group, 8))
    for channel in range(per_group):
        for unit in range(8):
            expected[:, :, channel, unit] = norms[unit // (8 // groups) * per_group + channel]
    kernel = all_kernels(model)[0]
    found = statistics_of(model, (x, None)).input_norms["c"]
    np.testing.assert_allclose(found, kernel.matrix(expected), rtol=1e-5)
    npr.prune(model, 0.5, "activation", data=(x, None))


EINSUMS = [
    # The equation, the axes of the output behind the examples, the einsum of squares that gives the
    # norm of what each weight of the kernel is multiplied with.
    ("abc,cbd->ad", 5, "abc->cb"),
    ("abc,bcd->ad", 5, "abc->bc"),
    ("abc,cd->abd", (3, 5), "abc->c"),
    ("...c,cd->...d", 5, "abc->c"),
    ("abc,bcd->abd", (3, 5), "abc->bc"),
]


@pytest.mark.parametrize(("equation", "shape", "squares"), EINSUMS)
def test_norms_of_inputs_by_an_equation(equation, shape, squares):
    inputs = keras.Input((3, 4))
    x = layers.EinsumDense(equation, shape, name="e")(inputs)
    model = randomized(keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x))))
    x = np.random.default_rng(0).normal(size=(6, 3, 4)).astype("float32")
    norms = np.sqrt(np.einsum(squares, np.square(x, dtype=np.float64)))[..., np.newaxis]
    kernel = all_kernels(model)[0]
    expected = kernel.matrix(np.broadcast_to(norms, kernel.variable.shape))
    found = statistics_of(model, (x, None)).input_norms["e"]
    found = found if found.ndim == 2 else found[:, np.newaxis]
    np.testing.assert_allclose(np.broadcast_to(found, expected.shape), expected, rtol=1e-5)
    npr.prune(model, 0.5, "activation", data=(x, None))


def test_norms_of_inputs_of_other_convolutions():
    """Depthwise: each channel its own; transposed: the last axis of the kernel."""
    inputs = keras.Input((4, 4, 3))
    x = layers.DepthwiseConv2D(2, depth_multiplier=2, name="depthwise")(inputs)
    x = layers.Conv2DTranspose(5, 2, name="up")(x)
    model = randomized(keras.Model(inputs, layers.Dense(1)(layers.Flatten()(x))))
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 3)).astype("float32")
    found = statistics_of(model, (x, None)).input_norms
    norms = np.sqrt(np.square(x).sum(axis=(0, 1, 2)))
    expected = np.broadcast_to(np.repeat(norms, 2), (4, 6))
    np.testing.assert_allclose(found["depthwise"], expected, rtol=1e-5)
    assert found["up"].shape == (2 * 2 * 6,)
    np.testing.assert_array_equal(found["up"][:6], found["up"][-6:])
