"""How close a model is to the dense one on examples that nothing was fitted to."""

from typing import Any

import keras
import numpy as np

from ..models.arrays import to_numpy
from ..pruning.examples import Examples
from ..pruning.ranking import TINY
from ..reconstruction.reconstruct import BATCH, BATCH_NUMBERS, without_gradients
from ..utils import UsageError
from .quality import Quality, check_metric, name_of, predictions_of

# Of the examples, so many are held out.
HELD_OUT = 0.2


def divided(examples: Examples, seed: int) -> tuple[Examples, Examples]:
    """Examples to fit to, and those that are held out: a fifth, chosen at random."""
    order = np.random.default_rng(seed).permutation(len(examples))
    number = max(1, round(HELD_OUT * len(order)))
    return examples.at(np.sort(order[number:])), examples.at(np.sort(order[:number]))


class Closeness:
    """Compares models with the dense one.

    Args:
        dense: a built Keras model.
        examples: held-out `Examples`, with labels or without.
        metric: as for `save`; None for accuracy.

    Attributes:
        name: what the quality is: accuracy, or the value of the metric; without labels, the share
            of predictions that are those of the dense model or, if it is no classifier, 1 less the
            error.
        before: the quality of the dense model.

    Raises:
        UsageError: (a ValueError) if that cannot be measured.
    """

    def __init__(self, dense: keras.Model, examples: Examples, metric: Any = None) -> None:
        check_metric(metric)
        if metric is not None and not examples.has_labels:
            raise UsageError("metric: it needs labels; give data=(x, y).")
        self._examples, self._quality, self.before = examples, None, 1.0
        outputs = self._outputs(dense)
        self._expected = _arrays(outputs)
        self._predictions = predictions_of(dense)
        is_classifier = self._predictions is not None
        self.name = "same predictions" if is_classifier else "1 - relative error of outputs"
        # Without a metric, outputs are compared of what is no classifier, labels or not.
        if metric is not None or (examples.has_labels and is_classifier):
            self._quality = Quality(dense, examples.parts[:2], metric)
            try:
                self.before = self._quality.of_outputs(outputs)
            except UsageError as error:
                raise UsageError(str(error).replace("max_accuracy_drop:", "data:")) from None
            self.name = "accuracy" if metric is None else name_of(metric)

    def __call__(self, model: keras.Model) -> tuple[float, float]:
        """The error and the quality of a model.

        The error is the squared difference of its outputs and those of the dense model, as a share
        of their variance; of several outputs, the mean.
        """
        outputs = self._outputs(model)
        arrays = _arrays(outputs)
        error = float(np.mean([*map(_relative_error, arrays, self._expected)]))
        if self._quality is not None:
            return error, self._quality.of_outputs(outputs)
        if self._predictions is not None:
            same = self._predictions(arrays[0]) == self._predictions(self._expected[0])
            return error, float(same.mean())
        return error, 1 - error

    def _outputs(self, model):
        """As of `predict`, but nothing is compiled: that takes longer than the batches."""
        size = self._examples.batch_size(BATCH_NUMBERS, BATCH)
        with without_gradients():
            made = [model(x, training=False) for x, *_ in self._examples.batches(size)]
        return keras.tree.map_structure(
            lambda *parts: np.concatenate([*map(to_numpy, parts)]), *made
        )

    def least(self, drop: float) -> float:
        """The quality that is worse than that of the dense model by so much."""
        return self.before + (drop if self._is_loss else -drop)

    def drop(self, quality: float) -> float:
        """How much worse than the dense model that is."""
        worse = self.before - quality
        return -worse if self._is_loss else worse

    @property
    def _is_loss(self):
        return self._quality is not None and self._quality.lower_is_better


def _arrays(outputs):
    return [*map(np.asarray, keras.tree.flatten(outputs))]


def _relative_error(one, other):
    one, other = one.astype(np.float64), other.astype(np.float64)
    spread = np.square(other - other.mean(axis=0)).sum()
    return np.square(one - other).sum() / max(spread, TINY)
