"""Callbacks for `fit` that prune any Keras model while it trains, or keep it pruned."""

import dataclasses
from collections.abc import Mapping
from numbers import Real
from typing import Any

from ..models.arrays import count
from ..pruning.arguments import (
    checked_fraction,
    checked_method,
    checked_round_to,
    checked_seed,
)
from ..pruning.examples import Examples
from ..pruning.layer_choice import Excluded
from ..pruning.methods import schedule_rounds
from ..pruning.prune import Pruner
from ..pruning.schedules import SCHEDULES
from ..settings.experiment import ExperimentConfig
from ..utils import UsageError, pluralize, warn_user
from .mask_callback import MaskCallback
from .masks import present_masks

# Fewer pruning steps hardly make a schedule.
FEW_PRUNINGS = 3
# Rounding to whole items may leave the sparsity this much below the target.
ROUNDING = 0.05


class Pruning(MaskCallback):
    """Prunes a model while its own `fit` trains it; pruned weights stay exactly zero.

    The sparsity grows as the schedule defines: `gradual` along k + (k₀ - k)(1 - t)³ (Zhu & Gupta,
    2017, arXiv:1710.01878), `iterative` by equal shares of the remaining weights, `oneshot` at
    once. Each epoch adds `logs["sparsity"]`, the share of the prunable weights that are zero, to
    `History`. Works across several calls of `fit` and with `BackupAndRestore`: epoch and step
    determine the position in the schedule.

    Args:
        sparsity: the final share of pruned weights or units, in [0, 1], or a dictionary of shares
            by layer, as for `prune`.
        method: as for `prune`, with any schedule; `gradual` by default.
        begin, end: the progress of training, in [0, 1], at which pruning begins and ends.
        every: the number of steps from one pruning to the next.
        data: calibration data for criteria that need it, as for `prune`.
        exclude: layers that are not pruned, as for `prune`.
        seed: for the criterion `random`.
        round_to: as for `prune`.
        on_restore: what to do if another callback, such as EarlyStopping, restores weights of an
            earlier epoch at the end, so that pruned weights are not zero: `warn`, or `reapply` the
            masks.

    Raises:
        UsageError: (a ValueError) if an argument makes no sense, or the model is not compiled.
    """

    def __init__(
        self,
        sparsity: float | Mapping[Any, float],
        method: str = "weight/gradual",
        *,
        begin: float = 0.0,
        end: float = 0.75,
        every: int = 100,
        data: Any = None,
        exclude: Excluded = (),
        seed: int = 0,
        round_to: int = 1,
        on_restore: str = "warn",
    ) -> None:
        super().__init__(on_restore)
        for name, share in (("begin", begin), ("end", end)):
            if isinstance(share, Real) and share > 1:
                raise UsageError(
                    f"{name}: {share:g} is not a share of the training in [0, 1]; divide a number "
                    "of steps by the total number."
                )
            checked_fraction(name, share)
        if begin > end:
            raise UsageError(f"begin: {begin:g} is after end, {end:g}.")
        if not isinstance(every, int) or every < 1:
            raise UsageError(f"every: {every!r} is not a number of steps; give 1 or more.")
        if not isinstance(sparsity, Mapping):
            checked_fraction("sparsity", sparsity)
        self.method = _with_schedule(checked_method(method, oneshot=False), method)
        self.begin, self.end, self.every = begin, end, every
        # Read once, for all calls of `fit`: a generator yields its examples only once.
        self._arguments = (sparsity, Examples.of(data), exclude, checked_seed(seed))
        self._round_to = checked_round_to(round_to, self.method)
        self._pruner: Any = None
        self._masks: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Finds the prunable weights or units."""
        super().on_train_begin(logs)
        sparsity, data, exclude, seed = self._arguments
        first = self._pruner is None or self._pruner.model is not self.model
        self._pruner = Pruner(
            self.model, self.method, sparsity, data, exclude, seed, self._round_to
        )
        if first:
            self._pruner.warn()
            self._masks = None
        self._is_first, self._epoch, self._steps, self._completed = first, 0, 0, None
        self._length = self._parameter("steps")
        self._warn_of_few_prunings()

    def _warn_of_few_prunings(self):
        """Warns if there are few prunings: each then removes many weights, which costs accuracy."""
        if self._length is None or self.method.schedule == "oneshot":
            return
        steps = self._length * self._epochs * (self.end - self.begin)
        if steps // self.every < FEW_PRUNINGS:
            warn_user(
                f"Pruning takes place every {pluralize(self.every, 'step')}, but from begin to end "
                f"there are only {steps:.0f}; choose a smaller `every`."
            )

    def _warn_of_nothing_to_do(self):
        """Warns if the model of a new training is as sparse already."""
        targets = self._pruner.targets.by_share
        if not self._is_first or self._epoch or not self.sparsity:
            return
        if any(self._pruner.sparsity(self._of(targets[k])) < k - ROUNDING for k in targets):
            return
        final = self._pruner.masks(previous=self._masks)
        # What is pruned stays so: masks of as many weights are the same.
        if all(count(mask) == count(self._masks[name]) for name, mask in final.items()):
            warn_user(
                f"Pruning has nothing to do: {_percent(self.sparsity)} of the weights were zero "
                "before, which reaches the target. Choose a higher sparsity, or KeepPruned() to "
                "keep these weights at zero."
            )

    def _of(self, names):
        """The masks of some dependency groups."""
        return {name: self._masks[name] for name in names}

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stores the epoch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first step, masks the weights that are zero already; then prunes every `every`
        steps.

        Not after a step, for then Keras would wait for the results of each before it starts the
        next one: on an accelerator that takes longer than many steps.
        """
        if self._constraints is None:
            # Not earlier: other callbacks may restore weights in `on_train_begin`.
            self._masks = self._present()
            self.attach(self._pruner.prunables.masks(self._masks))
            self._warn_of_nothing_to_do()
            self._prune(self._progress(batch))
        batches = getattr(self.model, "steps_per_execution", 1)
        if self._length:
            batches = min(batches, self._length - batch)
        self._steps, self._batches = self._steps + batches, batch + batches
        progress = self._progress(self._batches)
        if self._steps >= self.every or progress >= self.end:
            self._prune(progress)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Logs the sparsity."""
        self._length = self._length or self._batches  # of a generator known only now
        if logs is not None:
            logs["sparsity"] = self.sparsity

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Removes the masks and warns if pruning was incomplete."""
        super().on_train_end(logs)
        if self._completed is not None:
            self._pruner.warn_of_shortfalls(self._masks)
        elif self._constraints is not None:
            warn_user(
                f"The training ended with {_percent(self.sparsity)} of the weights pruned, before "
                "pruning was complete; train longer, choose an earlier `end`, or set "
                "`steps_per_epoch` if the data is a generator."
            )

    def restored(self) -> str:
        """The current sparsity and the one before weights were restored."""
        present = self._pruner.sparsity(self._pruner.present())
        return (
            f"{_percent(present)} of the weights are zero, but {_percent(self.sparsity)} were "
            "pruned:"
        )

    def advice(self) -> str:
        """The epoch from which the target sparsity is reached."""
        if self._completed is None:
            return ""
        return (
            f" With start_from_epoch={self._completed} it considers only epochs after pruning was "
            "complete."
        )

    @property
    def sparsity(self) -> float:
        """The share of the prunable weights that have been pruned."""
        return self._pruner.sparsity(self._masks)

    @property
    def _epochs(self):
        return self._parameter("epochs") or 1

    def _parameter(self, name):
        """A parameter of `fit`; None if it is unknown."""
        return (self.params or {}).get(name)

    def _progress(self, batches):
        """The progress of training in [0, 1], after a number of batches of this epoch."""
        # The length of a generator is unknown until the first epoch ends.
        within = batches / self._length if self._length else 0
        return (self._epoch + within) / self._epochs

    def _prune(self, progress):
        if progress < self.begin or self._completed is not None:
            return
        self.fetch()
        length = self.end - self.begin
        t = min((progress - self.begin) / length, 1) if length else 1
        self._masks = self._pruner.masks(lambda share: self._scheduled(share, t), self._masks)
        self._constraints.set(self._pruner.prunables.masks(self._masks))
        self._steps = 0
        if progress >= self.end:
            self._completed = self._epoch

    def _scheduled(self, share, t):
        """The sparsity at time `t` in [0, 1] of the schedule that ends at `share`."""
        rounds = schedule_rounds(self.method, 0.0, share, ExperimentConfig())
        number = min(int(t * len(rounds)), len(rounds) - 1)
        part = rounds[number]
        return part.ramp(t * len(rounds) - number) if part.ramp else part.sparsity

    def _present(self):
        """Masks of nonzero weights; at first, kernels of zeros only count as not yet trained."""
        known, found = self._masks, self._pruner.present()
        whole = self._pruner.prunables.whole_masks()
        return {n: mask if known or count(mask) else whole[n] for n, mask in found.items()}


def _with_schedule(method, text):
    """The `Method`; its schedule is gradual if its text names none."""
    named = any(SCHEDULES.knows(value) for value in text.split("/"))
    return method if named else dataclasses.replace(method, schedule="gradual")


class KeepPruned(MaskCallback):
    """Weights that are zero when `fit` begins stay exactly zero: to fine-tune a pruned model.

    This holds for kernels of dense layers and convolutions, including the output layer's, and for
    biases and normalizations of units that are pruned as a whole.

    Args:
        on_restore: what to do if pruned weights are not zero at the end, because another callback
            has restored other weights: `warn`, or `reapply` the masks.

    Raises:
        UsageError: (a ValueError) if `on_restore` is something else, or the model is not compiled.
    """

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before the first step, masks the weights that are zero."""
        if self._constraints is None:
            self.attach(present_masks(self.model))

    def restored(self) -> str:
        """States that zeros were lost."""
        return "Weights that were zero when the training began are not zero any more:"


def _percent(fraction):
    return f"{100 * fraction:.4g} %"
