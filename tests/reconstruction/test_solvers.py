"""Least squares under masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_pruning.reconstruction import solvers
from network_pruning.reconstruction.solvers import least_squares


def system(inputs, units, rows=200, seed=0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((rows, inputs)) @ random.standard_normal((inputs, inputs))
    return x, x @ random.standard_normal((inputs, units))


def unit_by_unit(x, y, mask):
    found = np.zeros(mask.shape)
    for unit, kept in enumerate(mask.T):
        found[kept, unit] = np.linalg.lstsq(x[:, kept], y[:, unit])[0]
    return found


def fitted(x, y, mask, ridge=0.0, start=None):
    start = np.zeros(mask.shape) if start is None else start
    return least_squares(x.T @ x, x.T @ y, mask, np.full(len(mask), ridge), start, 40)


def test_two_inputs_by_hand():
    # Both inputs are 1, 2 and 3 times the same: either alone explains the output of both.
    x = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    mask = np.array([[True, False, True], [False, True, True]])
    weights = fitted(x, x @ np.ones((2, 3)), mask)
    np.testing.assert_allclose(weights[:, :2], [[2, 0], [0, 2]])
    np.testing.assert_allclose(weights.sum(axis=0), 2)  # a tie: what both do together
    weights = fitted(x, x @ np.ones((2, 3)), mask, ridge=14.0)
    np.testing.assert_allclose(weights[:, :2], [[1, 0], [0, 1]])  # 28 / (14 + 14)


@pytest.mark.parametrize("few", [0, 64], ids=["conjugate gradients", "direct"])
@pytest.mark.parametrize("share", [0.3, 0.9, 1.0])
def test_each_unit_keeps_inputs_of_its_own(few, share, monkeypatch):
    monkeypatch.setattr(solvers, "FEW", few)
    monkeypatch.setattr(solvers, "BATCH_BYTES", 4000)
    x, y = system(12, 7)
    mask = np.random.default_rng(1).random((12, 7)) < share
    mask[:, 0] = False
    weights = fitted(x, y, mask)
    assert (weights[~mask] == 0).all()
    np.testing.assert_allclose(weights, unit_by_unit(x, y, mask), rtol=1e-2, atol=1e-2)


def test_a_strong_ridge_holds_weights_where_they_were():
    x, y = system(4, 3)
    mask, start = np.eye(4, 3) == 0, np.full((4, 3), 5.0)
    np.testing.assert_allclose(fitted(x, y, mask, 1e12, start), np.where(mask, 5, 0), rtol=1e-6)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 12), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_no_others_come_closer(inputs, units, rows, seed):
    x, y = system(inputs, units, rows, seed)
    random = np.random.default_rng(seed)
    mask = random.random((inputs, units)) < 0.6
    start = np.where(mask, random.standard_normal(mask.shape), 0)
    best = np.square(x @ fitted(x, y, mask, 1e-6, start) - y).sum(axis=0)
    assert (best <= np.square(x @ start - y).sum(axis=0) * (1 + 1e-6) + 1e-6).all()
