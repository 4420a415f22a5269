"""Checks that a data set can be used for training; loaders may be the user's own."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..settings.registry import named
from ..utils import RunError
from .data_loaders.loader_utils import Dataset, Split


def check_dataset(dataset: Any, name: str) -> Dataset:
    """The data set that a loader has returned, with int32 labels.

    Args:
        dataset: should be a `Dataset` whose splits have uint8 or finite float32 pixels of shape
            (n, …), the same for all, and integer labels of shape (n,), from 0 on.
        name: of the data set, for the message.

    Raises:
        RunError: if it is not; the message says what was returned and what is needed.
    """
    if not isinstance(dataset, Dataset):
        _refuse(name, f"its loader returned {_kind(dataset)}, but a Dataset is needed")
    if not isinstance(dataset.digest, str):
        _refuse(name, f"its digest is {_kind(dataset.digest)}, but a text is needed")
    splits = {"train": dataset.train, "valid": dataset.valid, "test": dataset.test}
    if dataset.valid is None:
        del splits["valid"]
    checked = {
        part: _checked(split, part, name, dataset.num_classes) for part, split in splits.items()
    }
    for part, split in checked.items():
        if split.pixels.shape[1:] != checked["train"].pixels.shape[1:]:
            needed = f"{_kind(checked['train'].pixels)} as those of 'train' are needed"
            _refuse(name, f"the pixels of its split {part!r} are {_kind(split.pixels)}, {needed}")
    return replace(dataset, **checked)


def _checked(split, part, name, num_classes):
    what = f"its split {part!r}"
    if not isinstance(split, Split):
        _refuse(name, f"{what} is {_kind(split)}, but a Split is needed")
    pixels, labels = split.pixels, split.labels
    if not _are_pixels(pixels):
        needed = "uint8 or finite float32 of shape (n, …) is needed, n the number of examples"
        _refuse(name, f"the pixels of {what} are {_kind(pixels)}, but {needed}")
    if not _is_array(labels, np.integer) or labels.ndim != 1:
        needed = "integers of shape (n,) are needed"
        _refuse(name, f"the labels of {what} are {_kind(labels)}, but {needed}")
    if len(pixels) != len(labels):
        numbers = f"{len(pixels):,} images and {len(labels):,} labels"
        _refuse(name, f"{what} has {numbers}, but one label for each image is needed")
    if not len(labels):
        hint = "give a smaller `num_valid`" if part == "train" else "valid may be None"
        _refuse(name, f"{what} is empty, but examples are needed ({hint})")
    if labels.min() < 0 or labels.max() >= num_classes:
        came = f"go from {labels.min()} to {labels.max()}"
        needed = f"the classes 0 to {num_classes - 1} are needed"
        _refuse(name, f"the labels of {what} {came}, but {needed}")
    return Split(pixels, labels.astype(np.int32, copy=False))


def _are_pixels(value):
    if _is_array(value, np.uint8):
        return value.ndim > 1
    return _is_array(value, np.float32) and value.ndim > 1 and bool(np.isfinite(value).all())


def _is_array(value, dtype):
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, dtype)


def _kind(value):
    """A description of a value in a few words."""
    if isinstance(value, np.ndarray):
        has_nan = np.issubdtype(value.dtype, np.floating) and np.isnan(value).any()
        return f"{value.dtype} of shape {value.shape}{' with NaN' if has_nan else ''}"
    return "None" if value is None else f"a {type(value).__name__}"


def _refuse(name, reason):
    raise RunError(f"The {named('data set', name)} cannot be used: {reason}.")
