"""Training the living part of a pruned network under its masks.

What is pruned stays zero; where whole units are removed, so do their biases. A network gets the
cheaper to train the smaller it is, because only what lives is computed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..data.augmentation import RandomShift
from ..data.data_loaders.loader_utils import Split
from ..graph.dense_chain import DenseSubnetwork
from ..models import model as models
from ..models.architectures import Architecture
from ..models.backend import tf
from ..models.weights import Weights
from .loop import check_finite, compile_steps
from .masked_trainer import MaskedTrainer

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig


# Compiling takes as long as an epoch or two: what has been compiled serves smaller networks too
# until less than this share of its multiply-adds is alive.
WORTH_COMPILING = 0.6


class CompactTrainer(MaskedTrainer):
    """The living part of a network as a Keras model, compiled to be trained on one split.

    Args:
        weights: the `Weights` to begin with.
        masks: by layer name.
        split: what to train on.
        config: with `batch_size`, `learning_rate`, `l1_reg`, `l2_reg` and `shift`.
        targets: as for `compile_steps`.
        shape: of an example as an image, (height, width, channels); needed to shift them.
        by_unit: whether masks remove whole units, with their biases.
    """

    def __init__(
        self,
        weights: Weights,
        masks: Mapping[str, np.ndarray],
        split: Split,
        config: "ExperimentConfig",
        targets: np.ndarray | None,
        shape: tuple[int, int, int] | None = None,
        by_unit: bool = False,
    ) -> None:
        self.config, self.size, self.by_unit = config, len(split), by_unit
        self.compact = DenseSubnetwork.of(weights.masked(masks, by_unit))
        inputs = self.compact.kept[0]
        self.model = models.assemble(
            Architecture(self.compact.hidden_units, bool(weights.biases)),
            len(inputs),
            config.learning_rate,
            config.l1_reg,
            config.l2_reg,
            num_classes=len(self.compact.kept[-1]),
        )
        hidden = self.model.layers[:-1]
        self.mask_variables = {
            layer.name: tf.Variable(tf.ones_like(layer.kernel)) for layer in hidden
        }
        with_biases = [layer for layer in hidden if layer.use_bias and by_unit]
        self.alive = {layer.name: tf.Variable(tf.ones_like(layer.bias)) for layer in with_biases}
        pairs = [(layer.kernel, self.mask_variables[layer.name]) for layer in hidden]
        pairs += [(layer.bias, self.alive[layer.name]) for layer in with_biases]
        self.moving = None
        if config.shift:
            self.moving = RandomShift(split.pixels, shape, config.shift, inputs)  # type: ignore[arg-type]
        self.pixels = tf.Variable(np.ascontiguousarray(split.pixels[:, inputs]), trainable=False)
        self.run_steps = compile_steps(self.model, Split(self.pixels, split.labels), pairs, targets)
        self.load(weights, masks)

    def serves(self, weights: Weights, masks: Mapping[str, np.ndarray]) -> bool:
        """Whether it may train this network too: a part of its own, and not a much smaller one."""
        needed = DenseSubnetwork.of(weights.masked(masks, self.by_unit))
        pairs = zip(needed.kept, self.compact.kept, strict=True)
        if not all(np.isin(theirs, own).all() for theirs, own in pairs):
            return False
        return needed.multiply_adds() > WORTH_COMPILING * self.compact.multiply_adds()

    def load(self, weights: Weights, masks: Mapping[str, np.ndarray]) -> None:
        """Begins anew with these `Weights` and masks, and a fresh Adam."""
        self.whole, self.whole_masks = weights, masks
        self.compact.smaller(weights).put_into(self.model)
        self.reset_optimizer()
        self.prune(self.compact.smaller_masks(masks))

    def prune(self, masks: Mapping[str, np.ndarray]) -> None:
        """Removes what these masks of the living part do not keep."""
        self.masks = masks
        alive = self._alive()
        for layer in self.model.layers[:-1]:
            mask = self.mask_variables[layer.name]
            mask.assign(masks[layer.name])
            layer.kernel.assign(layer.kernel * mask)
            if layer.name in alive:
                self.alive[layer.name].assign(alive[layer.name])
                layer.bias.assign(layer.bias * self.alive[layer.name])

    def _alive(self):
        """Which units keep their biases, where others lose them: those with a weight, be it of an
        input that is dead."""
        if not self.alive:
            return {}
        masks = self.compact.larger_masks(self.masks, self.whole_masks)
        units = zip(masks.items(), self.compact.kept[1:-1], strict=True)
        return {name: mask.any(axis=0)[kept] for (name, mask), kept in units}

    @property
    def weights(self) -> Weights:
        """The `Weights` of the living part."""
        return Weights.of(self.model)

    def grown(self) -> tuple[Weights, dict[str, np.ndarray]]:
        """The `Weights` and the masks of the whole network."""
        masks = self.compact.larger_masks(self.masks, self.whole_masks)
        weights = self.compact.larger(self.weights, self.whole)
        return weights.masked(masks, self.by_unit), masks

    def check(self, epoch: int) -> None:
        """Makes sure that weights are finite, and pruned ones exactly 0.0."""
        for layer in self.model.layers[:-1]:
            kernel = layer.kernel.numpy()
            check_finite(float(kernel.sum()), epoch)
            if kernel[~self.masks[layer.name]].any():
                raise AssertionError(f"a pruned weight of {layer.name} has come back")
