"""Pruning methods that train, on any Keras model."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..data.augmentation import RandomShift
from ..data.data_loaders.loader_utils import Split
from ..models.architectures import image_shape
from ..models.backend import tf
from ..pruning.model_measures import multiply_adds
from .compact_trainer import WORTH_COMPILING
from .loop import check_finite, compile_steps
from .masked_trainer import MaskedTrainer
from .model_evaluation import ModelWeights
from .retraining import Retrainer

if TYPE_CHECKING:
    from ..graph.subnetwork import Subnetwork
    from ..pruning.methods import Method
    from .keras_networks import KerasNetworks


class ModelRetrainer(Retrainer):
    """That of any Keras model, whose weights are `ModelWeights`.

    Args:
        networks: the `KerasNetworks`.
        dense, rewound: as for `Retrainer`.
    """

    def __init__(
        self, networks: "KerasNetworks", dense: ModelWeights, rewound: Callable[[], ModelWeights]
    ) -> None:
        self.networks = networks
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
        rankings = pruner.rankings(masks, pruner.live_masks())
        return pruner.masks_at(rankings, k)

    def _living(self, method, living, weights, masks):
        part = self.networks.living_part(weights)
        if living is None or not living.serves(part):
            living = CompactModelTrainer(self.networks, part, method, self.split, self.targets)
        living.load(weights, masks)
        return living

    def _living_masks(self, method, living, k):
        return self._masks(method, *living.grown(), k)


class CompactModelTrainer(MaskedTrainer):
    """The living part of a Keras model under masks, compiled to be trained on one split.

    Args:
        networks: the `KerasNetworks`.
        part: the `Subnetwork` of their model.
        method: whose masks they are.
        split: what to train on.
        targets: as for `compile_steps`.
    """

    def __init__(
        self,
        networks: "KerasNetworks",
        part: "Subnetwork",
        method: "Method",
        split: Split,
        targets: np.ndarray | None,
    ) -> None:
        self.config, self.size = networks.config, len(split)
        self.part, self.model, self.work = part, part.model, multiply_adds(part.model)
        self.networks, self.method = networks, method
        self.held = {
            place: tf.Variable(tf.ones(self.model.weights[place].shape))
            for place in self._small(networks.whole_masks(method))
        }
        self.moving = None
        if self.config.shift:
            shape = image_shape(networks.shape)
            self.moving = RandomShift(split.pixels, shape, self.config.shift)
            self.pixels = tf.Variable(split.pixels, trainable=False)
            split = Split(self.pixels, split.labels)
        self.run_steps = compile_steps(
            self.model,
            split,
            [(self.model.weights[place], held) for place, held in self.held.items()],
            targets,
            networks.penalty_of(self.model),
            networks.compiled,
        )
        weights = {id(variable) for variable in self.model.weights}
        # Seeds of dropout and the like: every network begins with the same.
        self.states = [
            (variable, variable.numpy())
            for variable in self.model.variables
            if id(variable) not in weights
        ]

    def serves(self, part: "Subnetwork") -> bool:
        """Whether it may train this part too: one within its own, and not a much smaller one."""
        worth = multiply_adds(part.model) > WORTH_COMPILING * self.work
        return worth and self.part.contains(part)

    def load(self, weights: ModelWeights, masks: Mapping[str, np.ndarray]) -> None:
        """Begins anew with these `ModelWeights` and masks, and a fresh Adam."""
        self.whole = weights
        small = self.part.smaller(weights.arrays)
        ModelWeights(tuple(small)).put_into(self.model)
        self.reset_optimizer()
        for variable, value in self.states:
            variable.assign(value)
        self.prune(masks)

    def prune(self, masks: Mapping[str, np.ndarray]) -> None:
        """Removes what these masks of the whole network do not keep."""
        self.masks = masks
        for place, mask in self._small(masks).items():
            self.held[place].assign(mask.astype(np.float32))
            variable = self.model.weights[place]
            variable.assign(np.where(mask, variable.numpy(), 0))

    def _small(self, masks):
        """Masks of the small model's weights, by their places."""
        large = self.networks.variable_masks(self.method, masks)
        return {
            place: np.ravel(large[number])[indices]
            for place, (number, indices) in enumerate(self.part.sources)
            if number in large
        }

    def grown(self) -> tuple[ModelWeights, Mapping[str, np.ndarray]]:
        """The `ModelWeights` and the masks of the whole network."""
        arrays = self.part.larger([v.numpy() for v in self.model.weights], self.whole.arrays)
        for number, mask in self.networks.variable_masks(self.method, self.masks).items():
            arrays[number] = np.where(mask, arrays[number], np.zeros((), arrays[number].dtype))
        return ModelWeights(tuple(arrays)), self.masks

    def check(self, epoch: int) -> None:
        """Makes sure that weights are finite, and pruned ones exactly 0.0."""
        for place, mask in self._small(self.masks).items():
            variable = self.model.weights[place]
            value = variable.numpy()
            check_finite(float(value.sum(dtype=np.float64)), epoch)
            if value[~mask].any():
                raise AssertionError(f"a pruned weight of {variable.path} has come back")
