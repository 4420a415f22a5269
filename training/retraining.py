"""Pruning methods that train: a network on its way from one sparsity to the next."""

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.dense_chain import useful
from ..pruning import checks
from ..pruning.granularities import GRANULARITIES
from ..pruning.masks import by_position, make_masks, present, rank
from ..pruning.methods import control_round, recovery_of, schedule_rounds
from ..pruning.statistics import Statistics, sample
from .compact_trainer import CompactTrainer
from .evaluation import probabilities

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Dataset
    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..settings.experiment import ExperimentConfig


# How often masks are made while a network is pruned gradually, if there are as many steps.
PRUNINGS_PER_RAMP = 40


class Retrainer:
    """Takes a network from one sparsity to the next by a method that trains.

    What it does with a network depends on its kind, and is left to the classes derived from this.

    Args:
        dense: the weights of the dense network, which is also the teacher.
        dataset: with the split `train`.
        config: with the settings of training, pruning and recovery.
        rewound: a function without arguments that returns the weights to rewind to.
    """

    def __init__(
        self, dense: Any, dataset: "Dataset", config: "ExperimentConfig", rewound: Callable[[], Any]
    ) -> None:
        self.dense, self.split, self.config, self.rewound = dense, dataset.train, config, rewound
        self.targets = None
        if config.distillation:
            self.targets = targets(self._teacher(), self.split.labels, config.distillation)

    def __call__(
        self,
        method: "Method",
        weights: Any,
        previous: float,
        k: float,
        on_steps: Callable[[int], object],
    ) -> Any:
        """The weights at sparsity `k`, from those at sparsity `previous`.

        `on_steps` is called with the number of training steps just done.
        """
        recovery = recovery_of(method, self.config)
        generators = epoch_generators(self.config.seed, method, k)
        masks = self._present(method, weights)
        living = None
        for part in schedule_rounds(method, previous, k, self.config):
            if part.from_dense:
                weights, masks = self.dense, _whole(masks)
            if part.ramp:
                living = self._living(method, living, weights, masks)
                self._ramp(method, living, part.ramp, generators, on_steps)
                weights, masks = living.grown()
            masks = self._masks(method, weights, masks, part.sparsity)
            weights, living = self._recovered(
                method, recovery, living, weights, masks, generators, on_steps
            )
        return weights

    def control(
        self, method: "Method", weights: Any, number: int, on_steps: Callable[[int], object]
    ) -> Any:
        """The dense network after a round of the same further training: nothing is removed.

        Args:
            method: a method that trains.
            weights: of the dense network, or of it after the round before.
            number: of the round, from 1.
            on_steps: called with the number of training steps just done.
        """
        recovery, masks = recovery_of(method, self.config), _whole(self._present(method, weights))
        part = control_round(method, self.config)
        before = (number - 1) * self._epochs([part], recovery)
        generators = epoch_generators(self.config.seed, method, 0.0, 1 + before)
        living = None
        if part.ramp:
            living = self._living(method, living, weights, masks)
            living.train(self.config.prune_epochs, self._rate_of_ramp, generators, on_steps)
            weights, masks = living.grown()
        return self._recovered(method, recovery, living, weights, masks, generators, on_steps)[0]

    def _recovered(self, method, recovery, living, weights, masks, generators, on_steps):
        """Weights under masks after a recovery, and the `MaskedTrainer` that has done it."""
        weights = self._masked(method, self.rewound() if recovery.rewinds else weights, masks)
        if not recovery.epochs:
            return weights, living
        living = self._living(method, living, weights, masks)
        living.train(recovery.epochs, recovery.learning_rate, generators, on_steps)
        return living.grown()[0], living

    def num_steps(self, method: "Method", previous: float, k: float) -> int:
        """How many training steps that takes; at `k` = 0, of a round of the control."""
        if k:
            rounds = schedule_rounds(method, previous, k, self.config)
        else:
            rounds = [control_round(method, self.config)]
        epochs = self._epochs(rounds, recovery_of(method, self.config))
        return epochs * -(-len(self.split) // self.config.batch_size)

    def _epochs(self, rounds, recovery):
        """How many epochs these rounds take."""
        return sum(recovery.epochs + (self.config.prune_epochs if r.ramp else 0) for r in rounds)

    def _ramp(self, method, living, ramp, generators, on_steps):
        """Trains while the sparsity grows."""

        def prune(progress):
            k = checks.checked_ramp(method.schedule, ramp(progress))
            living.prune(self._living_masks(method, living, k))

        epochs = self.config.prune_epochs
        living.train(epochs, self._rate_of_ramp, generators, on_steps, prune, PRUNINGS_PER_RAMP)

    def _rate_of_ramp(self, _progress):
        return self.config.learning_rate

    def _teacher(self):
        """What the dense network answers to the training examples, of shape (n, classes)."""
        raise NotImplementedError

    def _present(self, method, weights):
        """The masks of what is not zero."""
        raise NotImplementedError

    def _masked(self, method, weights, masks):
        """The weights without what masks do not keep."""
        raise NotImplementedError

    def _masks(self, method, weights, masks, k):
        """The masks of the whole network at sparsity `k`, exactly; what is useless goes first."""
        raise NotImplementedError

    def _living(self, method, living, weights, masks):
        """A `MaskedTrainer` with these weights: the one that there is, or a new one."""
        raise NotImplementedError

    def _living_masks(self, method, living, k):
        """The masks of a `MaskedTrainer` at sparsity `k`."""
        raise NotImplementedError


class DenseRetrainer(Retrainer):
    """That of networks of dense layers, whose weights are `Weights`.

    Args:
        dense, dataset, config, rewound: as for `Retrainer`.
        shape: of an example as an image, (height, width, channels); needed to shift them.
    """

    def __init__(
        self,
        dense: "Weights",
        dataset: "Dataset",
        config: "ExperimentConfig",
        rewound: "Callable[[], Weights]",
        shape: tuple[int, int, int] | None = (28, 28, 1),
    ) -> None:
        super().__init__(dense, dataset, config, rewound)
        self.shape = shape
        self.sample = sample(self.split, config.seed)
        self.dense_shapes = {name: kernel.shape for name, kernel in dense.kernels.items()}

    def _teacher(self):
        return probabilities(self.dense, self.split)

    def _present(self, method, weights):
        return present(weights.hidden, method.by_unit)

    def _masked(self, method, weights, masks):
        return weights.masked(masks, method.by_unit)

    def _living(self, method, living, weights, masks):
        if living is None or not living.serves(weights, masks):
            settings = self.split, self.config, self.targets, self.shape, method.by_unit
            return CompactTrainer(weights, masks, *settings)
        living.load(weights, masks)
        return living

    def _living_masks(self, method, living, k):
        # Only what is alive is scored, where that makes no difference.
        if by_position(GRANULARITIES.get(method.granularity)):
            return living.compact.smaller_masks(self._masks(method, *living.grown(), k))
        weights, images = living.weights, self.sample.images[:, living.compact.kept[0]]
        rankings = rank(
            method,
            weights.kernels,
            Statistics(weights, images, self.sample.labels),
            self.config.seed,
            living.masks,
            useful(weights.masked(living.masks)),
            self.dense_shapes,
        )
        return make_masks(method, rankings, k)

    def _masks(self, method, weights, masks, k):
        statistics = Statistics(weights, self.sample.images, self.sample.labels)
        useful_masks = useful(weights.masked(masks))
        rankings = rank(method, weights.kernels, statistics, self.config.seed, masks, useful_masks)
        return make_masks(method, rankings, k)


def _whole(masks):
    """Masks that keep everything."""
    return {name: np.ones(mask.shape, bool) for name, mask in masks.items()}


def epoch_generators(
    seed: int, method: "Method", k: float, first: int = 1
) -> Iterator[np.random.Generator]:
    """Random generators, one for every epoch from the `first` one on in which `method` trains on
    its way to `k`.

    They depend on nothing else, so that a run that is resumed sees the same orders and moves, and
    no two epochs the same ones.
    """
    way = zlib.crc32(f"{method.name} {k!r}".encode())
    return (np.random.default_rng((seed, way, epoch)) for epoch in itertools.count(first))


def targets(teacher: np.ndarray, labels: np.ndarray, share: float) -> np.ndarray:
    """What a network learns: labels mixed with a share of the teacher's answers."""
    labels = np.eye(teacher.shape[1], dtype=np.float32)[labels]
    return np.float32(1 - share) * labels + np.float32(share) * teacher
