"""Prunes any Keras model in place, once or step by step: the `Pruner`."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np

from ..graph.dependency_groups import DependencyGroup
from ..graph.liveness import LivenessAnalysis
from ..models.arrays import Array, count, size_of, to_numpy
from ..models.kernels import matrices_of, zero
from ..utils import warn_user
from . import methods, shortfalls
from .arguments import TargetSparsities, checked_round_to, checked_seed
from .criteria import Layer
from .examples import Examples
from .gradients import LossGradients
from .granularities import GRANULARITIES
from .layer_choice import Excluded
from .masks import counts_at, layer_scores, live_or_none, mask_of, present, rank_layer
from .model_statistics import ModelStatistics
from .prunables import Prunables
from .ranking import Errors, Ranking

Masks = Mapping[str, Array]  # booleans by layer name, True for what is kept


class Pruner:
    """Prunes a Keras model in place, once or repeatedly.

    Args:
        model, sparsity, data, exclude, seed, round_to: as for `prune`.
        method: a `Method`.
        on_host: whether all masks are arrays of NumPy. Else those of single weights are tensors
            where a large model is on an accelerator.

    Attributes:
        errors: reconstruction `Errors` of dependency groups by name, for the scope `budget`; None
            if they were not measured.
    """

    errors: Mapping[str, Errors] | None = None

    def __init__(
        self,
        model: keras.Model,
        method: methods.Method,
        sparsity: float | Mapping[Any, float],
        data: Any,
        exclude: Excluded,
        seed: int,
        round_to: int = 1,
        on_host: bool = False,
    ) -> None:
        self.model, self.method, self.on_host = model, method, on_host
        self.round_to = checked_round_to(round_to, method)
        self.examples, self.seed = Examples.of(data), checked_seed(seed)
        self.prunables = Prunables.of(model, method.by_unit, exclude)
        self.targets = TargetSparsities.of(sparsity, self.prunables)

    def warn(self) -> None:
        """Warns of layers with weights that cannot be pruned."""
        if self.prunables.left_alone:
            listed = ", ".join(self.prunables.left_alone)
            warn_user(f"Not pruned: {listed}.")

    def warn_of_shortfalls(self, masks: Masks) -> None:
        """Warns where these masks miss the target sparsity."""
        for sentence in self._shortfalls(masks):
            warn_user(sentence)

    def _shortfalls(self, masks):
        found, method = [], self.method
        for share, names in self.targets.by_share.items():
            competing = {name: masks[name] for name in names}
            reached = self.sparsity(competing)
            if shortfalls.is_missed(method.granularity, reached, share):
                found.append(shortfalls.of_pattern(method.name, [share], reached))
            emptied = [name for name, mask in competing.items() if not count(mask)]
            if emptied and share < 1:
                found.append(shortfalls.of_layers(method.name, emptied, share))
        return found

    def remove(self, masks: Masks) -> None:
        """Sets to zero what the masks of dependency groups by name do not keep."""
        for variable, mask in self.prunables.masks(masks):
            zero(variable, mask)

    def present(self) -> dict[str, Array]:
        """Masks of what is not zero now."""
        return present(self.prunables.matrices(self.on_host), self.method.by_unit)

    def live_masks(self) -> dict[str, Array] | None:
        """Masks of live weights: not zero, and with an influence; None for a subclassed model."""
        analysis = LivenessAnalysis.of_model(self.model)
        if analysis is None:
            return None
        kernels = self.prunables.kernels
        masks = {each.name: analysis.of_kernel(each, each.matrix() != 0) for each in kernels}
        return {name: layer.stacked(masks) for name, layer in self.prunables.layers.items()}

    def sparsity(self, masks: Masks) -> float:
        """The share of the weights that masks of dependency groups remove."""
        return 1 - sum(map(count, masks.values())) / sum(map(size_of, masks.values()))

    def masks(
        self, asked: Callable[[float], float] = lambda share: share, previous: Masks | None = None
    ) -> dict[str, Array]:
        """The masks of all dependency groups by name, of their matrices' shapes.

        Args:
            asked: a function of the target sparsity that returns the current one.
            previous: earlier masks; what they remove stays removed. None for the first time.
        """
        rankings = self.rankings(previous)
        found = self.prunables.whole_masks()
        for share, names in self.targets.by_share.items():
            found |= self.masks_at({name: rankings[name] for name in names}, asked(share))
        return found

    def masks_at(self, rankings: Mapping[str, Ranking], k: float) -> dict[str, Array]:
        """The masks of dependency groups that compete with each other, at sparsity `k`."""
        counts = self.counts_at(rankings, k)
        return {name: self.mask_of(name, r, counts[name]) for name, r in rankings.items()}

    def counts_at(self, rankings: Mapping[str, Ranking], k: float) -> dict[str, Any]:
        """How many items each of them has lost then, as a scope returns it; rounded down so that
        `round_to` divides what is kept, as far as it can."""
        counts = counts_at(self.method, rankings, k)
        if self.round_to == 1:
            return counts
        return {name: self._rounded(ranking, counts[name]) for name, ranking in rankings.items()}

    def _rounded(self, ranking, number):
        kept = -(-(ranking.size - int(number)) // self.round_to) * self.round_to
        return max(ranking.size - kept, ranking.num_pruned)

    def mask_of(self, name: str, ranking: Ranking, number: Any) -> Array:
        """The mask of a dependency group that has lost so many items."""
        mask = mask_of(self.method, name, ranking, number)
        return self._unpadded(self.prunables.layers[name], mask)

    def rankings(
        self,
        previous: Masks | None = None,
        live: Masks | None = None,
        statistics: ModelStatistics | None = None,
    ) -> dict[str, Ranking]:
        """The `Ranking` of each dependency group with a target sparsity, by name.

        Args:
            previous: earlier masks; what they remove stays removed. None for the first time.
            live: masks of live weights, all others are removed first; None for those that are not
                zero, if nothing has been pruned before.
            statistics: of calibration data, for criteria; by default `statistics()`.
        """
        if previous is None and live is None:
            live = live_or_none(self.prunables.matrices(self.on_host))
        scores = self._scores(statistics or self.statistics())
        found = {
            name: self.ranking(
                self.prunables.layers[name],
                scores,
                None if previous is None else previous[name],
                None if live is None else live[name],
            )
            for names in self.targets.by_share.values()
            for name in names
        }
        return found if self.errors is None else self._with_errors(found)

    def _with_errors(self, rankings):
        return {
            name: dataclasses.replace(
                ranking, errors=self.errors.get(name) or ranking.estimated_errors()
            )
            for name, ranking in rankings.items()
        }

    @cached_property
    def _loss_gradients(self):
        return LossGradients(self.model, [kernel.variable for kernel in self.prunables.scored])

    def statistics(self) -> ModelStatistics:
        """The `ModelStatistics` of the model as it is now."""
        return ModelStatistics(
            self.model, self.prunables.scored, self.examples, lambda: self._loss_gradients
        )

    def _scores(self, statistics):
        on_host = self.on_host or not self.method.takes_tensors
        matrices = matrices_of(self.prunables.scored, on_host)
        return {
            name: layer_scores(self.method.criterion, Layer(name, matrix, self.seed, statistics))
            for name, matrix in matrices.items()
        }

    def ranking(
        self,
        layer: DependencyGroup,
        scores: Mapping[str, Array],
        mask: Array | None = None,
        live: Array | None = None,
    ) -> Ranking:
        """The `Ranking` of one dependency group.

        Args:
            layer: the group.
            scores: of its kernels and its consumers', by name, of the matrices' shapes.
            mask, live: of the group, as `previous` and `live` of `rankings`.
        """
        stacked, outgoing = layer.stacked(scores), layer.outgoing(scores)
        shapes = tuple(tuple(part.kernel.variable.shape) for part in layer.parts)
        rows = self._padded_rows(layer)
        if rows is None:
            return rank_layer(
                self.method, layer.name, stacked, outgoing, mask, live, array_shapes=shapes
            )
        # Groups of neighbours must not span positions of a filter: its channels are padded with
        # rows that count as removed already.
        stacked = to_numpy(stacked)
        whole = np.zeros((len(rows), stacked.shape[1]), bool)
        whole[rows >= 0] = True if mask is None else to_numpy(mask)
        padded = np.zeros(whole.shape, stacked.dtype)
        padded[rows >= 0] = stacked
        if live is not None:
            live, among = np.zeros_like(whole), live
            live[rows >= 0] = to_numpy(among)
        return rank_layer(
            self.method, layer.name, padded, outgoing, whole, live, stacked.shape, shapes
        )

    def _padded_rows(self, layer):
        """For each row of the padded matrix the row of the matrix, -1 for padding; None if no
        padding is needed."""
        together = GRANULARITIES.get(self.method.granularity).inputs_together
        kernel = layer.parts[0].kernel
        channels = kernel.variable.shape[kernel.inputs[-1]] if kernel.inputs else 1
        positions = layer.shape[0] // channels
        if together == 1 or positions == 1 or channels % together == 0:
            return None
        rows = np.arange(layer.shape[0]).reshape(positions, channels)
        return np.pad(rows, ((0, 0), (0, -channels % together)), constant_values=-1).ravel()

    def _unpadded(self, layer, mask):
        rows = self._padded_rows(layer)
        return mask if rows is None else mask[rows >= 0]
