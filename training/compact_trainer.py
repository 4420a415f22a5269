"""Trains the live units of a pruned network under its masks.

Pruned weights stay zero. Dead units are not computed, so that training gets cheaper as the network
gets smaller.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..data.augmentation import RandomShift
from ..data.data_loaders.loader_utils import Split
from ..models.architectures import image_shape
from ..models.backend import tf
from ..models.weights import Weights
from ..pruning.model_measures import multiply_adds
from .loop import check_finite, compile_steps
from .masked_trainer import MaskedTrainer

if TYPE_CHECKING:
    from ..graph.subnetwork import Subnetwork
    from ..pruning.methods import Method
    from .keras_networks import KerasNetworks


# Compiling takes as long as an epoch or two: a compiled trainer is reused for smaller subnetworks
# that need more than this share of its multiply-adds.
WORTH_COMPILING = 0.6


class CompactTrainer(MaskedTrainer):
    """Trains a `Subnetwork` under masks on one split.

    Args:
        networks: the `KerasNetworks`.
        part: the `Subnetwork` of their model.
        method: whose masks they are.
        split: the training examples.
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
        whole = networks.pruner(method).prunables.whole_masks()
        self.mask_variables = {
            place: tf.Variable(mask.astype(np.float32))
            for place, mask in self._small_masks(whole).items()
        }
        self.augmentation = None
        pixels = split.pixels
        if part.inputs is not None:
            pixels = np.ascontiguousarray(pixels[:, part.inputs])
        if self.config.shift:
            shape = image_shape(networks.shape)
            self.augmentation = RandomShift(split.pixels, shape, self.config.shift, part.inputs)
            self.pixels = pixels = tf.Variable(pixels, trainable=False)
        self.run_steps = compile_steps(
            self.model,
            Split(pixels, split.labels),
            [(self.model.weights[place], mask) for place, mask in self.mask_variables.items()],
            targets,
            networks.penalty_of(self.model),
            networks.compiled,
        )
        weights = {id(variable) for variable in self.model.weights}
        # Such as seeds of dropout, which are the same for every network.
        self.states = [
            (variable, variable.numpy())
            for variable in self.model.variables
            if id(variable) not in weights
        ]

    def can_train(self, part: "Subnetwork") -> bool:
        """Whether to reuse it for this subnetwork: one within its own, and not much smaller."""
        is_large = multiply_adds(part.model) > WORTH_COMPILING * self.work
        return is_large and self.part.contains(part)

    def load(self, weights: Weights, masks: Mapping[str, np.ndarray]) -> None:
        """Starts from these `Weights` and masks of the whole network, with a new Adam state."""
        self.whole = weights
        self.part.smaller(weights).put_into(self.model)
        self.reset_optimizer()
        for variable, value in self.states:
            variable.assign(value)
        self.prune(masks)

    def prune(self, masks: Mapping[str, np.ndarray]) -> None:
        """Sets the weights that these masks of the whole network prune to zero."""
        self.masks = masks
        for place, mask in self._small_masks(masks).items():
            self.mask_variables[place].assign(mask.astype(np.float32))
            variable = self.model.weights[place]
            variable.assign(variable * self.mask_variables[place])

    def _small_masks(self, masks):
        """Masks of the small model's weights, by their indices."""
        large = self.networks.weight_masks(self.method, masks)
        return {
            place: np.ravel(large[number])[indices]
            for place, (number, indices) in enumerate(self.part.sources)
            if number in large
        }

    def expanded(self) -> tuple[Weights, Mapping[str, np.ndarray]]:
        """The `Weights` and the masks of the whole network."""
        weights = self.part.larger(Weights.of(self.model), self.whole)
        return self.networks.masked(self.method, weights, self.masks), self.masks

    def check(self, epoch: int) -> None:
        """Makes sure that weights are finite, and pruned weights exactly 0.0."""
        for place, mask in self._small_masks(self.masks).items():
            variable = self.model.weights[place]
            value = variable.numpy()
            check_finite(float(value.sum(dtype=np.float64)), epoch)
            if value[~mask].any():
                raise AssertionError(f"a pruned weight of {variable.path} is not zero")
