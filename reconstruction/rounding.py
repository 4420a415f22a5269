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
# Systems of all units together take so many multiplications at most; else weights are rounded
# to the nearest level.
MOST_MULTIPLICATIONS = 5e11

OfArrays = Callable[[np.ndarray], np.ndarray]


def round_to_levels(refit: Refit, magnitudes_of: OfArrays, rounded: OfArrays) -> None:
    """Rounds the weights of a layer, and puts them into it.

    Args:
        refit: the layer, with its weights.
        magnitudes_of: a function of the weights that returns the magnitudes of their levels,
            ascending.
        rounded: a function of biases that returns them as they are kept.
    """
    magnitudes = magnitudes_of(refit.matrix).astype(np.float64)
    levels = np.concatenate([-magnitudes[::-1], [0.0], magnitudes])
    prices = _bits(refit.matrix, levels)
    for group, weights in enumerate(refit.weights):
        system = to_numpy(refit.seen.fitted.gram[group])
        system = system + np.diag(refit.strength(group, RIDGE_ON_THE_WAY))
        bias = rounded if refit.seen.has_bias else None
        refit.weights[group] = _rounded(system, weights, levels, prices, bias)
    refit.put()


def _bits(values, levels):
    """What each level costs, from how many values are nearest to it, zeros among them."""
    counts = np.bincount(_nearest(values.ravel(), levels), minlength=len(levels)) + 0.5
    return -np.log2(counts / counts.sum())


def _nearest(values, levels):
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def _rounded(system, weights, levels, prices, bias):
    """One group's weights, of shape (inputs, units); `bias` rounds the last row, if it is one."""
    found, mask, diagonal = np.zeros_like(weights), weights != 0, np.diag(system).copy()
    if bias is not None:
        diagonal[-1] = -1
    if (mask.sum(axis=0).astype(float) ** 3).sum() > MOST_MULTIPLICATIONS:
        return _without_compensation(weights, levels, bias)
    # Those whose errors weigh most come first, and a bias last, which makes up for much.
    order = np.argsort(-diagonal, kind="stable")
    system, weights, mask = system[np.ix_(order, order)], weights[order], mask[order]
    for units, rows, kept in small_systems(mask):
        places = np.broadcast_to(units[:, np.newaxis], rows.shape)
        given = np.where(kept, weights[rows, places], 0)
        last = kept & (rows == len(weights) - 1)
        try:
            new = _swept(system_of(system, rows, kept), given, levels, prices, last, bias)
        except np.linalg.LinAlgError:  # such as behind a layer that is always 0
            new = np.where(last & (bias is not None), given, levels[_nearest(given, levels)])
        found[order[rows[kept]], places[kept]] = new[kept]
    return found


def _swept(systems, weights, levels, prices, is_bias, bias):
    """Units of shape (units, kept) on levels, one kept weight after the other."""
    lower = np.linalg.cholesky(np.linalg.inv(systems))
    weights, found = weights.copy(), np.zeros_like(weights)
    own = np.diagonal(lower, axis1=1, axis2=2)
    errors = ((weights - levels[_nearest(weights, levels)]) / own)[weights != 0]
    price = WORTH * np.square(errors).mean() if errors.size else 0.0
    for place in range(weights.shape[1]):
        value, scale = weights[:, place], own[:, place]
        cost = np.square((value[:, np.newaxis] - levels) / scale[:, np.newaxis]) + price * prices
        chosen = levels[cost.argmin(axis=1)]
        if bias is not None and is_bias[:, place].any():
            chosen = np.where(is_bias[:, place], bias(value), chosen)
        found[:, place] = chosen
        weights[:, place:] -= ((value - chosen) / scale)[:, np.newaxis] * lower[:, place:, place]
    return found


def _without_compensation(weights, levels, bias):
    found = np.where(weights == 0, 0, levels[_nearest(weights, levels)])
    if bias is not None:
        found[-1] = bias(weights[-1])
    return found
