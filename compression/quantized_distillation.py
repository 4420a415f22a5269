"""A pruned model that learns the dense model's outputs while its weights are on few levels."""

import keras

from ..models.copies import copy_of_model
from ..pruning.examples import Examples
from ..reconstruction.lessons import Lessons
from ..training.mask_callback import MaskCallback
from ..training.masks import present_masks
from ..utils import ProgressLine
from .level_optimizer import LevelAdam
from .quantization import numbers_of_magnitudes, round_others, round_to_levels

EPOCHS, LEARNING_RATE = 20, 2e-3


def distilled_to_levels(
    model: keras.Model,
    dense: keras.Model,
    bits: int,
    examples: Examples,
    seed: int = 0,
    verbose: int = 0,
) -> keras.Model:
    """A quantized copy of a model, as by `quantized`, that is trained towards the outputs of the
    dense model while its weights are on their levels. Zeros stay zero.

    Args:
        model: any built Keras model.
        dense: the model whose outputs are the targets.
        bits: per weight, 2 or more.
        examples: from `calibration_inputs`.
        seed: of the order of examples.
        verbose: 0 for no progress bar.
    """
    copy = copy_of_model(model)
    numbers = numbers_of_magnitudes(copy, bits)
    with Lessons(copy, dense, examples) as lessons:
        rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * lessons.steps)
        optimizer = LevelAdam(rate, [pair for pair in numbers if pair[0].dtype == "float32"])
        lessons.teach(optimizer, EPOCHS, _Levels(optimizer, present_masks(copy), verbose), seed)
    done = {id(levels.variable) for levels in optimizer.levels}
    for variable, number in numbers:
        if id(variable) not in done:
            round_to_levels(variable, number)
    round_others(copy, numbers)
    return copy


class _Levels(MaskCallback):
    """Has the levels follow a training, and keeps weights at zero that have no levels, too."""

    def __init__(self, optimizer, masks, verbose):
        super().__init__()
        self.optimizer, self.masks = optimizer, masks
        self.progress = ProgressLine(EPOCHS, verbose)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.optimizer.build(self.model.trainable_variables)
        self.attach(self.masks)

    def on_epoch_begin(self, epoch, _logs=None):
        self.progress.show("on levels")
        if epoch == 0:
            return
        self.fetch()
        for levels in self.optimizer.levels:
            levels.follow(epoch / EPOCHS)

    def on_train_end(self, logs=None):
        self.fetch()
        super().on_train_end(logs)
        self.progress.close()
