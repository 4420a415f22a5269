from types import SimpleNamespace

import network_pruning as npr
import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.backend import keras, tf
from network_pruning.models.weights import Weights
from network_pruning.pruning import methods
from network_pruning.pruning.criteria import CRITERIA, Layer
from network_pruning.pruning.masks import make_masks, rank
from network_pruning.pruning.statistics import Statistics

KERNEL = np.array([[1.0, -4.0, 0.0], [-3.0, 2.0, 5.0]], np.float32)


GIVEN = SimpleNamespace(
    gradients={"layer": np.array([[1, 2, 3], [1, 1, -1]], np.float32)},
    squared_gradients={"layer": np.array([[2, 2, 2], [0, 1, 4]], np.float32)},
    input_norms={"layer": np.array([10, 1], np.float32)},
)


def scores(name, kernel=KERNEL, seed=0):
    return CRITERIA.get(name)(Layer("layer", kernel, seed, GIVEN))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("magnitude", [[1, 4, 0], [3, 2, 5]]),
        ("gradient", [[1, 8, 0], [3, 2, 5]]),
        ("activation", [[10, 40, 0], [3, 2, 5]]),
        ("obd", [[1, 16, 0], [0, 2, 50]]),
        ("magnitude_small", [[4, 1, 0], [2, 3, 0]]),
        # Squares 0, 1, 4, 9, 16, 25, each over the sum from itself on.
        ("lamp", [[1 / 55, 16 / 41, 0], [9 / 50, 4 / 54, 1]]),
    ],
)
def test_by_hand(name, expected):
    np.testing.assert_allclose(scores(name), expected, rtol=1e-6)


def test_lamp_ends_at_one_and_goes_by_magnitude():
    kernel = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    found = scores("lamp", kernel)
    np.testing.assert_array_equal(np.argsort(found, axis=None), np.argsort(abs(kernel), axis=None))
    assert found.max() == 1
    assert not scores("lamp", np.zeros((2, 2), np.float32)).any()


def test_random_is_fixed_by_seed_and_layer():
    np.testing.assert_array_equal(scores("random", seed=1), scores("random", seed=1))
    assert (scores("random", seed=1) != scores("random", seed=2)).all()
    other = CRITERIA.get("random")(Layer("other", KERNEL, 1))
    assert (scores("random", seed=1) != other).all()


@pytest.mark.parametrize("name", ["mlp", "lenet_300_100"])
def test_statistics_equal_automatic_differentiation(name, digits):
    model = models.build(seed=1, name=name)
    split = digits.test[:20]
    statistics = Statistics(Weights.of(model), split.images, split.labels)
    loss_of = keras.losses.SparseCategoricalCrossentropy(reduction="none")
    kernels = [layer.kernel for layer in model.layers]
    squares = [np.zeros(kernel.shape) for kernel in kernels]
    means = [np.zeros(kernel.shape) for kernel in kernels]
    for image, label in zip(split.images, split.labels, strict=True):
        with tf.GradientTape() as tape:
            loss = loss_of(label[None], model(image[None]))
        for number, gradient in enumerate(tape.gradient(loss, [k.value for k in kernels])):
            means[number] += gradient.numpy() / 20
            squares[number] += np.square(gradient.numpy()) / 20
    for number, layer in enumerate(model.layers):
        np.testing.assert_allclose(
            statistics.gradients[layer.name], means[number], rtol=1e-3, atol=1e-6
        )
        np.testing.assert_allclose(
            statistics.squared_gradients[layer.name], squares[number], rtol=1e-3, atol=1e-6
        )
    np.testing.assert_allclose(
        statistics.input_norms["hidden_1"], np.linalg.norm(split.images, axis=0), rtol=1e-6
    )


@pytest.mark.parametrize("criterion", ["gradient", "obd", "activation", "magnitude", "lamp"])
def test_the_library_and_the_runner_make_the_same_masks_under_a_penalty(criterion):
    model = models.build(l1_reg=0.01, l2_reg=0.01, seed=1, name="lenet_300_100", shape=(20,))
    generator = np.random.default_rng(0)
    x = generator.random((64, 20), np.float32)
    y = generator.integers(0, 10, 64)
    pruned = Weights.of(npr.prune(model, 0.5, criterion, data=(x, y)))
    weights, method = Weights.of(model), methods.parse(criterion)
    ours = make_masks(method, rank(method, weights.kernels, Statistics(weights, x, y)), 0.5)
    for name, mask in ours.items():
        # Sums in another order may change places with a neighbour.
        assert np.count_nonzero(mask != (pruned.kernels[name] != 0)) <= 4


@pytest.mark.parametrize("array", ["kernel", "gradient", "squared_gradient", "input_norm"])
def test_what_a_criterion_sees_cannot_be_written_to(array):
    kernel = KERNEL.copy()
    seen = getattr(Layer("layer", kernel, 0, GIVEN), array)
    before = seen.copy()
    with pytest.raises(ValueError, match="read-only"):
        seen *= 0
    np.testing.assert_array_equal(seen, before)
    kernel *= 0  # the owner may
