"""What repairs a pruned network? One registered function per recovery.

A recovery decides how a pruned network is retrained or re-fitted, with its mask, to regain
accuracy. The settings that it reads are declared with it: networks depend on those and no others.
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


def refits(recovery: Any) -> Callable[[Any], Recovery]:
    """Marks a recovery that trains nothing: kept weights are re-fitted on calibration data."""
    recovery.refits = True
    return recovery


def is_refit(name: str) -> bool:
    """Whether the recovery of this name re-fits the kept weights."""
    return getattr(RECOVERIES.function(name), "refits", False)


@register_recovery("none", settings=())
def none(_config: Any) -> Recovery:
    """No retraining: the network stays as it is after pruning."""
    return Recovery(0, lambda _: 0.0)


@register_recovery(
    "finetune", settings=("finetune_epochs", "finetune_learning_rate", "learning_rate")
)
def finetune(config: Any) -> Recovery:
    """Fine-tuning, with a learning rate that decays from `finetune_learning_rate` to 0 along a
    cosine (Han et al., 2015)."""
    rate = config.finetune_learning_rate or config.learning_rate
    return Recovery(config.finetune_epochs, lambda progress: rate * _cosine(progress))


@register_recovery("weight_rewind", settings=("finetune_epochs", "rewind_epoch", "learning_rate"))
def weight_rewind(config: Any) -> Recovery:
    """Weight rewinding (the lottery ticket): the remaining weights are reset to those of an early
    epoch and trained again with its learning rate (Frankle & Carbin, 2019, arXiv:1803.03635;
    Frankle et al., 2020, arXiv:1912.05671)."""
    return Recovery(config.finetune_epochs, lambda _: config.learning_rate, rewinds=True)


@register_recovery("lr_rewind", settings=("finetune_epochs", "learning_rate"))
def lr_rewind(config: Any) -> Recovery:
    """Learning-rate rewinding: retraining with the original learning rate; the weights are not
    reset (Renda et al., 2020, arXiv:2003.02389)."""
    return Recovery(config.finetune_epochs, lambda _: config.learning_rate)


@register_recovery("distill", settings=("calibration_examples",))
@refits
def distill(_config: Any) -> Recovery:
    """The network is trained towards the dense network's own outputs on calibration data, without
    labels, while it is pruned step by step (Hinton et al., 2015, arXiv:1503.02531)."""
    return Recovery(0, lambda _: 0.0)


@register_recovery("reconstruct", settings=("calibration_examples",))
@refits
def reconstruct(_config: Any) -> Recovery:
    """No training: the kept weights are re-fitted, layer by layer, so that each layer computes what
    it did in the dense network, from calibration data without labels (Frantar & Alistarh, 2022,
    arXiv:2208.11580)."""
    return Recovery(0, lambda _: 0.0)


def _cosine(progress):
    """From 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2
