"""How good is any Keras model: cross-entropy, penalty and accuracy."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.backend import keras, tf
from ..models.model import outputs_logits
from ..utils import RunError
from .evaluation import Metrics

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Split


# Little enough for the activations of large models on large images.
ROWS_AT_ONCE = 128


class ModelEvaluator:
    """Evaluates the weights of one Keras model; what is compiled serves all of them.

    Args:
        model: a compiled Keras model that answers with probabilities or logits.
        penalty: as for `loop.compile_steps`; None for none.
    """

    def __init__(self, model: keras.Model, penalty: Callable[[], Any] | None) -> None:
        self.model, self.penalty = model, penalty
        self._answer = tf.function(lambda *examples: _answered(model, *examples))

    def __call__(self, split: "Split") -> Metrics:
        """The `Metrics` of the model as it is, on the examples of a split.

        Raises:
            RunError: if the loss is not finite.
        """
        sums, found = np.zeros(3), []
        for part in _parts(split):
            answers, loss, regularization = self._answer(part.images, part.labels)
            found.append(np.argmax(answers, axis=1))
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
        """What the model answers, of shape (n, classes), as float32."""
        parts = [self._answer(part.images, part.labels) for part in _parts(split)]
        answers = np.concatenate([answers for answers, _, _ in parts])
        if outputs_logits(self.model):
            answers = tf.nn.softmax(answers).numpy()
        return answers.astype(np.float32)


def _answered(model, images, labels):
    """What a model answers, the summed cross-entropy, and the sum of its own losses.

    The latter are known only while it is called.

    All within one graph, where Keras takes the logits that a softmax was given, as in `evaluate`:
    the logarithm of a probability is cut off at 1e-7.
    """
    answers = model(images, training=False)
    losses = keras.losses.sparse_categorical_crossentropy(
        labels, answers, from_logits=outputs_logits(model)
    )
    own = tf.add_n(model.losses) if model.losses else tf.constant(0.0)
    return answers, tf.reduce_sum(losses), own


def _parts(split):
    return (split[start : start + ROWS_AT_ONCE] for start in range(0, len(split), ROWS_AT_ONCE))
