"""Pruning methods that train: a network under its masks, while and after it is pruned.

What is gone stays gone, and so do units that have lost all their weights. Only the living part of
the network is trained, so that a network gets the cheaper to train the smaller it is.
"""

import itertools
import math

import numpy as np

from ..data.data_loaders.loader_utils import Split
from . import model as models
from . import pruning
from .architectures import Architecture
from .backend import tf
from .evaluation import probabilities
from .recoveries import RECOVERIES
from .schedules import SCHEDULES
from .shrink import Compact
from .statistics import Statistics
from .training import check_finite, compile_steps, epoch_order, in_batches
from .weights import Weights

# While a network is pruned gradually, masks are made anew after so many groups of 40 steps.
GROUPS_PER_PRUNING = 2


class Retrainer:
    """Takes a network from one sparsity to the next by a method that trains.

    Args:
        dense: the `Weights` of the dense network, which is also the teacher.
        dataset: with the split `train`.
        config: with the settings of training, pruning and recovery.
        rewound: a function without arguments that returns the `Weights` to rewind to.
    """

    def __init__(self, dense, dataset, config, rewound):
        self.dense, self.dataset, self.config, self.rewound = dense, dataset, config, rewound
        self.targets = _targets(dense, dataset.train, config.distillation)

    def __call__(self, method, weights, previous, k, on_steps):
        """The `Weights` at sparsity `k`, from those at sparsity `previous`.

        `on_steps` is called with the number of training steps just done.
        """
        recovery = RECOVERIES.get(method.recovery)(self.config)
        masks = {name: kernel != 0 for name, kernel in weights.hidden.items()}
        for part in SCHEDULES.get(method.schedule)(previous, k, self.config):
            if part.from_dense:
                weights, masks = self.dense, None
            if part.ramp:
                weights, masks = self._ramp(method, weights, masks, part.ramp, on_steps)
            masks = self._masks(method, weights, masks, part.sparsity)
            start = self.rewound() if recovery.rewinds else weights
            weights = start.masked(masks)
            if recovery.epochs:
                phase = _Phase(weights, masks, self.dataset.train, self.config, self.targets)
                weights = phase.run(recovery.epochs, recovery.learning_rate, on_steps)
        return weights

    def num_steps(self, method, previous, k):
        """How many training steps that takes."""
        rounds = SCHEDULES.get(method.schedule)(previous, k, self.config)
        recovery = RECOVERIES.get(method.recovery)(self.config).epochs
        epochs = sum(recovery + (self.config.prune_epochs if r.ramp else 0) for r in rounds)
        return epochs * -(-len(self.dataset.train) // self.config.batch_size)

    def _ramp(self, method, weights, masks, ramp, on_steps):
        """Trains while the sparsity grows; the masks are made anew between groups of steps."""

        def prune(progress, current):
            nonlocal masks
            masks = self._masks(method, current, masks, ramp(progress))
            return masks

        phase = _Phase(weights, masks, self.dataset.train, self.config, self.targets)
        rate = self.config.learning_rate
        return phase.run(self.config.prune_epochs, lambda _: rate, on_steps, prune), masks

    def _masks(self, method, weights, masks, k):
        seed = self.config.seed
        statistics = Statistics.on_sample(weights, self.dataset.train, seed)
        return pruning.make_masks(
            method, pruning.rank(method, weights.kernels, statistics, seed, masks), k
        )


class _Phase:
    """Epochs of training of the living part of a network, under masks, with a fresh Adam.

    Args:
        weights: the `Weights` to begin with.
        masks: by layer name.
        split: what to train on.
        config: with `batch_size`, `seed`, `l1_reg`, `l2_reg` and `shift`.
        targets: as for `compile_steps`.
    """

    def __init__(self, weights, masks, split, config, targets):
        self.weights, self.config, self.split, self.size = weights, config, split, len(split)
        self.compact = Compact.of(weights.masked(masks))
        small = self.compact.smaller(weights)
        self.model = models.assemble(
            Architecture(self.compact.hidden_units, bool(weights.biases)),
            len(self.compact.kept[0]),
            config.learning_rate,
            config.l1_reg,
            config.l2_reg,
        )
        small.put_into(self.model)
        hidden = self.model.layers[:-1]
        self.masks = {layer.name: tf.Variable(tf.ones_like(layer.kernel)) for layer in hidden}
        self.alive = {
            layer.name: tf.Variable(tf.ones_like(layer.bias)) for layer in hidden if layer.use_bias
        }
        pairs = [(layer.kernel, self.masks[layer.name]) for layer in hidden]
        pairs += [(layer.bias, self.alive[layer.name]) for layer in hidden if layer.use_bias]
        self.pixels = tf.Variable(self._seen(split.pixels), trainable=False)
        seen = Split(self.pixels, split.labels)
        self.run_steps = compile_steps(self.model, seen, pairs, targets)
        self._apply(masks)

    def run(self, epochs, learning_rate, on_steps, prune=None):
        """The `Weights` after these epochs.

        Args:
            epochs: how many.
            learning_rate: at a progress in [0, 1].
            on_steps: called with the number of steps just done.
            prune: called now and then with the progress and the current `Weights`; returns masks.
        """
        batch_size = self.config.batch_size
        total, done = epochs * -(-self.size // batch_size), 0
        for epoch in range(1, epochs + 1):
            stamp = self.config.seed, self.config.epochs + epoch
            if self.config.shift:
                moved = shifted(self.split.pixels, self.config.shift, np.random.default_rng(stamp))
                self.pixels.assign(self._seen(moved))
            order = epoch_order(*stamp, self.size)
            for number, batches in enumerate(in_batches(order, batch_size)):
                if prune and number % GROUPS_PER_PRUNING == 0:
                    self._apply(prune(done / total, self._current()))
                self.model.optimizer.learning_rate.assign(learning_rate(done / total))
                loss, _ = self.run_steps(batches)
                done += len(batches)
                on_steps(len(batches))
            check_finite(float(loss), epoch)
            self._check_masks()
        return self._current()

    def _seen(self, pixels):
        """The pixels that the living part looks at."""
        return np.ascontiguousarray(pixels[:, self.compact.kept[0]])

    def _current(self):
        return self.compact.larger(Weights.of(self.model), self.weights)

    def _apply(self, masks):
        small = self.compact.smaller_masks(masks)
        for layer in self.model.layers[:-1]:
            self.masks[layer.name].assign(small[layer.name])
            layer.kernel.assign(layer.kernel * self.masks[layer.name])
            if layer.use_bias:
                self.alive[layer.name].assign(small[layer.name].any(axis=0))
                layer.bias.assign(layer.bias * self.alive[layer.name])
        self.weights = self.weights.masked(masks)

    def _check_masks(self):
        """Makes sure that pruned weights are exactly 0.0."""
        for layer in self.model.layers[:-1]:
            if layer.kernel.numpy()[self.masks[layer.name].numpy() == 0].any():
                raise AssertionError(f"a pruned weight of {layer.name} has come back")


def shifted(pixels, limit, generator):
    """Square images, each moved by up to `limit` pixels in each direction; black moves in.

    Args:
        pixels: of shape (n, side · side).
        limit: the largest shift, in pixels.
        generator: of the random shifts, all equally likely.
    """
    side = math.isqrt(pixels.shape[1])
    images = pixels.reshape(-1, side, side)
    framed = np.pad(images, ((0, 0), (limit, limit), (limit, limit)))
    down, right = generator.integers(2 * limit + 1, size=(2, len(images)))
    moved = np.empty_like(images)
    for row, column in itertools.product(range(2 * limit + 1), repeat=2):
        chosen = np.flatnonzero((down == row) & (right == column))
        moved[chosen] = framed[chosen, row : row + side, column : column + side]
    return moved.reshape(pixels.shape)


def _targets(dense, split, share):
    """What a network learns: labels mixed with the teacher's answers; None for labels alone."""
    if not share:
        return None
    teacher = probabilities(dense, split)
    labels = np.eye(teacher.shape[1], dtype=np.float32)[split.labels]
    return np.float32(1 - share) * labels + np.float32(share) * teacher
