"""What callbacks have in common that keep pruned weights at zero while a model trains."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras

from ..utils import UsageError, warn_user
from .mask_constraints import MaskConstraints

if TYPE_CHECKING:
    import numpy as np


ON_RESTORE = ("warn", "reapply")


class MaskCallback(keras.callbacks.Callback):
    """Attaches masks to a model while it trains, and compares its weights with them at the end.

    Args:
        on_restore: what to do if pruned weights are not zero after the training, because another
            callback has restored weights of an earlier epoch: `warn`, or `reapply` the masks.

    Raises:
        UsageError: if it is something else.
    """

    def __init__(self, on_restore: str = "warn") -> None:
        super().__init__()
        if on_restore not in ON_RESTORE:
            raise UsageError(f"on_restore: {on_restore!r} is none of {', '.join(ON_RESTORE)}.")
        self.on_restore = on_restore
        self._constraints: MaskConstraints | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Waits for the first step: other callbacks may restore weights first.

        Raises:
            UsageError: if the model is not compiled with an optimizer.
        """
        if getattr(self.model, "optimizer", None) is None:
            raise UsageError(
                f"{type(self).__name__}: {getattr(self.model, 'name', self.model)!r} has no "
                "optimizer, whose steps would keep pruned weights at zero; call model.compile "
                "first."
            )
        self._constraints, self._has_warned = None, False

    def attach(self, masks: "Iterable[tuple[keras.Variable, np.ndarray]]") -> None:
        """Holds masks, as pairs of a variable and an array, until the training ends."""
        # All callbacks of one `fit` are given the same object as their `params`.
        self._constraints = MaskConstraints(self.model, masks, self.params)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leaves an ordinary model behind."""
        if self._constraints is not None:
            self._constraints.detach()
            self._compare()
            _after_all_callbacks(self, self._compare)

    def _compare(self):
        """Compares the weights with the masks."""
        if self._constraints.are_met():
            return
        if self.on_restore == "reapply":
            self._constraints.reapply()
        elif not self._has_warned:
            self._has_warned = True
            warn_user(
                f"{self.restored()} another callback has restored others, as EarlyStopping does "
                f"with restore_best_weights.{self.advice()} With "
                f"{type(self).__name__}(on_restore='reapply') they are pruned again."
            )

    def restored(self) -> str:
        """A sentence about the weights that are not zero, up to the reason."""
        raise NotImplementedError

    def advice(self) -> str:
        """A sentence about what would have helped, with a space before it; it may be empty."""
        return ""


def _after_all_callbacks(callback, call):
    """Calls something once the callbacks behind this one have ended the training too: Keras puts
    its `History` behind those of the user."""
    history, params = getattr(callback.model, "history", None), callback.params
    if getattr(history, "params", None) is not params:
        return  # of an earlier `fit`: this is a loop of the user's
    ending = history.on_train_end

    def on_train_end(logs=None):
        vars(history).pop("on_train_end", None)
        ending(logs)
        if history.params is params:
            call()

    history.on_train_end = on_train_end
