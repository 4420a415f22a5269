import numpy as np
import pytest
from network_pruning.data.data_loaders.loader_utils import Split
from network_pruning.models import model as models
from network_pruning.models.weights import Weights, read_weights
from network_pruning.pruning import methods
from network_pruning.pruning.masks import make_masks, rank
from network_pruning.training import evaluation
from network_pruning.training.evaluation import Evaluator, penalty


def network(*kernels):
    """The `Weights` of a network without biases."""
    named = {f"layer_{number}": kernel for number, kernel in enumerate(kernels)}
    return Weights.of_chain(named, {})


def test_a_tiny_network_by_hand():
    pixels = np.array([[255, 0], [0, 255]], np.uint8)
    labels = np.array([0, 0], np.int32)
    hidden = np.array([[1, -1], [0, 2]], np.float32)  # activations (1, 0) and (0, 2)
    output = np.array([[np.log(3), 0], [0, np.log(2)]], np.float32)
    # Logits (ln 3, 0) and (0, 2 ln 2): the first class has the probability 3/4, then 1/5.
    metrics = Evaluator(Split(pixels, labels), l1_reg=0.5, l2_reg=0.1)(network(hidden, output))
    cross_entropy = (np.log(4 / 3) + np.log(5)) / 2
    assert metrics.loss == pytest.approx(cross_entropy + 0.5 * 4 + 0.1 * 6, rel=1e-6)
    assert metrics.cross_entropy == pytest.approx(cross_entropy, rel=1e-6)
    assert metrics.accuracy == 0.5


def test_equal_probabilities_count_for_the_first_class():
    split = Split(np.full((3, 2), 255, np.uint8), np.array([0, 1, 0], np.int32))
    nothing = np.zeros((2, 2), np.float32)
    metrics = Evaluator(split)(network(nothing, nothing))
    assert metrics.accuracy == pytest.approx(2 / 3)
    assert metrics.loss == pytest.approx(np.log(2))


def test_penalty_by_hand():
    kernels = [np.array([[1.0, -2.0]]), np.array([[3.0]])]
    assert penalty(kernels, 0.5, 0) == 3
    assert penalty(kernels, 0, 0.5) == 7
    assert penalty(kernels, 0, 0) == 0


@pytest.fixture
def some_digits(digits):
    """Some of the real test set."""
    return digits.test[:2000]


@pytest.mark.parametrize("method", [methods.Method("weight"), methods.Method("unit")])
def test_results_equal_those_of_keras(finished, some_digits, method):
    """To four decimals, for trained and pruned networks, on some of the real test set."""
    model = models.build(l1_reg=1e-5, l2_reg=1e-4)
    read_weights(finished / "small/checkpoints/weights.best.hdf5").put_into(model)
    check_against_keras(model, method, some_digits, Evaluator(some_digits, 1e-5, 1e-4))


def test_results_equal_those_of_keras_with_biases(some_digits):
    model = models.build(name="lenet_300_100")
    for layer in model.layers:
        layer.bias.assign(np.linspace(-0.1, 0.1, layer.units))
    check_against_keras(model, methods.parse("unit"), some_digits, Evaluator(some_digits))


def check_against_keras(model, method, split, evaluate):
    weights = Weights.of(model)
    rankings = rank(method, weights.kernels)
    for k in (0.0, 0.5, 0.9, 0.99, 1.0):
        pruned = weights.masked(make_masks(method, rankings, k))
        ours = evaluate(pruned)
        pruned.put_into(model)
        loss, accuracy = model.evaluate(split.images, split.labels, batch_size=128, verbose=0)
        assert ours.loss == pytest.approx(loss, abs=5e-5)
        assert ours.accuracy == pytest.approx(accuracy, abs=5e-5)


def test_networks_of_any_width_share_a_few_traces():
    """Nothing is compiled anew for each of the 24 networks that a run evaluates."""
    generator = np.random.default_rng(0)
    split = Split(generator.integers(256, size=(50, 6), dtype=np.uint8), np.zeros(50, np.int32))
    kernels = {
        "one": generator.normal(size=(6, 40)).astype(np.float32),
        "two": generator.normal(size=(40, 30)).astype(np.float32),
    }
    kernels["output"] = generator.normal(size=(30, 10)).astype(np.float32)
    weights = Weights.of_chain(kernels, {})
    evaluate = Evaluator(split)
    before = evaluation._tested.experimental_get_tracing_count()
    for method in methods.REFERENCE:
        rankings = rank(method, kernels)
        for k in np.linspace(0, 1, 12):
            evaluate(weights.masked(make_masks(method, rankings, k)))
    assert evaluation._tested.experimental_get_tracing_count() - before <= 3


def test_dead_units_leave_without_a_trace():
    kernels = [
        np.array([[1.0, 0.0, 2.0], [3.0, 0.0, -1.0]]),
        np.array([[1.0, 0.0], [5.0, 7.0], [2.0, 0.0]]),  # its second unit lives by a dead one only
        np.array([[1.0, 2.0], [3.0, 4.0]]),
    ]
    smaller = [kernel for kernel, _ in evaluation.without_dead_units(network(*kernels).layers)]
    np.testing.assert_array_equal(smaller[0], [[1, 2], [3, -1]])
    np.testing.assert_array_equal(smaller[1], [[1], [2]])
    np.testing.assert_array_equal(smaller[2], [[1, 2]])


def test_a_unit_with_a_bias_is_not_dead():
    layers = [
        (np.array([[1.0, 0.0, 0.0]]), np.array([0.0, 0.5, 0.0])),
        (np.array([[1.0], [2.0], [3.0]]), np.array([0.1])),
    ]
    (kernel, bias), (output, output_bias) = evaluation.without_dead_units(layers)
    np.testing.assert_array_equal(kernel, [[1, 0]])
    np.testing.assert_array_equal(bias, [0, 0.5])
    np.testing.assert_array_equal(output, [[1], [2]])
    np.testing.assert_array_equal(output_bias, [0.1])


def test_a_network_without_any_unit_left_keeps_a_dead_one():
    layers = network(np.zeros((2, 3)), np.ones((3, 2))).layers
    smaller = evaluation.without_dead_units(layers)
    assert [kernel.shape for kernel, _ in smaller] == [(2, 1), (1, 2)]
