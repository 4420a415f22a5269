import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.graph.dense_chain import kept_units, live_units, sources
from network_pruning.graph.subnetwork import Subnetwork
from network_pruning.models.weights import Weights
from network_pruning.pruning.statistics import Statistics


def test_live_units_by_hand():
    # Input 1 feeds nothing; unit 1 is fed by nothing; unit 2 feeds nothing.
    first = np.array([[1.0, 0, 1], [0, 0, 0]])
    output = np.array([[1.0, 1], [1, 1], [0, 0]])
    inputs, units, outputs = live_units([first, output])
    assert list(inputs) == [True, False]
    assert list(units) == [True, False, False]
    assert list(outputs) == [True, True]


def test_death_spreads_unless_biases_are_to_stay_where_they_are():
    first, second = np.array([[0.0, 1]]), np.array([[5.0, 0], [0, 1]])
    output = np.ones((2, 1))
    assert [list(level) for level in live_units([first, second, output])[1:3]] == [
        [False, True],
        [False, True],
    ]
    # With its bias, the first unit of the second layer answers something constant.
    biases = np.array([0, 1]), np.array([2, 0]), np.array([0])
    assert [list(level) for level in live_units([first, second, output], biases)[1:3]] == [
        [False, True],
        [True, True],
    ]


def random_network(seed, density, biases):
    generator = np.random.default_rng(seed)
    shapes = {"a": (6, 5), "b": (5, 4), "output": (4, 3)}
    masks = {name: generator.random(shapes[name]) < density for name in ("a", "b")}
    kernels = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    bias = {name: generator.normal(size=shape[1]) for name, shape in shapes.items()}
    return Weights.of_chain(kernels, bias if biases else {}).masked(masks), masks


def logits(weights, images):
    statistics = Statistics(weights, images, np.zeros(len(images), int))
    last = list(weights.kernels)[-1]
    return statistics.inputs[last] @ weights.kernels[last] + weights.biases.get(last, 0)


def part_of(weights):
    """The `Subnetwork` of a chain, without its model."""
    kept = kept_units(weights)
    return Subnetwork(None, sources(weights, kept), kept[0])


@given(st.integers(0, 10_000), st.floats(0, 1), st.booleans())
def test_the_small_network_answers_the_same(seed, density, biases):
    weights, _ = random_network(seed, density, biases)
    part = part_of(weights)
    small = part.smaller(weights)
    images = np.random.default_rng(seed).normal(size=(7, 6))
    seen = images[:, part.inputs]
    np.testing.assert_allclose(logits(small, seen), logits(weights, images), atol=1e-9)
    again = part.larger(small, weights)
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)


def test_what_the_small_network_learns_goes_back_to_its_place():
    weights, _ = random_network(0, 0.4, True)
    part = part_of(weights)
    small = part.smaller(weights)
    doubled = Weights({name: 2 * array for name, array in small.arrays.items()})
    back = part.larger(doubled, weights)
    np.testing.assert_array_equal(part.smaller(back).kernels["b"], doubled.kernels["b"])
    np.testing.assert_array_equal(back.biases["output"], 2 * weights.biases["output"])


def test_a_dead_layer_keeps_one_unit():
    weights = Weights.of_chain({"a": np.zeros((3, 2)), "output": np.ones((2, 2))}, {})
    inputs, hidden, outputs = map(len, kept_units(weights))
    assert (inputs, hidden, outputs) == (1, 1, 2)
    assert part_of(weights).smaller(weights).kernels["a"].shape == (1, 1)


def test_nothing_dead_nothing_removed():
    weights, _ = random_network(3, 1.0, False)
    small = part_of(weights).smaller(weights)
    assert small.size == weights.size == pytest.approx(6 * 5 + 5 * 4 + 4 * 3)
