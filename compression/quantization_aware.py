"""Quantization-aware training: a network regains accuracy while its weights are quantized."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.arrays import is_whole, to_numpy
from ..models.backend import tf
from ..models.model import compile_model, outputs_logits
from ..training.loop import STEPS_AT_ONCE, check_finite, compile_steps
from ..training.masked_trainer import MaskedTrainer
from ..training.masks import present_masks
from .levels import Levels
from .quantization import numbers_of_magnitudes, round_others, round_to_levels

if TYPE_CHECKING:
    from ..data.augmentation import RandomShift
    from ..data.data_loaders.loader_utils import Split


class QATTrainer(MaskedTrainer):
    """Quantization-aware training of a Keras model on one split.

    Args:
        model: a compiled Keras model; it is changed.
        bits: each kernel is quantized to 2ᵇⁱᵗˢ levels, half of them below 0.
        split: the training examples.
        config: with `batch_size`.
        targets: as for `compile_steps`.
        augmentation: the `RandomShift` of the split's pixels; None for no augmentation.
        compiled: as for `compile_steps`.
    """

    def __init__(
        self,
        model: keras.Model,
        bits: int,
        split: "Split",
        config: Any,
        targets: np.ndarray | None,
        augmentation: "RandomShift | None" = None,
        compiled: bool = True,
    ) -> None:
        compile_model(model, 0.001, outputs_logits(model))  # with a fresh optimizer
        self.model, self.config, self.size = model, config, len(split)
        self.augmentation, self.pixels = augmentation, tf.Variable(split.pixels, trainable=False)
        self._numbers = numbers_of_magnitudes(model, bits)
        # Other variables are only rounded at the end.
        self.quantizers = [Levels(*each) for each in self._numbers if each[0].dtype == "float32"]
        self.run_steps = compile_steps(
            model,
            type(split)(self.pixels, split.labels),
            self._masks(),
            targets=targets,
            compiled=compiled,
            quantizers=self.quantizers,
        )

    def _masks(self):
        """Masks that keep the zeros of variables without levels: of kernels with few weights, and
        of other types."""
        on_levels = {id(quantizer.variable) for quantizer in self.quantizers}
        return [
            (variable, tf.Variable(to_numpy(mask).astype(variable.dtype), trainable=False))
            for variable, mask in present_masks(self.model)
            if variable.trainable and id(variable) not in on_levels and not is_whole(mask)
        ]

    def tune(
        self, epochs: int, learning_rate: float, seed: int, on_steps: Callable[[int], object]
    ) -> None:
        """Trains in place. In the first half the levels are updated; then they are frozen, and more
        and more weights with them. At the end the model is quantized as by `quantized`.

        Args:
            epochs: how many.
            learning_rate: the initial one; it decays to 0 along a cosine.
            seed: of the order of examples and their augmentation.
            on_steps: called with the number of steps just done.
        """
        steps = -(-self.size // self.config.batch_size)
        generators = (np.random.default_rng((seed, epoch)) for epoch in itertools.count())
        self.train(
            epochs,
            lambda progress: learning_rate * (1 + np.cos(np.pi * progress)) / 2,
            generators,
            on_steps,
            self._on_step,
            epochs * -(-steps // STEPS_AT_ONCE),
        )
        for quantizer in self.quantizers:
            quantizer.freeze(1)
        for variable, number in self._numbers:
            if variable.dtype != "float32":
                round_to_levels(variable, number)
        round_others(self.model, self._numbers)

    def _on_step(self, progress):
        for quantizer in self.quantizers:
            quantizer.follow(progress)

    def check(self, epoch: int) -> None:
        for quantizer in self.quantizers:
            check_finite(float(quantizer.latent.numpy().sum(dtype=np.float64)), epoch)
