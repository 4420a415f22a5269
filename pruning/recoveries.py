"""And then? One registered function per recovery.

A recovery says how a pruned network is trained, with its mask, to make up for what it has lost.
The settings that it reads are declared with it: networks depend on those and no others.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..settings.registry import Registry

RECOVERIES = Registry("recovery", takes=("config",))
register_recovery = RECOVERIES.register


@dataclass(frozen=True)
class Recovery:
    """How to train after pruning.

    Attributes:
        epochs: how long.
        learning_rate: at a progress in [0, 1].
        rewinds: whether the remaining weights first go back to where they were after
            `rewind_epoch` epochs of the dense training.
    """

    epochs: int
    learning_rate: Callable[[float], float]
    rewinds: bool = False


@register_recovery("none", settings=())
def none(_config: Any) -> Recovery:
    """Nothing: the network stays as pruning left it."""
    return Recovery(0, lambda _: 0.0)


@register_recovery(
    "finetune", settings=("finetune_epochs", "finetune_learning_rate", "learning_rate")
)
def finetune(config: Any) -> Recovery:
    """Trains on, from `finetune_learning_rate` down to nothing (Han et al., 2015)."""
    rate = config.finetune_learning_rate or config.learning_rate
    return Recovery(config.finetune_epochs, lambda progress: rate * _cosine(progress))


@register_recovery("weight_rewind", settings=("finetune_epochs", "rewind_epoch", "learning_rate"))
def weight_rewind(config: Any) -> Recovery:
    """The lottery ticket: the remaining weights begin again from an early epoch, at the learning
    rate of then (Frankle & Carbin, 2019, arXiv:1803.03635; Frankle et al., 2020,
    arXiv:1912.05671)."""
    return Recovery(config.finetune_epochs, lambda _: config.learning_rate, rewinds=True)


@register_recovery("lr_rewind", settings=("finetune_epochs", "learning_rate"))
def lr_rewind(config: Any) -> Recovery:
    """The weights stay, the learning rate begins again (Renda et al., 2020, arXiv:2003.02389)."""
    return Recovery(config.finetune_epochs, lambda _: config.learning_rate)


def _cosine(progress):
    """From 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2
