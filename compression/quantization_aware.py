"""Quantization-aware training: a network regains accuracy while its weights are quantized."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.backend import tf
from ..models.model import compile_model, outputs_logits
from ..training.loop import STEPS_AT_ONCE, check_finite, compile_steps
from ..training.masked_trainer import MaskedTrainer
from .quantization import (
    in_16_bits,
    magnitudes_of,
    middles,
    nearest,
    numbers_of_magnitudes,
    round_others,
    round_to_levels,
)

if TYPE_CHECKING:
    from ..data.augmentation import RandomShift
    from ..data.data_loaders.loader_utils import Split


# Shares of the training after which the levels are frozen, and after which all weights are.
LEVELS_FROZEN, WEIGHTS_FROZEN = 0.5, 0.9


class WeightQuantizer:
    """Keeps the weights of a variable quantized while they are trained.

    Gradients are taken at the quantized weights but update latent weights, from which each
    quantized weight is the nearest level (the straight-through estimator; Bengio et al., 2013,
    arXiv:1308.3432). Weights that are zero stay zero.

    Args:
        variable: a Keras variable.
        number: the number of magnitudes.
    """

    def __init__(self, variable: keras.Variable, number: int) -> None:
        self.variable = variable
        values = variable.numpy()
        self.nonzero, self.frozen = values != 0, values == 0
        self.latent = keras.Variable(values, name="latent")
        self.magnitudes = magnitudes_of(values, number)
        self._table = tf.Variable(self.magnitudes)
        self._middles = tf.Variable(middles(self.magnitudes))
        self._is_frozen = tf.Variable(self.frozen)
        self._frozen_values = tf.Variable(np.zeros_like(values))
        self.project()

    def project(self) -> None:
        """Sets the weights that are not frozen to the levels nearest to the latent weights.
        TensorFlow operations only."""
        latent = self.latent.value
        # Ties are rounded down, as by `nearest`.
        place = tf.searchsorted(self._middles, tf.reshape(tf.abs(latent), [-1]))
        on_levels = tf.sign(latent) * tf.reshape(tf.gather(self._table, place), tf.shape(latent))
        self.variable.assign(tf.where(self._is_frozen, self._frozen_values, on_levels))

    def update_levels(self) -> None:
        """Sets each level to the mean of the latent weights that are nearest to it."""
        sizes = np.abs(self.latent.numpy()[self.nonzero])
        place = np.searchsorted(middles(self.magnitudes), sizes)
        counts = np.bincount(place, minlength=len(self.magnitudes))
        sums = np.bincount(place, sizes, minlength=len(self.magnitudes))
        means = np.where(counts, sums / np.maximum(counts, 1), self.magnitudes)
        self.magnitudes = in_16_bits(np.sort(means))
        self._table.assign(self.magnitudes)
        self._middles.assign(middles(self.magnitudes))
        self.project()

    def freeze(self, share: float) -> None:
        """Freezes a share of the nonzero weights, those nearest to their levels first.

        Frozen weights do not oscillate between two levels until the end, and the others can still
        compensate for their rounding (Zhou et al., 2017, arXiv:1702.03044).
        """
        latent = self.latent.numpy()
        sizes = np.abs(latent)
        distance = np.abs(sizes - nearest(sizes, self.magnitudes))
        distance[self.frozen] = -1
        distance[~self.nonzero] = np.inf
        order = np.argsort(distance, axis=None, kind="stable")
        chosen = order[: round(share * np.count_nonzero(self.nonzero))]
        self.frozen.reshape(-1)[chosen] = True
        self._frozen_values.assign(self.variable)
        self._is_frozen.assign(self.frozen)


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
        self.quantizers = [
            WeightQuantizer(*each) for each in self._numbers if each[0].dtype == "float32"
        ]
        self.run_steps = compile_steps(
            model,
            type(split)(self.pixels, split.labels),
            targets=targets,
            compiled=compiled,
            quantizers=self.quantizers,
        )

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
        share = (progress - LEVELS_FROZEN) / (WEIGHTS_FROZEN - LEVELS_FROZEN)
        for quantizer in self.quantizers:
            if share < 0:
                quantizer.update_levels()
            else:
                quantizer.freeze(min(share, 1))

    def check(self, epoch: int) -> None:
        for quantizer in self.quantizers:
            check_finite(float(quantizer.latent.numpy().sum(dtype=np.float64)), epoch)
