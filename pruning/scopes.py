"""Who competes with whom? One registered function per scope.

A scope decides how many items of each layer of the dense network are pruned at sparsity `k`: from
the layers' `Ranking`s it returns a number for each layer, or an array with a number for each of its
units. The ranking decides which ones.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..models.arrays import count, is_numpy, namespace, to_numpy
from ..settings.registry import Registry
from ..utils import RunError
from .ranking import num_pruned
from .selection import least

if TYPE_CHECKING:
    from .ranking import Ranking


SCOPES = Registry("scope", takes=("rankings", "k"))
register_scope = SCOPES.register


@register_scope("layer", tensors=True)
def each_layer(rankings: "Mapping[str, Ranking]", k: float) -> dict[str, int]:
    """Every layer loses the share k of its items."""
    return {name: ranking.num_removed(k) for name, ranking in rankings.items()}


@register_scope("output", tensors=True)
def each_output(rankings: "Mapping[str, Ranking]", k: float) -> dict[str, np.ndarray]:
    """Every unit loses the share k of its inputs: weights that feed the same output compete
    (Wanda; Sun et al., 2024, arXiv:2306.11695).

    Raises:
        RunError: if items are whole units, which have no inputs to compare.
    """
    if any(ranking.scores.ndim < 2 for ranking in rankings.values()):
        raise RunError(
            "The scope 'output' compares the inputs of one unit with each other, so it cannot "
            "prune whole units; choose layer, global or erk."
        )
    return {
        name: np.full(ranking.scores.shape[1], num_pruned(k, ranking.dense_items[0]))
        for name, ranking in rankings.items()
    }


@register_scope("global", tensors=True)
def whole_network(rankings: "Mapping[str, Ranking]", k: float) -> dict[str, int]:
    """The least important items of the whole network are removed; layers end up with different
    sparsities."""
    scores = [ranking.candidate_scores for ranking in rankings.values()]
    if any(map(is_numpy, scores)):  # of some layers they may be, see `Pruner.ranking`
        scores = [*map(to_numpy, scores)]
    xp = namespace(scores[0])
    total = num_pruned(k, sum(ranking.size for ranking in rankings.values()))
    to_prune = total - sum(ranking.num_pruned for ranking in rankings.values())
    ends = np.cumsum([*map(len, scores)])[:-1].tolist()
    chosen = xp.split(least(xp.concatenate(scores), to_prune), ends)
    return {
        name: ranking.num_pruned + count(part)
        for (name, ranking), part in zip(rankings.items(), chosen, strict=True)
    }


@register_scope("erk", tensors=True)
def erdos_renyi(rankings: "Mapping[str, Ranking]", k: float) -> dict[str, int]:
    """Density in proportion to the sum over the product of the axes of a kernel: (inputs + units) /
    (inputs · units) of a dense layer, (height + width + inputs + units) / (height · width · inputs
    · units) of a convolution. Small layers stay denser (Erdős–Rényi kernel; Evci et al., 2020,
    arXiv:1911.11134)."""
    wanted = {name: _erk_share(ranking) for name, ranking in rankings.items()}
    sizes = {name: ranking.size for name, ranking in rankings.items()}
    least = {name: ranking.size - ranking.max_prunable for name, ranking in rankings.items()}
    total = sum(sizes.values())
    keep = total - num_pruned(k, total)
    kept = _rounded(_shared_out(keep, wanted, least, sizes), sizes, keep)
    return {name: sizes[name] - kept[name] for name in rankings}


@register_scope("budget", tensors=True)
def least_error(rankings: "Mapping[str, Ranking]", k: float) -> dict[str, int]:
    """Layers lose what costs least: their sparsities are those with the least sum of the layers'
    reconstruction errors, as measured on calibration data (without training only; after SPDY,
    Frantar & Alistarh, 2022, arXiv:2201.13096).

    Raises:
        RunError: if no errors were measured.
    """
    if any(ranking.errors is None for ranking in rankings.values()):
        raise RunError(
            "The scope 'budget' needs reconstruction errors, which are measured where a model is "
            "pruned at once and without training; choose another scope here."
        )
    slopes, lengths, layer = [], [], []
    for number, ranking in enumerate(rankings.values()):
        counts, errors = _lower_hull(ranking)
        slopes.append(np.diff(errors) / np.diff(counts))
        lengths.append(np.diff(counts))
        layer.append(np.full(len(counts) - 1, number))
    slopes, lengths, layer = map(np.concatenate, (slopes, lengths, layer))
    total = num_pruned(k, sum(ranking.size for ranking in rankings.values()))
    to_prune = total - sum(ranking.num_pruned for ranking in rankings.values())
    cheapest = np.argsort(slopes, kind="stable")
    before = np.cumsum(lengths[cheapest]) - lengths[cheapest]
    taken = np.clip(to_prune - before, 0, lengths[cheapest])
    counts = np.bincount(layer[cheapest], taken, minlength=len(rankings))
    return {
        name: ranking.num_pruned + int(count)
        for (name, ranking), count in zip(rankings.items(), counts, strict=True)
    }


def _lower_hull(ranking):
    """The lower convex hull of a layer's errors by the number of pruned items: each further item
    costs more than those before."""
    counts, errors = ranking.errors
    first, last = ranking.num_pruned, ranking.max_prunable
    places = np.unique(np.clip([first, *counts, last], first, last))
    hull = []
    for x, y in zip(places, np.interp(places, counts, errors), strict=True):
        while len(hull) > 1 and _slope(hull[-2], (x, y)) <= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append((x, y))
    return tuple(map(np.array, zip(*hull, strict=True)))


def _slope(start, end):
    return (end[1] - start[1]) / (end[0] - start[0])


def _erk_share(ranking):
    """How many items of a layer are kept, before scaling; for units of several kernels, by the
    weights of all of them."""
    shapes = ranking.array_shapes
    return ranking.size * sum(map(sum, shapes)) / sum(map(math.prod, shapes))


def _shared_out(keep, wanted, least, most):
    """Shares of `keep` in proportion to `wanted`, each between `least` and `most`.

    A layer whose share would be outside is fixed at its bound; the others share the remainder.
    """
    fixed = {}
    while True:
        free = [name for name in wanted if name not in fixed]
        remainder = keep - sum(fixed.values())
        scale = max(remainder, 0) / sum(wanted[name] for name in free) if free else 0.0
        shares = {name: scale * wanted[name] for name in free}
        over = {name: most[name] for name in free if shares[name] > most[name]}
        under = {name: least[name] for name in free if shares[name] < least[name]}
        if not over and not under:
            return {name: fixed.get(name, shares.get(name)) for name in wanted}
        # The larger violation is fixed first; the other side may fit afterwards.
        too_much = sum(shares[name] - bound for name, bound in over.items())
        too_little = sum(bound - shares[name] for name, bound in under.items())
        fixed |= over if too_much >= too_little else under


def _rounded(exact, sizes, total):
    """Whole numbers that sum to `total` where that can be: largest remainders first."""
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    room = [name for name in by_remainder if whole[name] < sizes[name]]
    for name in room[: max(total - sum(whole.values()), 0)]:
        whole[name] += 1
    return whole
