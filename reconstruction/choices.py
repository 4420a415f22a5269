"""Which weights are removed while the others are re-fitted: a method's criterion, asked again."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..graph.dependency_groups import DependencyGroup
from ..models.arrays import to_numpy
from ..models.kernels import Kernel
from ..pruning.criteria import Layer
from ..pruning.masks import layer_scores
from ..pruning.model_statistics import ModelStatistics
from ..pruning.prune import Pruner
from ..pruning.ranking import Ranking
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


class Candidates:
    """The dependency groups of a model, and the order in which they lose items while the kernel is
    re-fitted that decides about them: the one that holds the weights, or reads the units.

    Args:
        pruner: the `Pruner` of the model.
    """

    def __init__(self, pruner: Pruner) -> None:
        self.pruner, self.method = pruner, pruner.method
        self.statistics = pruner.statistics()
        self.rankings: dict[str, Ranking] = pruner.rankings(statistics=self.statistics)
        # Only of criteria that look at inputs the scores change while others are re-fitted.
        self._asks_again = "input_norms" in vars(self.statistics)
        self._given = {name: to_numpy(mask) for name, mask in pruner.present().items()}
        self._norms: dict[str, np.ndarray] = {}

    def observe(self, kernel: Kernel, refit: Refit) -> None:
        """Notes what a kernel reads."""
        self._norms[kernel.name] = refit.root_mean_squares()

    def change(self, name: str) -> bool:
        """Whether scores of a group change while others are re-fitted, so far."""
        # Of a layer that comes later, nothing is known yet.
        kernels = _kernels(self.pruner.prunables.layers[name])
        return self._asks_again and all(kernel.name in self._norms for kernel in kernels)

    def with_consumer(self, name: str) -> bool:
        """Whether a single kernel decides about a group."""
        group = self.pruner.prunables.layers[name]
        return not self.method.by_unit or len(group.consumers) == 1

    def read_by(self, kernel: Kernel) -> list[str]:
        """The groups that a kernel holds or, of units, reads."""
        groups = self.pruner.prunables.layers
        if not self.method.by_unit:
            return [kernel.name] if kernel.name in self.rankings else []
        return [
            name
            for name in self.rankings
            if any(consumer.name == kernel.name for consumer, _ in groups[name].consumers)
        ]

    def masks(self, name: str, refit: Refit, counts: Iterable[Any]) -> Iterator[np.ndarray]:
        """The masks of a group when it has lost so many items, one after the other, each from what
        its kernels are when it is asked for."""
        group = self.pruner.prunables.layers[name]
        mask, live = None, None if self._given[name].all() else self._given[name]
        statistics = LayerStatistics(self._norms, refit, self.statistics)
        kernels, ranking, changes = _kernels(group), self.rankings[name], self.change(name)
        for count in counts:
            if changes:
                scores = {k.name: self._scores(k, refit, statistics) for k in kernels}
                ranking = self.pruner.ranking(group, scores, mask, live)
            mask = to_numpy(self.pruner.mask_of(name, ranking, count))
            yield mask

    def _scores(self, kernel, refit, statistics):
        is_refitted = kernel.name == refit.reading.kernel.name
        matrix = refit.matrix if is_refitted else kernel.matrix()
        layer = Layer(kernel.name, matrix.astype(np.float32), self.pruner.seed, statistics)
        return layer_scores(self.method.criterion, layer)

    def inputs_kept(
        self, name: str, kernel: Kernel, refit: Refit, masks: Iterator[np.ndarray]
    ) -> Iterator[np.ndarray]:
        """The masks of a kernel that holds a group, or reads its units."""
        if not self.method.by_unit:
            yield from masks
            return
        kept = np.broadcast_to(refit.matrix != 0, kernel.shape)
        group: DependencyGroup = self.pruner.prunables.layers[name]
        rows = next(rows for consumer, rows in group.consumers if consumer.name == kernel.name)
        for units in masks:
            mask = kept.copy()
            mask[rows[:, ~units.any(axis=0)].ravel()] = False
            yield mask


def _kernels(group):
    """The kernels that hold a group, and those that read it, each once."""
    found = [*(part.kernel for part in group.parts), *(kernel for kernel, _ in group.consumers)]
    return list({kernel.name: kernel for kernel in found}.values())


class Choices:
    """Decides layer by layer what is removed.

    How many items each dependency group loses is known from the start: scopes compare layers of the
    dense model. Which ones is decided when the layer is re-fitted that reads them.

    Args:
        pruner: the `Pruner` of the model.
    """

    def __init__(self, pruner: Pruner) -> None:
        self.pruner, self.method = pruner, pruner.method
        self._candidates = Candidates(pruner)
        rankings = self._candidates.rankings
        self.counts, self.masks = {}, {}
        for share, names in pruner.targets.by_share.items():
            competing = {name: rankings[name] for name in names}
            self.counts |= pruner.counts_at(competing, share)
            self.masks |= pruner.masks_at(competing, share)
        self._later = {name for name in self.counts if self._candidates.with_consumer(name)}
        self._remove({n: mask for n, mask in self.masks.items() if n not in self._later})

    def _remove(self, masks):
        self.pruner.remove({**self.pruner.prunables.whole_masks(), **masks})

    def close(self) -> None:
        """Removes what no layer that could be re-fitted has decided about."""
        self._remove({name: self.masks[name] for name in self._later})
        self._later = set()

    def mask(self, kernel: Kernel, refit: Refit) -> np.ndarray:
        """Removes what a kernel reads or holds, re-fitting it; returns the mask of what is kept."""
        self._candidates.observe(kernel, refit)
        mask = refit.matrix != 0
        for name in self._candidates.read_by(kernel):
            if name in self._later:
                mask = self._chosen(name, kernel, refit)
                self._later.discard(name)
        return mask

    def _chosen(self, name, kernel, refit):
        counts = [self.counts[name]]
        if self._candidates.change(name):
            size = self._candidates.rankings[name].size
            counts = _on_the_way(size, self.counts[name], self.method.by_unit)

        def noted():
            for mask in self._candidates.masks(name, refit, counts):
                self.masks[name] = mask
                yield mask

        kept = self._candidates.inputs_kept(name, kernel, refit, noted())
        *_, mask = refit.remove(kept)
        if self.method.by_unit:
            self._remove({name: self.masks[name]})
        return mask


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
