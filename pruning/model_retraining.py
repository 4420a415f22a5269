"""Pruning methods that train, on any Keras model."""

import numpy as np

from ..data.data_loaders.loader_utils import Split
from ..models.architectures import image_shape
from ..models.backend import tf
from ..models.model_evaluation import ModelWeights
from ..models.training import check_finite, compile_steps
from .living import MovedImages, Trainee
from .retraining import Retrainer


class ModelRetrainer(Retrainer):
    """That of any Keras model, whose weights are `ModelWeights`.

    Args:
        networks: the `KerasNetworks`.
        dense, rewound: as for `Retrainer`.
    """

    def __init__(self, networks, dense, rewound):
        self.networks, self._trained = networks, {}
        super().__init__(dense, networks.dataset, networks.config, rewound)

    def _teacher(self):
        return self.networks.probabilities(self.dense, self.split)

    def _present(self, method, weights):
        weights.put_into(self.networks.model)
        return self.networks.pruner(method).present()

    def _masked(self, method, weights, masks):
        weights.put_into(self.networks.model)
        self.networks.pruner(method).remove(masks)
        return ModelWeights.of(self.networks.model)

    def _masks(self, method, weights, masks, k):
        pruner = self.networks.pruner(method)
        self._masked(method, weights, masks)
        rankings = pruner.rankings(masks, pruner.useful())
        return pruner.masks_at(rankings, k)

    def _living(self, method, _living, weights, masks):
        # Compiled once for each method: it takes as long as an epoch or two.
        if method not in self._trained:
            self._trained[method] = LivingModel(
                self.networks, method, self.split, masks, self.targets
            )
        self._trained[method].load(weights, masks)
        return self._trained[method]

    def _living_masks(self, method, living, k):
        return self._masks(method, *living.grown(), k)


class LivingModel(Trainee):
    """A Keras model under masks, compiled to be trained on one split.

    Args:
        networks: the `KerasNetworks`.
        method: whose masks they are.
        split: what to train on.
        masks: of the method's prunables, by name.
        targets: as for `compile_steps`.
    """

    def __init__(self, networks, method, split, masks, targets):
        self.config, self.size = networks.config, len(split)
        self.model = networks.new_model()
        self.prunables = networks.new_pruner(self.model, method).prunables
        self.mask_variables = [
            (variable, tf.Variable(tf.ones(variable.shape, variable.dtype)))
            for variable, _ in self.prunables.masks(masks)
        ]
        self.moving, shape = None, split.pixels.shape[1:]
        if self.config.shift:
            move = MovedImages(split.pixels, image_shape(shape), self.config.shift)
            self.moving = lambda generator: move(generator).reshape(-1, *shape)
            self.pixels = tf.Variable(split.pixels, trainable=False)
            split = Split(self.pixels, split.labels)
        self.run_steps = compile_steps(
            self.model,
            split,
            self.mask_variables,
            targets,
            networks.penalty_of(self.model),
            networks.compiled,
        )
        weights = {id(variable) for variable in self.model.weights}
        # Seeds of dropout and the like: every network sees the same, whatever was trained before.
        self.states = [
            (variable, variable.numpy())
            for variable in self.model.variables
            if id(variable) not in weights
        ]

    def load(self, weights, masks):
        """Begins anew with these `ModelWeights` and masks, and a fresh Adam."""
        weights.put_into(self.model)
        self.forget()
        for variable, value in self.states:
            variable.assign(value)
        self.prune(masks)

    def prune(self, masks):
        """Removes what these masks do not keep."""
        self.masks = masks
        for (variable, held), (_, mask) in self._pairs():
            held.assign(mask.astype(held.dtype.as_numpy_dtype))
            variable.assign(np.where(mask, variable.numpy(), 0))

    def grown(self):
        """The `ModelWeights` and the masks."""
        return ModelWeights.of(self.model), self.masks

    def check_masks(self, epoch):
        """Makes sure that weights are finite, and pruned ones exactly 0.0."""
        for (variable, _), (_, mask) in self._pairs():
            value = variable.numpy()
            check_finite(float(value.sum(dtype=np.float64)), epoch)
            if value[~mask].any():
                raise AssertionError(f"a pruned weight of {variable.path} has come back")

    def _pairs(self):
        return zip(self.mask_variables, self.prunables.masks(self.masks), strict=True)
