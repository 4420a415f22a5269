"""Evaluates any Keras model: cross-entropy, penalty and accuracy."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.backend import keras, tf
from ..models.model import outputs_logits
from ..utils import RunError
from .evaluation import Metrics

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Split


# Small enough for the activations of large models on large images.
ROWS_AT_ONCE = 128


class ModelEvaluator:
    """Evaluates one Keras model with different weights, compiled once.

    Args:
        model: a compiled Keras model that outputs probabilities or logits.
        penalty: as for `loop.compile_steps`; None for none.
    """

    def __init__(self, model: keras.Model, penalty: Callable[[], Any] | None) -> None:
        self.model, self.penalty = model, penalty
        self._evaluated = tf.function(lambda *examples: _evaluated(model, *examples))

    def __call__(self, split: "Split") -> Metrics:
        """The `Metrics` of the model with its current weights on a split.

        Raises:
            RunError: if the loss is not finite.
        """
        sums, found = np.zeros(3), []
        for part in _parts(split):
            outputs, loss, regularization = self._evaluated(part.images, part.labels)
            found.append(np.argmax(outputs, axis=1))
            correct = found[-1] == part.labels
            sums += (float(loss), int(np.count_nonzero(correct)), float(regularization) * len(part))
        cross_entropy, correct, regularization = sums / len(split)
        penalty = float(self.penalty()) if self.penalty else 0.0
        loss = cross_entropy + regularization + penalty
        if not np.isfinite(loss):
            raise RunError(
                f"The loss of this network is {loss}; train with a lower `learning_rate`."
            )
        return Metrics(float(loss), float(correct), float(cross_entropy), np.concatenate(found))

    def probabilities(self, split: "Split") -> np.ndarray:
        """The predicted probabilities, float32 of shape (n, classes)."""
        parts = [self._evaluated(part.images, part.labels) for part in _parts(split)]
        outputs = np.concatenate([outputs for outputs, _, _ in parts])
        if outputs_logits(self.model):
            outputs = tf.nn.softmax(outputs).numpy()
        return outputs.astype(np.float32)


def _evaluated(model, images, labels):
    """A model's outputs, the summed cross-entropy, and the sum of the model's own losses, which
    exist only while it is called.

    In one graph, so that Keras uses the logits before a softmax, as in `evaluate`: it clips
    probabilities at 1e-7.
    """
    outputs = model(images, training=False)
    losses = keras.losses.sparse_categorical_crossentropy(
        labels, outputs, from_logits=outputs_logits(model)
    )
    own = tf.add_n(model.losses) if model.losses else tf.constant(0.0)
    return outputs, tf.reduce_sum(losses), own


def _parts(split):
    return (split[start : start + ROWS_AT_ONCE] for start in range(0, len(split), ROWS_AT_ONCE))
