"""A pruned model trained towards the dense model's own outputs: the recovery `distill`.

No labels are needed. Outputs that are probabilities are compared at a temperature (Hinton et al.,
2015, arXiv:1503.02531), others by their squared error. The sparsity grows in steps, and the model
is trained after each, as in iterative pruning (Han et al., 2015, arXiv:1506.02626).
"""

import keras
import numpy as np

from ..models.arrays import is_whole
from ..pruning.examples import Examples
from ..pruning.prune import Pruner
from ..training.mask_callback import MaskCallback
from ..utils import ProgressLine, UsageError
from .statistics import HELD_OUT, are_held_out
from .student import Prepared, Student, batches, loss_of, num_shards, some

LEARNING_RATE = 4e-3
# Examples of a step, and numbers in their inputs.
BATCH, BATCH_NUMBERS = 256, 2**22
# The first step leaves this density at most; each further one a constant share.
FIRST_DENSITY = 0.2
# How often the sparsity grows, and epochs of training after each time, and after the last. With few
# examples epochs are longer, so that they have this many optimizer steps.
STEPS, EPOCHS, LAST_EPOCHS, OPTIMIZER_STEPS = 8, 2, 10, 10


def distill(
    pruner: Pruner, dense: keras.Model, examples: Examples, verbose: int = 0
) -> dict[str, np.ndarray]:
    """Prunes a copy of the dense model in place, step by step, and trains it after each step.

    A tenth of the examples is held out; of the epochs after the last step, the one with the least
    loss on them is kept. Frozen layers are trained too, but for `BatchNormalization`; dropout is
    off.

    Args:
        pruner: of the copy; its seed decides the order of the examples.
        dense: the model whose outputs are the targets.
        examples: from `calibration_inputs`.
        verbose: 0 for no progress bar.

    Returns:
        The masks of dependency groups by name.

    Raises:
        UsageError: (a ValueError) if there are too few examples for the devices that share a batch.
    """
    masks = pruner.masks()
    if all(map(is_whole, masks.values())):
        return masks
    devices = num_shards()
    if devices > 1:
        examples = _divisible(examples, devices)
    size = -(-examples.batch_size(BATCH_NUMBERS, BATCH) // devices) * devices
    x = examples.parts[0]
    x = tuple(x) if isinstance(x, list) else x  # which a `tf.data.Dataset` does not take
    outputs = keras.tree.flatten(dense.predict(x, batch_size=size, verbose=0))
    with Prepared(pruner.model) as prepared:
        first = keras.tree.map_structure(lambda array: np.asarray(array[: HELD_OUT * devices]), x)
        own = keras.tree.flatten(pruner.model.predict(first, batch_size=size, verbose=0))
        losses = [
            loss_of(target, output, _outputs_logits(dense))
            for target, output in zip(outputs, own, strict=True)
        ]
        targets = tuple(loss.targets(output) for loss, output in zip(losses, outputs, strict=True))
        held = are_held_out(np.arange(len(examples)))
        fitted = np.flatnonzero(~held)
        size = min(size, len(fitted))
        per_epoch = max(len(fitted) // size, OPTIMIZER_STEPS)
        steps = _Steps(pruner, prepared, ProgressLine(_num_epochs(), verbose))
        student = Student(pruner.model, losses)
        student.compile(optimizer=keras.optimizers.Adam(_learning_rate(per_epoch)))
        student.fit(
            batches(x, targets, fitted, size, np.random.default_rng(pruner.seed)),
            validation_data=some(held, x, targets),
            validation_batch_size=size,
            epochs=_num_epochs(),
            steps_per_epoch=per_epoch,
            callbacks=[steps],
            verbose=0,
            shuffle=False,  # a generator cannot be
        )
    return steps.masks


def _divisible(examples, devices):
    """As many of the examples as can be held out, and divided among devices."""
    least = HELD_OUT * devices
    if len(examples) < least:
        raise UsageError(
            f"data: {len(examples)} examples are too few for {devices} devices; give at least "
            f"{least}, better some hundreds."
        )
    return examples.head(len(examples) // least * least)


def _num_epochs():
    return (STEPS - 1) * EPOCHS + LAST_EPOCHS


def _learning_rate(per_epoch):
    """Constant while the sparsity grows, and along a cosine to zero in the last epochs."""
    growing = (STEPS - 1) * EPOCHS * per_epoch
    return keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, LAST_EPOCHS * per_epoch, warmup_target=LEARNING_RATE, warmup_steps=growing
    )


def _outputs_logits(model):
    return getattr(getattr(model, "loss", None), "from_logits", False)


class _Steps(MaskCallback):
    """Prunes between epochs, and keeps the best of those after the last step."""

    def __init__(self, pruner, prepared, progress):
        super().__init__()
        self.pruner, self.prepared, self.progress = pruner, prepared, progress
        self.masks, self.best, self.least = None, None, np.inf

    def on_epoch_begin(self, epoch, logs=None):
        step, since = divmod(epoch, EPOCHS)
        if since == 0 and step < STEPS:
            self.fetch()
            self._prune((step + 1) / STEPS)
        self.progress.show(f"distill, {self.pruner.sparsity(self.masks):.2%} pruned")

    def _prune(self, progress):
        previous = self.masks
        with self.prepared.undone():
            self.masks = self.pruner.masks(lambda share: _on_the_way(share, progress), previous)
        masks = self.pruner.prunables.masks(self.masks)
        if previous is None:
            self.attach(masks)
        else:
            self._constraints.set(masks)

    def on_epoch_end(self, epoch, logs=None):
        if epoch >= (STEPS - 1) * EPOCHS and logs["val_loss"] < self.least:
            self.fetch()
            self.best, self.least = self.pruner.model.get_weights(), logs["val_loss"]

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        self.fetch()
        self.pruner.model.set_weights(self.best)
        self.progress.close()


def _on_the_way(share, progress):
    """The sparsity at a progress in (0, 1] on the way to a share."""
    first = max(1 - share, FIRST_DENSITY)
    steps = (progress * STEPS - 1) / (STEPS - 1)
    return 1 - first * ((1 - share) / first) ** steps if share < 1 else float(progress == 1)
