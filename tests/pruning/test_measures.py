import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.models.weights import Weights
from network_pruning.pruning.measures import measure


def test_by_hand():
    # Unit 1 of the first layer has no input, unit 2 leads nowhere.
    first = np.array([[1, 0, 2], [3, 0, 4.0]])
    second = np.array([[5, 0], [6, 7], [0, 0.0]])
    output = np.array([[1, 1], [0, 1.0]])
    size = measure(Weights({"a": first, "b": second, "output": output}, {"a": np.array([1, 0, 2])}))
    assert size.sparsity == 1 - 7 / 12
    assert size.layer_sparsity == {"a": 1 - 4 / 6, "b": 1 - 3 / 6}
    # On a path: two weights into unit 0, then its one weight; the second layer's unit 1 is fed by
    # a dead unit alone: what its bias would make of it is a part of the output's.
    assert [layer.living for layer in size.layers] == [2, 1, 2]
    assert size.effective_sparsity == 1 - 3 / 12
    assert size.nonzero == 7 + 3 + 2
    # What lives: the same, and the bias of unit 0, but not that of unit 2.
    assert size.multiply_adds == 2 + 1 + 2
    assert size.living == 2 + 1 + 2 + 1
    assert size.compression_ratio == (12 + 4 + 3) / 6
    assert size.speedup == 16 / 5


def test_biases_of_zero_of_living_units_count():
    kernels = {"a": np.array([[1, 0.0]]), "output": np.array([[2.0], [3]])}
    size = measure(Weights(kernels, {"a": np.array([0.0, 0]), "output": np.array([0.0])}))
    assert (size.nonzero, size.living) == (3, 1 + 1 + 1 + 1)


def test_the_outgoing_weights_of_dead_units_do_not_count():
    """80 % of the units of the reference network: 784-200-200-100-40-10 is what removal leaves."""
    shapes = [(784, 1000), (1000, 1000), (1000, 500), (500, 200), (200, 10)]
    kernels = {str(number): np.ones(shape) for number, shape in enumerate(shapes)}
    for name in list(kernels)[:-1]:
        kernels[name][:, : int(0.8 * kernels[name].shape[1])] = 0
    size = measure(Weights(kernels, {}))
    left = 784 * 200 + 200 * 200 + 200 * 100 + 100 * 40 + 40 * 10
    assert size.living == size.multiply_adds == left
    assert size.compression_ratio == size.speedup == 2_386_000 / left  # 10.8
    assert size.nonzero == 2_384_000 // 5 + 2_000  # as stored, the output layer whole


def test_nothing_left():
    size = measure(Weights({"a": np.zeros((2, 2)), "output": np.zeros((2, 2))}, {}))
    assert (size.sparsity, size.effective_sparsity, size.nonzero) == (1, 1, 0)
    assert (size.living, size.compression_ratio, size.speedup) == (0, np.inf, np.inf)


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_effective_sparsity_is_at_least_the_sparsity(seed, density):
    generator = np.random.default_rng(seed)
    shapes = {"a": (4, 5), "b": (5, 3), "output": (3, 2)}
    kernels = {name: generator.random(shape) < density for name, shape in shapes.items()}
    size = measure(Weights({name: k.astype(np.float32) for name, k in kernels.items()}, {}))
    assert size.effective_sparsity >= size.sparsity
