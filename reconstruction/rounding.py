"""Rounding with error compensation, at a price for every bit.

One weight of a unit after the other is rounded, and those that follow make up for its error as far
as inputs that they share allow (Hassibi & Stork, 1993; GPTQ: Frantar et al., 2023,
arXiv:2210.17323). Which level a weight gets is decided by its error and its bits together, as in
entropy-constrained quantization (Chou et al., 1989): it becomes zero where that is cheaper.
"""

from collections.abc import Callable

import numpy as np

from ..models.arrays import to_numpy
from .refit import RIDGE_ON_THE_WAY, Refit
from .solvers import small_systems, system_of

# What a bit is worth, in mean squared errors of a weight. With many levels it is 2·ln 2, as another
# bit for each weight leaves a quarter of these (Gish & Pierce, 1968); with few levels less.
WORTH = np.log(2)
# Where the systems of all units take more multiplications together, all share one.
MOST_MULTIPLICATIONS = 2e10

OfArrays = Callable[[np.ndarray], np.ndarray]


def round_to_levels(refit: Refit, magnitudes_of: OfArrays, rounded: OfArrays) -> None:
    """Rounds the weights of a layer, and puts them into it.

    Args:
        refit: the layer, with its weights.
        magnitudes_of: a function of the weights that returns the magnitudes of their levels,
            ascending.
        rounded: a function of all biases that returns them as they are kept.
    """
    magnitudes = magnitudes_of(refit.matrix).astype(np.float64)
    levels = np.concatenate([-magnitudes[::-1], [0.0], magnitudes])
    prices = _bits(refit.matrix, levels)
    for group, weights in enumerate(refit.weights):
        system = to_numpy(refit.seen.fitted.gram[group])
        system = system + np.diag(refit.strength(group, RIDGE_ON_THE_WAY))
        refit.weights[group] = _rounded(system, weights, levels, prices, refit.seen.has_bias)
    if refit.seen.has_bias:
        refit.weights[:, -1] = rounded(refit.weights[:, -1])
    refit.put()


def _bits(values, levels):
    """What each level costs, from how many values are nearest to it, zeros among them."""
    counts = np.bincount(_nearest(values.ravel(), levels), minlength=len(levels)) + 0.5
    return -np.log2(counts / counts.sum())


def _nearest(values, levels):
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def _rounded(system, weights, levels, prices, has_bias):
    """One group's weights, of shape (inputs, units), the last of them a bias, which is not rounded
    but makes up for errors like all others."""
    kept, diagonal = weights != 0, np.diag(system).copy()
    is_bias = np.zeros(len(weights), bool)
    is_bias[-1] = has_bias
    diagonal[is_bias] = -1
    # Those whose errors weigh most come first, and a bias last, which makes up for much.
    order = np.argsort(-diagonal, kind="stable")
    found = np.zeros_like(weights)
    arguments = system[np.ix_(order, order)], weights[order], kept[order], levels, prices
    found[order] = _in_order(*arguments, is_bias[order])
    return found


def _in_order(system, weights, kept, levels, prices, is_bias):
    used = kept.any(axis=1)
    same = (kept == used[:, np.newaxis])[:, kept.any(axis=0)].all()
    found = np.zeros_like(weights)
    if same or (kept.sum(axis=0).astype(float) ** 3).sum() > MOST_MULTIPLICATIONS:
        rows = np.flatnonzero(used)
        given, there = weights[rows].T, kept[rows].T
        shared = system[np.ix_(rows, rows)][np.newaxis]
        last = np.broadcast_to(is_bias[rows], there.shape)
        found[rows] = _swept(shared, given, there, levels, prices, last).T
        return found
    for units, rows, there in small_systems(kept):
        places = np.broadcast_to(units[:, np.newaxis], rows.shape)
        given = np.where(there, weights[rows, places], 0)
        new = _swept(
            system_of(system, rows, there), given, there, levels, prices, is_bias[rows] & there
        )
        found[rows[there], places[there]] = new[there]
    return found


def _swept(systems, weights, kept, levels, prices, is_bias):
    """Units of shape (units, inputs) on levels, one input after the other; `systems` has one for
    all units, or one for each."""
    nearest = levels[_nearest(weights, levels)]
    try:
        lower = np.linalg.cholesky(np.linalg.inv(systems))
    except np.linalg.LinAlgError:  # such as behind a layer that is always 0
        return np.where(is_bias, weights, np.where(kept, nearest, 0))
    weights, found = weights.copy(), np.zeros_like(weights)
    own, matters = np.diagonal(lower, axis1=1, axis2=2), kept & ~is_bias
    errors = np.where(matters, (weights - nearest) / own, 0)
    price = WORTH * np.square(errors).sum(axis=1) / np.maximum(matters.sum(axis=1), 1)
    for place in range(weights.shape[1]):
        value, scale = weights[:, place], own[:, place]
        cost = np.square((value[:, np.newaxis] - levels) / scale[:, np.newaxis])
        chosen = levels[(cost + price[:, np.newaxis] * prices).argmin(axis=1)]
        chosen = np.where(is_bias[:, place], value, np.where(kept[:, place], chosen, 0))
        found[:, place] = chosen
        weights[:, place:] -= ((value - chosen) / scale)[:, np.newaxis] * lower[:, place:, place]
    return found
