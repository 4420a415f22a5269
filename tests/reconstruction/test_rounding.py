"""Weights on few levels, which make up for each other's errors."""

from types import SimpleNamespace

import numpy as np
import pytest
from network_pruning.reconstruction import rounding


@pytest.fixture
def free(monkeypatch):
    """Bits cost nothing."""
    monkeypatch.setattr(rounding, "WORTH", 0.0)


LEVELS = np.array([-1.0, 0.0, 1.0])
FREE = np.zeros(3)


def rounded(system, weights, prices=FREE, has_bias=False, levels=LEVELS):
    return rounding._rounded(np.array(system), np.array(weights), levels, prices, has_bias)


@pytest.mark.usefixtures("free")
def test_independent_inputs_round_to_the_nearest():
    np.testing.assert_array_equal(
        rounded(np.eye(3), [[0.4, 0.9], [0.6, 0.0], [-0.7, 2.0]]), [[0, 1], [1, 0], [-1, 1]]
    )


@pytest.mark.usefixtures("free")
def test_a_weight_makes_up_for_the_error_of_another_by_hand():
    # Both inputs are nearly the same: of 0.4 + 0.4 one becomes 0 and the other 1.
    system = [[1.01, 1.0], [1.0, 1.0]]
    np.testing.assert_array_equal(rounded(system, [[0.4], [0.4]]), [[0], [1]])


@pytest.mark.usefixtures("free")
def test_a_bias_comes_last_and_takes_what_is_left():
    # The first input is always 1, as that of the bias is: the bias takes all of the error.
    found = rounded([[1.0, 1.0], [1.0, 1.0001]], [[0.4], [0.1]], has_bias=True)
    np.testing.assert_allclose(found, [[0], [0.5]], rtol=1e-3)


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("most", [0, 5e11])  # all share a system, or each unit has its own
def test_zeros_stay_and_all_others_are_on_levels(monkeypatch, most):
    monkeypatch.setattr(rounding, "MOST_MULTIPLICATIONS", most)
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(50, 8)), random.normal(size=(8, 5))
    weights[random.random((8, 5)) < 0.5] = 0
    found = rounded(x.T @ x, weights)
    assert np.isin(found, LEVELS).all()
    assert not found[weights == 0].any()


@pytest.mark.usefixtures("free")
def test_it_is_closer_than_the_nearest_levels():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 30)) @ random.normal(size=(30, 30))
    weights, levels = random.normal(size=(30, 20)), np.linspace(-2, 2, 9)
    ours = rounded(x.T @ x, weights, np.zeros(9), levels=levels)
    nearest = levels[rounding._nearest(weights, levels)]
    errors = [np.square(x @ (each - weights)).sum() for each in (ours, nearest)]
    assert errors[0] < 0.6 * errors[1]


def test_what_is_dear_becomes_zero():
    weights = np.array([[0.6, 0.9, 0.8, 0.7]])
    cheap, dear = (rounded(np.eye(1), weights, np.array([p, 0.0, p])) for p in (0.0, 1000.0))
    np.testing.assert_array_equal(cheap, [[1, 1, 1, 1]])
    np.testing.assert_array_equal(dear, [[0, 0, 0, 0]])


def test_a_large_bias_makes_no_bit_dear():
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(500, 4)), np.ones((500, 1))], axis=1)
    weights = np.concatenate([random.uniform(0.3, 1, size=(4, 3)), np.full((1, 3), 50.0)])
    levels = np.linspace(-1, 1, 9)
    found = rounded(x.T @ x, weights, np.full(9, 3.0), True, levels)
    np.testing.assert_allclose(found, weights, atol=0.3)


def test_prices_are_the_bits_of_frequencies():
    values = np.array([0.0] * 6 + [1.0] * 2)
    prices = rounding._bits(values, LEVELS)
    np.testing.assert_allclose(prices, -np.log2(np.array([0.5, 6.5, 2.5]) / 9.5))


@pytest.mark.usefixtures("free")
def test_of_a_singular_system_the_nearest_are_taken():
    found = rounded(np.zeros((2, 2)), [[0.6], [0.3]])
    np.testing.assert_array_equal(found, [[1], [0]])


def test_a_layer_gets_its_levels():
    put = []
    weights = np.array([[[0.9], [-1.2], [0.3]]])
    refit = SimpleNamespace(
        matrix=weights[0, :2],
        weights=weights,
        seen=SimpleNamespace(fitted=SimpleNamespace(gram=np.eye(3)[np.newaxis]), has_bias=True),
        strength=lambda _group, _ridge: np.zeros(3),
        put=lambda: put.append(True),
    )
    rounding.round_to_levels(refit, lambda _values: np.array([1.0], np.float32), np.round)
    np.testing.assert_array_equal(refit.weights, [[[1], [-1], [0]]])
    assert put
