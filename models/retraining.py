"""Pruning methods that train: the network under its masks, while and after it is pruned."""

import numpy as np

from . import pruning
from .backend import tf
from .evaluation import probabilities
from .recoveries import RECOVERIES
from .schedules import SCHEDULES
from .statistics import Statistics
from .training import check_finite, compile_steps, epoch_order, in_batches
from .weights import Weights


class Retrainer:
    """Takes a network from one sparsity to the next by a method that trains.

    Everything is compiled once, when it is first needed, for all methods and sparsities.

    Args:
        model: a compiled model as made by `build`; it is used to train in.
        dense: the `Weights` of the dense network, which is also the teacher.
        dataset: with the split `train`.
        config: with the settings of training, pruning and recovery.
        rewound: a function without arguments that returns the `Weights` to rewind to.
    """

    def __init__(self, model, dense, dataset, config, rewound):
        self.model, self.dense, self.dataset, self.config = model, dense, dataset, config
        self.rewound, self.on_steps = rewound, None
        hidden = model.layers[:-1]
        self.masks = {layer.name: tf.Variable(tf.ones_like(layer.kernel)) for layer in hidden}
        self.alive = {
            layer.name: tf.Variable(tf.ones_like(layer.bias)) for layer in hidden if layer.use_bias
        }
        pairs = [(layer.kernel, self.masks[layer.name]) for layer in hidden]
        pairs += [(layer.bias, self.alive[layer.name]) for layer in hidden if layer.use_bias]
        self.run_steps = compile_steps(model, dataset.train, pairs, self._targets())

    def __call__(self, method, weights, previous, k, on_steps):
        """The `Weights` at sparsity `k`, from those at sparsity `previous`.

        `on_steps` is called with the number of training steps just done.
        """
        self.on_steps = on_steps
        recovery = RECOVERIES.get(method.recovery)(self.config)
        masks = {name: kernel != 0 for name, kernel in weights.hidden.items()}
        for part in SCHEDULES.get(method.schedule)(previous, k, self.config):
            if part.from_dense:
                weights, masks = self.dense, None
            if part.ramp:
                weights, masks = self._ramp(method, weights, masks, part)
            else:
                masks = self._masks(method, weights, masks, part.sparsity)
            start = self.rewound() if recovery.rewinds else weights
            weights = start.masked(masks)
            weights = self._train(weights, masks, recovery.epochs, recovery.learning_rate)
        return weights

    def num_steps(self, method, previous, k):
        """How many training steps that takes."""
        rounds = SCHEDULES.get(method.schedule)(previous, k, self.config)
        recovery = RECOVERIES.get(method.recovery)(self.config).epochs
        epochs = sum(recovery + (self.config.prune_epochs if r.ramp else 0) for r in rounds)
        return epochs * -(-len(self.dataset.train) // self.config.batch_size)

    def _ramp(self, method, weights, masks, part):
        """Trains while the sparsity grows; the masks are made anew between groups of steps."""

        def update(progress):
            nonlocal masks
            current = Weights.of(self.model)
            masks = self._masks(method, current, masks, part.ramp(progress))
            self._put(current, masks)

        rate = self.config.learning_rate
        weights = self._train(weights, masks, self.config.prune_epochs, lambda _: rate, update)
        return weights, self._masks(method, weights, masks, part.sparsity)

    def _train(self, weights, masks, epochs, learning_rate, update=None):
        """The weights after these epochs under the masks.

        `update` is called before every group of steps with the progress in [0, 1].
        """
        if not epochs or not any(mask.any() for mask in masks.values()):
            return weights
        self._put(weights, masks)
        optimizer = self.model.optimizer
        for variable in optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        size, batch_size = len(self.dataset.train), self.config.batch_size
        total, done = epochs * -(-size // batch_size), 0
        for epoch in range(1, epochs + 1):
            order = epoch_order(self.config.seed, self.config.epochs + epoch, size)
            for batches in in_batches(order, batch_size):
                if update:
                    update(done / total)
                optimizer.learning_rate.assign(learning_rate(done / total))
                loss, _ = self.run_steps(batches)
                done += len(batches)
                self.on_steps(len(batches))
            check_finite(float(loss), epoch)
            self._check_masks()
        return Weights.of(self.model)

    def _put(self, weights, masks):
        weights.masked(masks).put_into(self.model)
        for name, mask in masks.items():
            self.masks[name].assign(mask)
            if name in self.alive:
                self.alive[name].assign(mask.any(axis=0))

    def _masks(self, method, weights, masks, k):
        statistics = Statistics.on_sample(weights, self.dataset.train, self.config.seed)
        seed = self.config.seed
        rankings = pruning.rank(method, weights.kernels, statistics, seed, masks)
        return pruning.make_masks(method, rankings, k)

    def _check_masks(self):
        """Pruned weights are exactly 0.0 after every epoch."""
        for name, kernel in Weights.of(self.model).hidden.items():
            assert not kernel[self.masks[name].numpy() == 0].any(), name

    def _targets(self):
        """What the student learns: labels mixed with the teacher's answers, or None for labels."""
        share = np.float32(self.config.distillation)
        if not share:
            return None
        train = self.dataset.train
        teacher = probabilities(self.dense, train)
        labels = np.eye(teacher.shape[1], dtype=np.float32)[train.labels]
        return (1 - share) * labels + share * teacher
