"""Prunes by methods that train, from one sparsity to the next."""

import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..models.weights import Weights
from ..pruning import checks
from ..pruning.methods import control_round, recovery_of, schedule_rounds
from .compact_trainer import CompactTrainer

if TYPE_CHECKING:
    from ..pruning.methods import Method
    from .keras_networks import KerasNetworks


# The number of prunings while the sparsity grows, if there are as many steps.
PRUNINGS_PER_RAMP = 40


class Retrainer:
    """Prunes and retrains a network from one sparsity to the next.

    Args:
        networks: the `KerasNetworks`, with the examples and the settings.
        dense: the weights of the dense network, which is also the teacher.
        rewound: returns the weights to rewind to.
    """

    def __init__(
        self, networks: "KerasNetworks", dense: Weights, rewound: Callable[[], Weights]
    ) -> None:
        self.networks, self.dense, self.rewound = networks, dense, rewound
        self.config, self.split = networks.config, networks.dataset.train
        self.targets = None
        if self.config.distillation:
            teacher = networks.probabilities(dense, self.split)
            self.targets = targets(teacher, self.split.labels, self.config.distillation)

    def __call__(
        self,
        method: "Method",
        weights: Weights,
        previous: float,
        k: float,
        on_steps: Callable[[int], object],
    ) -> Weights:
        """The weights at sparsity `k`, from those at sparsity `previous`.

        `on_steps` is called with the number of training steps just done.
        """
        recovery = recovery_of(method, self.config)
        generators = epoch_generators(self.config.seed, method, k)
        masks = self.networks.present(method, weights)
        trainer = None
        for part in schedule_rounds(method, previous, k, self.config):
            if part.from_dense:
                weights, masks = self.dense, _whole(masks)
            if part.ramp:
                trainer = self._trainer(method, trainer, weights, masks)
                self._ramp(method, trainer, part.ramp, generators, on_steps)
                weights, masks = trainer.expanded()
            masks = self._masks(method, weights, masks, part.sparsity)
            weights, trainer = self._recovered(
                method, recovery, trainer, weights, masks, generators, on_steps
            )
        return weights

    def control(
        self, method: "Method", weights: Weights, number: int, on_steps: Callable[[int], object]
    ) -> Weights:
        """The dense network after a round of the same further training, without pruning.

        Args:
            method: a method that trains.
            weights: of the dense network, or the result of the previous round.
            number: of the round, from 1.
            on_steps: called with the number of training steps just done.
        """
        recovery = recovery_of(method, self.config)
        masks = _whole(self.networks.present(method, weights))
        part = control_round(method, self.config)
        before = (number - 1) * self._epochs([part], recovery)
        generators = epoch_generators(self.config.seed, method, 0.0, 1 + before)
        trainer = None
        if part.ramp:
            trainer = self._trainer(method, trainer, weights, masks)
            trainer.train(self.config.prune_epochs, self._rate_of_ramp, generators, on_steps)
            weights, masks = trainer.expanded()
        return self._recovered(method, recovery, trainer, weights, masks, generators, on_steps)[0]

    def _recovered(self, method, recovery, trainer, weights, masks, generators, on_steps):
        """The masked weights after a recovery, and its `CompactTrainer`."""
        start = self.rewound() if recovery.rewinds else weights
        weights = self.networks.masked(method, start, masks)
        if not recovery.epochs:
            return weights, trainer
        trainer = self._trainer(method, trainer, weights, masks)
        trainer.train(recovery.epochs, recovery.learning_rate, generators, on_steps)
        return trainer.expanded()[0], trainer

    def num_steps(self, method: "Method", previous: float, k: float) -> int:
        """The number of training steps of a call; with `k` = 0, of a round of the control."""
        if k:
            rounds = schedule_rounds(method, previous, k, self.config)
        else:
            rounds = [control_round(method, self.config)]
        epochs = self._epochs(rounds, recovery_of(method, self.config))
        return epochs * -(-len(self.split) // self.config.batch_size)

    def _epochs(self, rounds, recovery):
        """The number of epochs of these rounds."""
        return sum(recovery.epochs + (self.config.prune_epochs if r.ramp else 0) for r in rounds)

    def _ramp(self, method, trainer, ramp, generators, on_steps):
        """Trains while the sparsity grows."""

        def prune(progress):
            k = checks.checked_ramp(method.schedule, ramp(progress))
            trainer.prune(self._masks(method, *trainer.expanded(), k))

        epochs = self.config.prune_epochs
        trainer.train(epochs, self._rate_of_ramp, generators, on_steps, prune, PRUNINGS_PER_RAMP)

    def _rate_of_ramp(self, _progress):
        return self.config.learning_rate

    def _trainer(self, method, trainer, weights, masks):
        """A `CompactTrainer` with these weights: the given one if possible, else a new one."""
        part = self.networks.subnetwork(self.networks.masked(method, weights, masks))
        if trainer is None or not trainer.can_train(part):
            trainer = CompactTrainer(self.networks, part, method, self.split, self.targets)
        trainer.load(weights, masks)
        return trainer

    def _masks(self, method, weights, masks, k):
        """The masks of the whole network at sparsity `k`; dead weights are pruned first."""
        return self.networks.masks_at(method, self.networks.rank(method, weights, masks), k)


def _whole(masks):
    """Masks that keep everything."""
    return {name: np.ones(mask.shape, bool) for name, mask in masks.items()}


def epoch_generators(
    seed: int, method: "Method", k: float, first: int = 1
) -> Iterator[np.random.Generator]:
    """A random generator for every epoch, from the `first` one on, in which `method` trains for
    sparsity `k`.

    They depend on the arguments only, so that a resumed run has the same order of examples and the
    same augmentation, and every epoch a different one.
    """
    digest = zlib.crc32(f"{method.name} {k!r}".encode())
    return (np.random.default_rng((seed, digest, epoch)) for epoch in itertools.count(first))


def targets(teacher: np.ndarray, labels: np.ndarray, share: float) -> np.ndarray:
    """Training targets: labels mixed with a share of the teacher's probabilities (distillation)."""
    labels = np.eye(teacher.shape[1], dtype=np.float32)[labels]
    return np.float32(1 - share) * labels + np.float32(share) * teacher
