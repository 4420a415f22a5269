"""Checkpoints: the best weights (`weights.read_weights` reads them), and the state from which
training resumes."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import astuple
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.model import clone
from ..utils import RunError, atomic_path
from .loop import Epoch

if TYPE_CHECKING:
    import keras


def save(model: "keras.Model", path: str | PathLike, optimizer_name: str | None = None) -> None:
    """Writes the whole model, without optimizer state, as an HDF5 file that plain Keras loads.

    Args:
        model: a compiled model.
        path: the file to write.
        optimizer_name: the optimizer's name in the file; by default that of Keras, which depends
            on the number of optimizers in the process.
    """
    # A clone's optimizer has no state yet: the file has the compile settings but is small.
    with atomic_path(path) as temporary:
        try:
            clone(model, optimizer_name).save(temporary)
        except RuntimeError as error:  # how HDF5 reports a full disk
            raise OSError(str(error)) from error


def optimizer_after(model: "keras.Model", number: int) -> str:
    """The name that Keras gives to the optimizer created `number` optimizers after a model's own:
    "adam" is followed by "adam_1"."""
    first, _, own = model.optimizer.name.partition("_")
    return f"{first}_{int(own or 0) + number}"


def save_state(model: "keras.Model", epochs: Sequence[Epoch], path: str | PathLike) -> None:
    """Writes all that the next epoch depends on: weights, optimizer state and the history.

    The data order is a function of seed and epoch, so that it need not be stored.
    """
    arrays: dict[str, Any] = {
        f"variable_{n}": array for n, array in enumerate(map(np.asarray, _variables(model)))
    }
    # None becomes NaN.
    history = np.array([astuple(epoch) for epoch in epochs], np.float64)
    with atomic_path(path) as temporary:
        np.savez(temporary, history=history, **arrays)


def load_state(model: "keras.Model", path: str | PathLike) -> list[Epoch]:
    """Restores `model` to a state of `save_state`, and returns the epochs so far.

    Raises:
        RunError: if the file is damaged or belongs to another network; `model` may be changed.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            epochs = [_epoch(row) for row in arrays["history"]]
            for number, variable in enumerate(_variables(model)):
                variable.assign(arrays[f"variable_{number}"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(
            f"{path} is not a training state of this network; delete it to train from the "
            "beginning."
        ) from error
    return epochs


def _variables(model):
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _epoch(row):
    number, *values = (None if np.isnan(value) else float(value) for value in row)
    return Epoch(int(number), *values)
