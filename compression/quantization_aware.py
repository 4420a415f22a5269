"""Training a network whose weights live on few levels, so that it answers as well as before."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.backend import tf
from ..models.model import answers_logits, compile_model
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


# Shares of the training after which levels move no more, and weights neither.
CODEBOOK_STANDS, ALL_STAND = 0.5, 0.9


class WeightQuantizer:
    """A variable whose weights live on levels while they are trained.

    Gradients are taken where the weights are, on their levels, but move numbers behind them, the
    latent ones, of which each weight is the nearest level (the straight-through estimator; Bengio
    et al., 2013, arXiv:1308.3432). Weights that are zero stay zero.

    Args:
        variable: a Keras variable.
        number: how many magnitudes.
    """

    def __init__(self, variable: keras.Variable, number: int) -> None:
        self.variable = variable
        values = variable.numpy()
        self.present, self.standing = values != 0, values == 0
        self.latent = keras.Variable(values, name="latent")
        self.magnitudes = magnitudes_of(values, number)
        self._table = tf.Variable(self.magnitudes)
        self._middles = tf.Variable(middles(self.magnitudes))
        self._stands, self._fixed = tf.Variable(self.standing), tf.Variable(np.zeros_like(values))
        self.project()

    def project(self) -> None:
        """Puts the weights on the levels that are nearest to the latent numbers, but for those that
        stand already. TensorFlow operations only."""
        latent = self.latent.value
        # Those in the middle go down, as by `nearest`.
        place = tf.searchsorted(self._middles, tf.reshape(tf.abs(latent), [-1]))
        on_levels = tf.sign(latent) * tf.reshape(tf.gather(self._table, place), tf.shape(latent))
        self.variable.assign(tf.where(self._stands, self._fixed, on_levels))

    def move(self) -> None:
        """Moves each level to the mean of the latent numbers that are nearest to it."""
        sizes = np.abs(self.latent.numpy()[self.present])
        place = np.searchsorted(middles(self.magnitudes), sizes)
        counts = np.bincount(place, minlength=len(self.magnitudes))
        sums = np.bincount(place, sizes, minlength=len(self.magnitudes))
        means = np.where(counts, sums / np.maximum(counts, 1), self.magnitudes)
        self.magnitudes = in_16_bits(np.sort(means))
        self._table.assign(self.magnitudes)
        self._middles.assign(middles(self.magnitudes))
        self.project()

    def freeze(self, share: float) -> None:
        """Lets a share of the weights stand where they are, those nearest to their levels first.

        So that they do not swing between two levels until the end, while others still make up for
        them (Zhou et al., 2017, arXiv:1702.03044).
        """
        latent = self.latent.numpy()
        sizes = np.abs(latent)
        distance = np.abs(sizes - nearest(sizes, self.magnitudes))
        distance[self.standing] = -1
        distance[~self.present] = np.inf
        first = np.argsort(distance, axis=None, kind="stable")
        chosen = first[: round(share * np.count_nonzero(self.present))]
        self.standing.reshape(-1)[chosen] = True
        self._fixed.assign(self.variable)
        self._stands.assign(self.standing)


class QATTrainer(MaskedTrainer):
    """A Keras model whose kernels live on levels, compiled to be trained on one split.

    Args:
        model: a compiled Keras model; it is changed.
        bits: each kernel gets 2ᵇⁱᵗˢ levels, half of them below 0.
        split: what to train on.
        config: with `batch_size`.
        targets: as for `compile_steps`.
        moving: the `RandomShift` of the split's pixels; None to leave them where they are.
        compiled: as for `compile_steps`.
    """

    def __init__(
        self,
        model: keras.Model,
        bits: int,
        split: "Split",
        config: Any,
        targets: np.ndarray | None,
        moving: "RandomShift | None" = None,
        compiled: bool = True,
    ) -> None:
        compile_model(model, 0.001, answers_logits(model))  # with an optimizer that knows nothing
        self.model, self.config, self.size = model, config, len(split)
        self.moving, self.pixels = moving, tf.Variable(split.pixels, trainable=False)
        self._numbers = numbers_of_magnitudes(model, bits)
        # Others are only rounded in the end.
        self.levels = [
            WeightQuantizer(*each) for each in self._numbers if each[0].dtype == "float32"
        ]
        self.run_steps = compile_steps(
            model,
            type(split)(self.pixels, split.labels),
            targets=targets,
            compiled=compiled,
            quantizers=self.levels,
        )

    def tune(
        self, epochs: int, learning_rate: float, seed: int, on_steps: Callable[[int], object]
    ) -> None:
        """Trains in place: levels move at first, then the codebook stands, and one weight after the
        other. In the end the model is as `quantized` would leave it.

        Args:
            epochs: how many.
            learning_rate: at the beginning; it falls to 0 as a cosine does.
            seed: of the order of examples and their moves.
            on_steps: called with the number of steps just done.
        """
        steps = -(-self.size // self.config.batch_size)
        generators = (np.random.default_rng((seed, epoch)) for epoch in itertools.count())
        self.train(
            epochs,
            lambda progress: learning_rate * (1 + np.cos(np.pi * progress)) / 2,
            generators,
            on_steps,
            self._intervene,
            epochs * -(-steps // STEPS_AT_ONCE),
        )
        for levels in self.levels:
            levels.freeze(1)
        for variable, number in self._numbers:
            if variable.dtype != "float32":
                round_to_levels(variable, number)
        round_others(self.model, self._numbers)

    def _intervene(self, progress):
        standing = (progress - CODEBOOK_STANDS) / (ALL_STAND - CODEBOOK_STANDS)
        for levels in self.levels:
            if standing < 0:
                levels.move()
            else:
                levels.freeze(min(standing, 1))

    def check(self, epoch: int) -> None:
        for levels in self.levels:
            check_finite(float(levels.latent.numpy().sum(dtype=np.float64)), epoch)
