"""The base class of callbacks that keep pruned weights at zero while a model trains."""

from collections.abc import Iterable
from typing import Any

import keras

from ..models.arrays import Array
from ..utils import UsageError, warn_user
from .mask_constraints import MaskConstraints

ON_RESTORE = ("warn", "reapply")


class MaskCallback(keras.callbacks.Callback):
    """Attaches masks to a model while it trains, and checks its weights against them at the end.

    Args:
        on_restore: what to do if pruned weights are not zero after training, because another
            callback has restored weights of an earlier epoch: `warn`, or `reapply` the masks.

    Raises:
        UsageError: if `on_restore` is something else.
    """

    def __init__(self, on_restore: str = "warn") -> None:
        super().__init__()
        if on_restore not in ON_RESTORE:
            raise UsageError(f"on_restore: {on_restore!r} is none of {', '.join(ON_RESTORE)}.")
        self.on_restore = on_restore
        self._constraints: MaskConstraints | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Resets the state; masks are attached later, as other callbacks may restore weights.

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

    def attach(self, masks: "Iterable[tuple[keras.Variable, Array]]") -> None:
        """Applies masks, as pairs of a variable and an array, until the training ends."""
        # All callbacks of one `fit` get the same object as `params`.
        self._constraints = MaskConstraints(self.model, masks, self.params)

    def fetch(self) -> None:
        """Syncs the state of a training on JAX back into the model."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Detaches the masks and checks the weights."""
        if self._constraints is not None:
            self._constraints.detach()
            self._check()
            _after_all_callbacks(self, self._check)

    def _check(self):
        """Warns, or applies the masks again, if pruned weights are not zero."""
        if self._constraints.are_met():
            return
        if self.on_restore == "reapply":
            self._constraints.reapply()
        elif not self._has_warned:
            self._has_warned = True
            warn_user(
                f"{self.restored()} another callback has restored weights, as EarlyStopping does "
                f"with restore_best_weights.{self.advice()} Use "
                f"{type(self).__name__}(on_restore='reapply') to prune them again."
            )

    def restored(self) -> str:
        """The beginning of the warning, about weights that are not zero, up to the reason."""
        raise NotImplementedError

    def advice(self) -> str:
        """A sentence on how to avoid it, after a space; may be empty."""
        return ""


def _after_all_callbacks(callback, call):
    """Calls a function after all callbacks have ended the training: Keras' `History` follows those
    of the user."""
    history, params = getattr(callback.model, "history", None), callback.params
    if getattr(history, "params", None) is not params:
        return  # of an earlier `fit`: this is the user's own training loop
    original = history.on_train_end

    def on_train_end(logs=None):
        vars(history).pop("on_train_end", None)
        original(logs)
        if history.params is params:
            call()

    history.on_train_end = on_train_end
