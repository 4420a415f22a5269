"""Pruning methods that train: a network on its way from one sparsity to the next."""

import itertools
import zlib

import numpy as np

from ..compression.dense import useful
from ..models.evaluation import probabilities
from . import checks
from .granularities import GRANULARITIES
from .living import LivingNetwork
from .masks import by_position, make_masks, rank
from .methods import recovery_of, schedule_rounds
from .statistics import Statistics, sample

# How often masks are made while a network is pruned gradually, if there are as many steps.
PRUNINGS_PER_RAMP = 40


class Retrainer:
    """Takes a network from one sparsity to the next by a method that trains.

    Args:
        dense: the `Weights` of the dense network, which is also the teacher.
        dataset: with the split `train`.
        config: with the settings of training, pruning and recovery.
        rewound: a function without arguments that returns the `Weights` to rewind to.
    """

    def __init__(self, dense, dataset, config, rewound):
        self.dense, self.split, self.config, self.rewound = dense, dataset.train, config, rewound
        self.targets = _targets(dense, dataset.train, config.distillation)
        self.sample = sample(dataset.train, config.seed)
        self.dense_shapes = {name: kernel.shape for name, kernel in dense.kernels.items()}

    def __call__(self, method, weights, previous, k, on_steps):
        """The `Weights` at sparsity `k`, from those at sparsity `previous`.

        `on_steps` is called with the number of training steps just done.
        """
        recovery = recovery_of(method, self.config)
        generators = epoch_generators(self.config.seed, method, k)
        masks = {name: kernel != 0 for name, kernel in weights.hidden.items()}
        living = None
        for part in schedule_rounds(method, previous, k, self.config):
            if part.from_dense:
                weights = self.dense
                masks = {name: np.ones(mask.shape, bool) for name, mask in masks.items()}
            if part.ramp:
                living = self._living(living, weights, masks)
                self._ramp(method, living, part.ramp, generators, on_steps)
                weights, masks = living.grown()
            masks = self._masks(method, weights, masks, part.sparsity)
            weights = (self.rewound() if recovery.rewinds else weights).masked(masks)
            if recovery.epochs:
                living = self._living(living, weights, masks)
                living.train(recovery.epochs, recovery.learning_rate, generators, on_steps)
                weights, masks = living.grown()
        return weights

    def num_steps(self, method, previous, k):
        """How many training steps that takes."""
        rounds = schedule_rounds(method, previous, k, self.config)
        recovery = recovery_of(method, self.config).epochs
        epochs = sum(recovery + (self.config.prune_epochs if r.ramp else 0) for r in rounds)
        return epochs * -(-len(self.split) // self.config.batch_size)

    def _living(self, living, weights, masks):
        """A `LivingNetwork` with these weights: the one that there is, as long as it pays."""
        if living is None or not living.serves(weights, masks):
            return LivingNetwork(weights, masks, self.split, self.config, self.targets)
        living.load(weights, masks)
        return living

    def _ramp(self, method, living, ramp, generators, on_steps):
        """Trains while the sparsity grows."""

        def prune(progress):
            k = checks.checked_ramp(method.schedule, ramp(progress))
            living.prune(self._living_masks(method, living, k))

        rate = self.config.learning_rate
        epochs = self.config.prune_epochs
        living.train(epochs, lambda _: rate, generators, on_steps, prune, PRUNINGS_PER_RAMP)

    def _living_masks(self, method, living, k):
        """The masks of the living part at sparsity `k`: only what is alive is scored."""
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
        """The masks of the whole network at sparsity `k`, exactly; what is useless goes first."""
        statistics = Statistics(weights, self.sample.images, self.sample.labels)
        useful_masks = useful(weights.masked(masks))
        rankings = rank(method, weights.kernels, statistics, self.config.seed, masks, useful_masks)
        return make_masks(method, rankings, k)


def epoch_generators(seed, method, k):
    """Random generators, one for every epoch in which `method` trains on its way to `k`.

    They depend on nothing else, so that a run that is resumed sees the same orders and moves, and
    no two epochs the same ones.
    """
    way = zlib.crc32(f"{method.name} {k!r}".encode())
    return (np.random.default_rng((seed, way, epoch)) for epoch in itertools.count(1))


def _targets(dense, split, share):
    """What a network learns: labels mixed with the teacher's answers; None for labels alone."""
    if not share:
        return None
    teacher = probabilities(dense, split)
    labels = np.eye(teacher.shape[1], dtype=np.float32)[split.labels]
    return np.float32(1 - share) * labels + np.float32(share) * teacher
