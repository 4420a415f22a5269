"""Trains a network from scratch in shuffled epochs."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.backend import keras, tf
from ..models.model import outputs_logits
from ..utils import RunError

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Dataset, Split
    from ..settings.experiment import ExperimentConfig
    from .evaluation import Metrics


# The progress bar moves, and an interrupt is handled, after so many steps.
STEPS_AT_ONCE = 40


@dataclass(frozen=True)
class Epoch:
    """The results of one epoch; the validation values are None without validation data.

    `epoch` counts from 1. `loss` and `accuracy` are means over the epoch's steps, as in Keras.
    """

    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None

    @property
    def selection_loss(self) -> float:
        """The loss by which the best checkpoint is chosen."""
        return self.loss if self.val_loss is None else self.val_loss


def train(
    model: keras.Model,
    dataset: "Dataset",
    config: "ExperimentConfig",
    validate: "Callable[[], Metrics | None]",
    on_steps: Callable[[int], object],
    on_epoch: Callable[[Epoch], object],
    first_epoch: int = 1,
    last_epoch: int | None = None,
    penalty: Callable[[], Any] | None = None,
    compiled: bool = True,
) -> None:
    """Trains `model` in place.

    Args:
        model: a compiled model, as of `build`.
        dataset: with the split `train`.
        config: with `epochs`, `batch_size` and `seed`.
        validate: returns the `Metrics` of the model on validation data; None without.
        on_steps: called with the number of steps just done, as an epoch goes on.
        on_epoch: called with the `Epoch` at its end.
        first_epoch: the first one to train, after 1 if the model has been trained up to it.
        last_epoch: the last one to train; by default `config.epochs`.
        penalty, compiled: as for `compile_steps`.

    Raises:
        RunError: if the loss is not finite.
    """
    run_steps = compile_steps(model, dataset.train, penalty=penalty, compiled=compiled)
    last_epoch = config.epochs if last_epoch is None else last_epoch
    for number in range(first_epoch, last_epoch + 1):
        order = epoch_order(config.seed, number, len(dataset.train))
        loss, accuracy = _run_epoch(run_steps, order, config.batch_size, number, on_steps)
        validation = validate()
        epoch = Epoch(
            epoch=number,
            loss=loss,
            accuracy=accuracy,
            val_loss=validation.loss if validation else None,
            val_accuracy=validation.accuracy if validation else None,
        )
        check_finite(epoch.selection_loss, number)
        on_epoch(epoch)


def epoch_order(seed: int, epoch: int, size: int) -> np.ndarray:
    """The order of the examples in an epoch: a permutation that depends on (seed, epoch) only."""
    return np.random.default_rng((seed, epoch)).permutation(size).astype(np.int32)


def _run_epoch(run_steps, order, batch_size, number, on_steps):
    """The mean loss and accuracy of one pass over the examples in this order."""
    totals = np.zeros(2)
    for batches in in_batches(order, batch_size):
        totals += np.array(run_steps(batches), np.float64)
        check_finite(totals[0], number)
        on_steps(len(batches))
    loss, accuracy = totals / len(order)
    return float(loss), float(accuracy)


def in_batches(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Groups of at most STEPS_AT_ONCE batches of indices; the last batch may be smaller."""
    full = len(order) // batch_size
    grid = order[: full * batch_size].reshape(full, batch_size)
    for start in range(0, full, STEPS_AT_ONCE):
        yield grid[start : start + STEPS_AT_ONCE]
    if len(order) % batch_size:
        yield order[None, full * batch_size :]


def compile_steps(
    model: keras.Model,
    split: "Split",
    masks: Iterable[tuple[Any, Any]] = (),
    targets: np.ndarray | None = None,
    penalty: Callable[[], Any] | None = None,
    compiled: bool = True,
    quantizers: Sequence[Any] = (),
) -> Callable[[Any], Any]:
    """One function that trains on groups of batches, given as indices of shape (steps, batch).

    Args:
        model: a compiled model, as of `build`.
        split: the examples; pixels may be a variable whose value changes between calls.
        masks: pairs of a trainable variable and the variable of ones and zeros by which it is
            multiplied after every step.
        targets: class probabilities to learn instead of the labels, of shape (n, classes).
        penalty: returns a tensor that is added to the loss.
        compiled: whether XLA compiles a step as a whole.
        quantizers: objects with a trainable `variable`, a variable `latent` that is trained instead
            of it, and a method `project` that is called after every step.

    Returns:
        A function of the indices that returns the sums of loss and correct predictions.

    The examples are put on the device once, as bytes; each step is compiled by XLA as a whole
    (gathering, both passes, Adam), and TensorFlow runs a group of steps without returning to
    Python: an epoch takes about 0.7 times that of Keras' `fit`.
    """
    # A table, because XLA would multiply by 1/255, which rounds differently than `Split.images`.
    levels = tf.constant(np.arange(256, dtype=np.uint8) / np.float32(255))
    are_bytes = split.pixels.dtype in (np.uint8, tf.uint8)
    changing = isinstance(split.pixels, tf.Variable)
    all_pixels = split.pixels if changing else tf.constant(split.pixels)
    all_labels = tf.constant(split.labels)
    all_targets = all_labels if targets is None else tf.constant(targets)
    variables = model.trainable_variables
    latent = {id(each.variable): each.latent for each in quantizers}
    trained = [latent.get(id(variable), variable) for variable in variables]
    model.optimizer.build(trained)

    @tf.function(jit_compile=compiled, autograph=False)
    def step(indices):
        labels = tf.gather(all_labels, indices)
        images = tf.gather(all_pixels, indices)
        if are_bytes:
            images = tf.gather(levels, tf.cast(images, tf.int32))
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            loss = _loss(model, images, tf.gather(all_targets, indices), probabilities)
            if penalty is not None:
                loss += penalty()
        gradients = tape.gradient(loss, variables)
        model.optimizer.apply(gradients, trained)
        for variable, mask in masks:
            variable.assign(variable * mask)
        for quantizer in quantizers:
            quantizer.project()
        predictions = tf.argmax(probabilities, axis=1, output_type=tf.int32)
        return loss, tf.reduce_sum(tf.cast(tf.equal(predictions, labels), tf.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def run_steps(batches):
        number, batch_size = tf.shape(batches)[0], tf.cast(tf.shape(batches)[1], tf.float32)

        def add_step(place, loss_sum, correct_sum):
            loss, correct = step(batches[place])
            return place + 1, loss_sum + loss * batch_size, correct_sum + correct

        start = tf.constant(0), tf.constant(0.0), tf.constant(0.0)
        _, *sums = tf.while_loop(lambda place, *_: place < number, add_step, start)
        return sums

    return run_steps


def _loss(model, images, targets, probabilities):
    """The cross-entropy with labels or probabilities, plus the model's own losses."""
    if targets.dtype.is_integer:
        return model.compute_loss(images, targets, probabilities)
    cross_entropy = keras.losses.categorical_crossentropy(
        targets, probabilities, from_logits=outputs_logits(model)
    )
    return tf.reduce_mean(cross_entropy) + sum(model.losses)


def check_finite(loss: float, epoch: int) -> None:
    """Raises a RunError if the loss is not finite."""
    if not math.isfinite(loss):
        raise RunError(
            f"Training diverged in epoch {epoch}: the loss is {loss}. Try a lower `learning_rate`; "
            "the last good checkpoint is kept."
        )
