"""Evaluates dense networks whose weights are inputs: cross-entropy, penalty and accuracy.

Keras compiles every clone that it evaluates. Here one compiled function takes weights of any shape
as arguments, and is used for all networks. Its results equal those of Keras' `evaluate`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.backend import tf
from ..utils import RunError

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Split
    from ..models.weights import Weights


# Large enough for full speed, small enough that the activations are small.
ROWS_AT_ONCE = 2500


@dataclass(frozen=True)
class Metrics:
    """Loss (cross-entropy plus penalty) and accuracy, in [0, 1], as of Keras' `evaluate`; the
    cross-entropy alone; and the predicted class of each example, of shape (n,)."""

    loss: float
    accuracy: float
    cross_entropy: float
    predictions: np.ndarray = field(repr=False, compare=False)


class Evaluator:
    """Evaluates dense ReLU networks on one split.

    Args:
        split: the examples, with `images` and `labels`.
        l1_reg: factor of the hidden layers' absolute weights in the loss.
        l2_reg: factor of the hidden layers' squared weights in the loss.
    """

    def __init__(self, split: "Split", l1_reg: float = 0.0, l2_reg: float = 0.0) -> None:
        self.l1_reg, self.l2_reg = l1_reg, l2_reg
        starts = range(0, len(split), ROWS_AT_ONCE)
        parts = [split[start : start + ROWS_AT_ONCE] for start in starts]
        self.batches = [(tf.constant(part.images), tf.constant(part.labels)) for part in parts]
        self.size = len(split)

    def __call__(self, weights: "Weights") -> Metrics:
        """The `Metrics` of the network with these `Weights`.

        Raises:
            RunError: if the loss is not finite.
        """
        live = [
            (tf.constant(kernel), None if bias is None else tf.constant(bias))
            for kernel, bias in without_dead_units(weights.layers)
        ]
        tested = [_tested(images, labels, live) for images, labels in self.batches]
        *sums, found = zip(*tested, strict=True)
        totals: Any = np.sum(sums, axis=1, dtype=np.float64)
        cross_entropy, correct = totals / self.size
        loss = cross_entropy + penalty(weights.hidden.values(), self.l1_reg, self.l2_reg)
        if not np.isfinite(loss):
            raise RunError(
                f"The loss of this network is {loss}; train with a lower `learning_rate`."
            )
        return Metrics(float(loss), float(correct), float(cross_entropy), np.concatenate(found))


def penalty(kernels: Iterable[Any], l1_reg: float, l2_reg: float) -> Any:
    """l1_reg * sum of |w| + l2_reg * sum of w², over all kernels."""
    total = 0.0
    for kernel in kernels:
        weights = np.asarray(kernel)
        if l1_reg:
            total += l1_reg * np.abs(weights).sum(dtype=np.float64)
        if l2_reg:
            total += l2_reg * np.square(weights).sum(dtype=np.float64)
    return total


def without_dead_units(
    layers: Sequence[tuple[np.ndarray, np.ndarray | None]],
) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """The same network without the hidden units that have neither incoming weights nor a bias.

    Their activation is ReLU(0) = 0, so that neither they nor their outgoing weights change the
    output. A unit-pruned network thus becomes smaller and faster.

    Args:
        layers: pairs of a kernel, of shape (inputs, units), and a bias, of shape (units,) or None,
            from the first layer to the output.
    """
    smaller, kept = [], slice(None)
    for kernel, bias in layers[:-1]:
        kernel = kernel[kept]
        live: Any = kernel.any(axis=0) if bias is None else kernel.any(axis=0) | (bias != 0)
        live[0] |= not live.any()  # TensorFlow aborts at an empty product with a bias
        kept = slice(None) if live.all() else np.flatnonzero(live)  # no copy if nothing is dead
        smaller.append((kernel[:, kept], None if bias is None else bias[kept]))
    kernel, bias = layers[-1]
    return [*smaller, (kernel[kept], bias)]


def probabilities(weights: "Weights", split: "Split") -> np.ndarray:
    """The predicted probabilities, float32 of shape (n, classes)."""
    starts = range(0, len(split), ROWS_AT_ONCE)
    parts = (split[start : start + ROWS_AT_ONCE].images for start in starts)
    return np.concatenate([tf.nn.softmax(_logits(part, weights.layers)) for part in parts])


def _logits(images, layers):
    logits = images
    for number, (kernel, bias) in enumerate(layers):
        x = tf.nn.relu(logits) if number else images
        logits = tf.matmul(x, kernel)
        if bias is not None:
            logits += bias
    return logits


@tf.function(reduce_retracing=True, autograph=False)
def _tested(images, labels, layers):
    """Summed cross-entropy, number of correct predictions, and the predictions of one batch."""
    logits = _logits(images, layers)
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    # Of the probabilities, as in Keras: if rounding makes them equal, the first class is chosen.
    predictions = tf.argmax(tf.nn.softmax(logits), axis=1, output_type=tf.int32)
    correct = tf.cast(tf.equal(predictions, labels), tf.float32)
    return tf.reduce_sum(cross_entropy), tf.reduce_sum(correct), predictions
