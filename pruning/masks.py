"""Masks of the weights to keep, from a method and a network.

A mask is a boolean array of its kernel's shape, True where the weight is kept. Criterion,
granularity and scope are three independent choices; none of them knows the others.
"""

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.arrays import (
    Array,
    in_float32,
    is_numpy,
    is_whole,
    namespace,
    placed_like,
    size_of,
    to_numpy,
)
from . import checks
from .criteria import CRITERIA, Layer, is_additive
from .granularities import GRANULARITIES
from .ranking import Ranking
from .scopes import SCOPES

if TYPE_CHECKING:
    from .methods import Method


def rank(
    method: "Method",
    kernels: Mapping[str, np.ndarray],
    statistics: Any = None,
    seed: int = 0,
    masks: Mapping[str, np.ndarray] | None = None,
    live: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Ranking]:
    """A `Ranking` of the items of every hidden layer, by layer name.

    Args:
        method: with `criterion` and `granularity`.
        kernels: arrays of shape (inputs, units) by layer name, the output layer last.
        statistics: a `Statistics`, for criteria that need data.
        seed: for criteria that draw random numbers.
        masks: of a network that has been pruned before; what is removed stays removed.
        live: masks of weights with an influence: not zero, and on a path from the inputs to the
            outputs; all others are removed first.

    Raises:
        UsageError: if weights are not finite.
        RunError: if a criterion or granularity returns anything but finite, non-negative scores of
            the right shape.
    """
    scores = {
        name: layer_scores(method.criterion, Layer(name, kernel, seed, statistics))
        for name, kernel in kernels.items()
    }
    return {
        name: rank_layer(
            method,
            name,
            scores[name],
            scores[following],
            masks[name] if masks else None,
            live[name] if live else None,
        )
        for name, following in itertools.pairwise(kernels)
    }


def rank_layer(
    method: "Method",
    name: str,
    scores: Array,
    outgoing: Array,
    mask: Array | None = None,
    live: Array | None = None,
    dense_shape: tuple[int, int] | None = None,
    array_shapes: tuple[tuple[int, ...], ...] | None = None,
) -> Ranking:
    """The `Ranking` of the items of one layer.

    Args:
        method: with `criterion` and `granularity`.
        name: of the layer, for messages.
        scores: of its weights, of shape (inputs, units).
        outgoing: those of the weights that read its units, of shape (units, anything).
        mask, live, dense_shape: as for `rank`, of this layer.
        array_shapes: as for `Ranking`.

    Raises:
        RunError: as `rank`.
    """
    granularity = _granularity(method)
    items = checks.checked_items(
        method.granularity, name, _item_scores(method, granularity, scores, outgoing), scores
    )
    if size_of(items) < size_of(scores):
        items = to_numpy(items)  # units are few, and their masks take no memory
    if live is not None:
        found = _any_weight(granularity, live, scores, outgoing, items)
        items = namespace(items).where(found, items, np.float32(-1))
    remaining = None if mask is None else _any_weight(granularity, mask, scores, outgoing, items)
    dense_items = dense_shape and granularity.items(dense_shape)
    candidates = granularity.removable(items, remaining)
    return Ranking(
        items, scores.shape, candidates, remaining, dense_shape, dense_items, array_shapes
    )


def _item_scores(method, granularity, scores, outgoing):
    """A granularity's scores of items. Where scores of single weights add up, items are ranked by
    their sum: the norm of square roots is the root of the sum."""
    if is_additive(method.criterion) and granularity.items(scores.shape) != scores.shape:
        root = namespace(scores).sqrt
        scores, outgoing = root(scores), root(outgoing)
    return granularity.scores(scores, outgoing)


def _any_weight(granularity, mask, scores, outgoing, items):
    """Which items have a weight in `mask`: booleans of the shape of the items, where they are."""
    if is_numpy(scores):
        mask = to_numpy(mask)
    weights = in_float32(mask)
    outgoing = placed_like(np.ones(outgoing.shape, np.float32), mask)
    return placed_like(granularity.scores(weights, outgoing) > 0, items)


def present(matrices: Mapping[str, Array], by_unit: bool = False) -> dict[str, Array]:
    """Masks of what is not zero, by name; with `by_unit`, of whole units that are not zero.

    Args:
        matrices: of shape (inputs, units), by name.
        by_unit: whether whole units are removed.
    """
    masks = {name: matrix != 0 for name, matrix in matrices.items()}
    if not by_unit:
        return masks
    any_of = {name: to_numpy(namespace(mask).any(mask, axis=0)) for name, mask in masks.items()}
    return {name: np.broadcast_to(any_of[name], mask.shape) for name, mask in masks.items()}


def live_or_none(matrices: Mapping[str, Array]) -> dict[str, Array] | None:
    """`present`, for `live` of a network that has not been pruned yet; None if nothing is zero."""
    masks = present(matrices)
    return None if all(is_whole(mask) for mask in masks.values()) else masks


def make_masks(
    method: "Method", rankings: Mapping[str, Ranking], k: float
) -> dict[str, np.ndarray]:
    """The mask of every hidden layer at sparsity `k`, by layer name, of the kernels' shapes.

    Raises:
        RunError: if a scope or granularity returns no such counts or masks.
    """
    counts = counts_at(method, rankings, k)
    return {name: mask_of(method, name, r, counts[name]) for name, r in rankings.items()}


def counts_at(method: "Method", rankings: Mapping[str, Ranking], k: float) -> dict[str, Any]:
    """How many items every layer has lost at sparsity `k`, as a scope returns it.

    Raises:
        RunError: if a scope returns no such counts.
    """
    counts = SCOPES.get(method.scope)(rankings, k)
    checks.checked_counts(method.scope, counts, rankings)
    return counts


def mask_of(method: "Method", name: str, ranking: Ranking, count: Any) -> Array:
    """The mask of a layer that loses so many items, of the kernel's shape.

    Args:
        count: of the layer, or of each of its units, as in `counts_at`.

    Raises:
        RunError: if a granularity returns no such mask.
    """
    granularity = _granularity(method)
    mask = granularity.mask(ranking.kept(count), ranking.shape)
    return checks.checked_mask(method.granularity, name, mask, ranking.shape, ranking.scores)


def layer_scores(criterion: str, layer: Layer) -> Array:
    """A criterion's scores of the weights of a `Layer`, of the kernel's shape.

    Raises:
        UsageError: if weights of the layer are not finite.
        RunError: as `rank`.
    """
    checks.check_weights(layer)
    return checks.checked_scores(criterion, CRITERIA.get(criterion)(layer), layer)


def _granularity(method):
    name = method.granularity
    return checks.checked_granularity(name, GRANULARITIES.get(name))
