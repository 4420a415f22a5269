"""Which weights are removed while the others are re-fitted: a method's criterion, asked again."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..graph.dependency_groups import DependencyGroup
from ..models.kernels import Kernel
from ..pruning.criteria import Layer
from ..pruning.masks import counts_at, layer_scores
from ..pruning.model_statistics import ModelStatistics
from ..pruning.prune import Pruner
from .refit import DENSE, Refit

# In so many steps weights are removed, each a constant share of what is kept.
STEPS = 9


class LayerStatistics:
    """What a criterion may look at: the inputs that layers of the pruned model read now, gradients
    of the model as it was given."""

    def __init__(self, norms: dict[str, np.ndarray], refit: Refit, given: ModelStatistics) -> None:
        self._norms, self._refit, self._given = norms, refit, given

    @property
    def input_norms(self) -> Mapping[str, np.ndarray]:
        """As of `Statistics`, without what the other inputs of a unit can replace."""
        self._norms[self._refit.reading.kernel.name] = self._refit.input_norms()
        return self._norms

    @property
    def gradients(self) -> Mapping[str, np.ndarray]:
        """As of `Statistics`."""
        return self._given.gradients

    @property
    def squared_gradients(self) -> Mapping[str, np.ndarray]:
        """As of `Statistics`."""
        return self._given.squared_gradients


class Choices:
    """Decides layer by layer what is removed.

    How many items each dependency group loses is known from the start: scopes compare layers of the
    dense model. Which ones is decided when the layer is re-fitted that reads them.

    Args:
        pruner: the `Pruner` of the model.
    """

    def __init__(self, pruner: Pruner) -> None:
        self.pruner, self.method = pruner, pruner.method
        self._statistics = pruner.statistics()
        rankings = pruner.rankings(statistics=self._statistics)
        # Only of criteria that look at inputs the scores change while others are re-fitted.
        self._asks_again = "input_norms" in vars(self._statistics)
        self.counts, self.masks = {}, {}
        for share, names in pruner.targets.by_share.items():
            competing = {name: rankings[name] for name in names}
            self.counts |= counts_at(self.method, competing, share)
            self.masks |= pruner.masks_at(competing, share)
        self._sizes = {name: ranking.size for name, ranking in rankings.items()}
        self._given = pruner.present()
        self._norms: dict[str, np.ndarray] = {}
        self._later = self._decided_by_consumers() if self.method.by_unit else {*self.counts}
        self._remove({n: mask for n, mask in self.masks.items() if n not in self._later})

    def _decided_by_consumers(self):
        """The groups whose units a single layer reads: it decides which of them it needs."""
        groups = self.pruner.prunables.layers
        return {name for name in self.counts if len(groups[name].consumers) == 1}

    def _remove(self, masks):
        self.pruner.remove({**self.pruner.prunables.whole_masks(), **masks})

    def close(self) -> None:
        """Removes what no layer that could be re-fitted has decided about."""
        self._remove({name: self.masks[name] for name in self._later})
        self._later = set()

    def mask(self, kernel: Kernel, refit: Refit) -> np.ndarray:
        """Removes what a kernel reads or holds, re-fitting it; returns the mask of what is kept."""
        self._norms[kernel.name] = refit.root_mean_squares()
        mask = refit.matrix != 0
        for name in self._decided_by(kernel):
            group = self.pruner.prunables.layers[name]
            if self.method.by_unit:
                mask = self._units(name, group, refit)
            else:
                mask = self.masks[name] = refit.choose(self._steps(name, group, refit))
            self._later.discard(name)
        return mask

    def _decided_by(self, kernel):
        """The groups that are decided about when a kernel is re-fitted."""
        if not self.method.by_unit:
            return [kernel.name] if kernel.name in self._later else []
        groups = self.pruner.prunables.layers
        return [
            n for n in groups if n in self._later and groups[n].consumers[0][0].name == kernel.name
        ]

    def _units(self, name, group, refit):
        """Removes units of a group that a kernel reads; returns the mask of its inputs."""
        kernel, rows = group.consumers[0]
        kept = np.broadcast_to(refit.matrix != 0, kernel.shape)

        def masks():
            for units in self._steps(name, group, refit):
                self.masks[name], mask = units, kept.copy()
                mask[rows[:, ~units.any(axis=0)].ravel()] = False
                yield mask

        mask = refit.choose(masks())
        self._remove({name: self.masks[name]})
        return mask

    def _steps(self, name: str, group: DependencyGroup, refit: Refit) -> Iterator[np.ndarray]:
        """The masks of a group, one after the other."""
        mask, live = None, None if self._given[name].all() else self._given[name]
        statistics = LayerStatistics(self._norms, refit, self._statistics)
        kernels = {part.kernel.name: part.kernel for part in group.parts}
        kernels |= {kernel.name: kernel for kernel, _ in group.consumers}
        # Of a layer that comes later, nothing is known yet.
        if not self._asks_again or not {*kernels} <= {*self._norms}:
            yield self.masks[name]
            return
        for count in _on_the_way(self._sizes[name], self.counts[name], self.method.by_unit):
            scores = {
                each: self._scores(kernel, refit, statistics) for each, kernel in kernels.items()
            }
            ranking = self.pruner.ranking(group, scores, mask, live)
            mask = self.pruner.mask_of(name, ranking, count)
            yield mask

    def _scores(self, kernel, refit, statistics):
        is_refitted = kernel.name == refit.reading.kernel.name
        matrix = refit.matrix if is_refitted else kernel.matrix()
        layer = Layer(kernel.name, matrix.astype(np.float32), self.pruner.seed, statistics)
        return layer_scores(self.method.criterion, layer)


def _on_the_way(size: int, count: Any, from_all: bool) -> Iterator[Any]:
    """How many of so many items are removed after each step, `count` after the last."""
    per_item = size if np.ndim(count) == 0 else size / len(count)
    kept = 1 - np.asarray(count) / max(per_item, 1)
    first = 1.0 if from_all else DENSE
    for step in range(1, STEPS):
        share = first * (np.maximum(kept, 1e-9) / first) ** (step / STEPS)
        if (share < first).all():
            removed = np.floor((1 - share) * per_item).astype(int)
            yield np.minimum(removed, count) if np.ndim(count) else min(int(removed), int(count))
    yield count
