import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.models.measures import connected, measure
from network_pruning.models.weights import Weights


def test_by_hand():
    # Unit 1 of the first layer has no input, unit 2 leads nowhere.
    first = np.array([[1, 0, 2], [3, 0, 4.0]])
    second = np.array([[5, 0], [6, 7], [0, 0.0]])
    output = np.array([[1, 1], [0, 1.0]])
    size = measure(Weights({"a": first, "b": second, "output": output}, {"a": np.array([1, 0, 2])}))
    assert size.sparsity == 1 - 7 / 12
    assert size.layer_sparsity == {"a": 1 - 4 / 6, "b": 1 - 3 / 6}
    # On a path: two weights into unit 0, then its one weight; the second layer's unit 1 is fed by
    # a dead unit alone.
    assert connected([first, second, output]) == [2, 1, 2]
    assert size.effective_sparsity == 1 - 3 / 12
    assert size.nonzero == 7 + 3 + 2
    assert size.compression_ratio == (12 + 4 + 3) / 12
    assert size.multiply_adds == 10
    assert size.speedup == 16 / 10


def test_nothing_left():
    size = measure(Weights({"a": np.zeros((2, 2)), "output": np.zeros((2, 2))}, {}))
    assert (size.sparsity, size.effective_sparsity, size.nonzero) == (1, 1, 0)
    assert size.compression_ratio == 8


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_effective_sparsity_is_at_least_the_sparsity(seed, density):
    generator = np.random.default_rng(seed)
    shapes = {"a": (4, 5), "b": (5, 3), "output": (3, 2)}
    kernels = {name: generator.random(shape) < density for name, shape in shapes.items()}
    size = measure(Weights({name: k.astype(np.float32) for name, k in kernels.items()}, {}))
    assert size.effective_sparsity >= size.sparsity
