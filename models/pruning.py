"""Which weights to remove: from a method and a network to masks.

A mask is a boolean array of its kernel's shape, True where the weight is kept. Criterion,
granularity and scope are three independent choices; none of them knows the others.
"""

import itertools

import numpy as np

from ..utils import RunError
from .criteria import CRITERIA, Layer
from .granularities import GRANULARITIES
from .ranking import Ranking
from .scopes import SCOPES


def rank(method, kernels, statistics=None, seed=0, masks=None):
    """A `Ranking` of the items of every hidden layer, by layer name.

    Args:
        method: with `criterion` and `granularity`.
        kernels: arrays of shape (inputs, units) by layer name, the output layer last.
        statistics: a `Statistics`, for criteria that look at data.
        seed: for criteria that draw random numbers.
        masks: of a network that has been pruned before; what is gone goes first again.

    Raises:
        RunError: if a criterion returns something else than finite scores of the kernel's shape.
    """
    granularity = GRANULARITIES.get(method.granularity)
    scores = {
        name: _scores(method.criterion, Layer(name, kernel, seed, statistics))
        for name, kernel in kernels.items()
    }
    rankings = {}
    for name, following in itertools.pairwise(kernels):
        items = granularity.scores(scores[name], scores[following])
        if masks:
            alive = granularity.scores(
                masks[name].astype(np.float32), np.ones_like(scores[following])
            )
            items = np.where(alive > 0, items, -1)
        order = granularity.removable(items, np.argsort(items, axis=None, kind="stable"))
        rankings[name] = Ranking(items, order, kernels[name].shape)
    return rankings


def make_masks(method, rankings, k):
    """The mask of every hidden layer at sparsity `k`, by layer name, of the kernels' shapes."""
    granularity = GRANULARITIES.get(method.granularity)
    counts = SCOPES.get(method.scope)(rankings, k)
    return {
        name: granularity.mask(ranking.kept(counts[name]), ranking.shape)
        for name, ranking in rankings.items()
    }


def _scores(criterion, layer):
    scores = np.asarray(CRITERIA.get(criterion)(layer))
    if scores.shape != layer.kernel.shape or not np.isfinite(scores).all():
        raise RunError(
            f"The criterion {criterion!r} did not return finite scores of shape "
            f"{layer.kernel.shape} for the layer {layer.name}."
        )
    return scores
