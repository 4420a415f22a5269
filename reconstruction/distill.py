"""A pruned model trained towards the dense model's own outputs: the recovery `distill`.

No labels are needed. Outputs that are probabilities are compared at a temperature (Hinton et al.,
2015, arXiv:1503.02531), others by their squared error. The sparsity grows in steps, and the model
is trained after each, as in iterative pruning (Han et al., 2015, arXiv:1506.02626).
"""

import keras
import numpy as np

from ..models.arrays import is_whole
from ..models.example_inputs import zeros_for
from ..pruning.examples import Examples
from ..pruning.model_measures import multiply_adds
from ..pruning.prune import Pruner
from ..training.mask_callback import MaskCallback
from ..utils import ProgressLine
from .lessons import Lessons, is_coarse

LEARNING_RATE = 4e-3
# The first step leaves this density at most; each further one a constant share.
FIRST_DENSITY = 0.2
# How often the sparsity grows, and epochs of training after each time, and after the last.
STEPS, EPOCHS, LAST_EPOCHS = 8, 2, 10

# Multiply-adds that take a minute or two on two cores, how often those of a forward pass are needed
# for a step, and the examples that a model needs at least to learn from.
MOST_WORK, TIMES_FORWARD, FEW = 3e12, 3, 2000


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
    with Lessons(pruner.model, dense, examples) as lessons:
        steps = _Steps(pruner, lessons.prepared, ProgressLine(_num_epochs(), verbose))
        optimizer = keras.optimizers.Adam(_learning_rate(lessons.steps))
        lessons.teach(optimizer, _num_epochs(), steps, pruner.seed)
    return steps.masks


def affordable(model: keras.Model, examples: Examples, seed: int) -> Examples | None:
    """As many of the examples, chosen at random, as take a minute or two on two cores; None if
    these are few, if the model's work is not known, or if it cannot be trained."""
    if zeros_for(model) is None or is_coarse(model):
        return None
    work = TIMES_FORWARD * _num_epochs() * max(multiply_adds(model), 1)
    number = int(MOST_WORK / work)
    if number < min(FEW, len(examples)):
        return None
    chosen = np.random.default_rng(seed).permutation(len(examples))[:number]
    return examples.at(np.sort(chosen)) if number < len(examples) else examples


def _num_epochs():
    return (STEPS - 1) * EPOCHS + LAST_EPOCHS


def _learning_rate(per_epoch):
    """Constant while the sparsity grows, and along a cosine to zero in the last epochs."""
    growing = (STEPS - 1) * EPOCHS * per_epoch
    return keras.optimizers.schedules.CosineDecay(
        LEARNING_RATE, LAST_EPOCHS * per_epoch, warmup_target=LEARNING_RATE, warmup_steps=growing
    )


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
