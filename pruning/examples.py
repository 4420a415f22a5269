"""Calibration data, training examples for criteria that need data: whatever `fit` takes."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np

from ..utils import UsageError
from .statistics import SAMPLE_SIZE

HOW = "give some training examples as data=(x, y), or batches of them, as fit takes them"


class Examples:
    """Training examples, read when they are first needed, and then kept: a generator gives them
    only once.

    Args:
        data: what `fit` takes: (x, y) or (x, y, weights), each an array or a list or dictionary of
            arrays; or batches of these, such as a `tf.data.Dataset`, a `PyDataset`, a `DataLoader`
            of PyTorch or a generator, of which the first `most` examples are taken. None for no
            data.
        most: how many examples are taken of batches.
    """

    def __init__(self, data: Any, most: int = SAMPLE_SIZE) -> None:
        self._data, self._most = data, most

    @classmethod
    def of(cls, data: Any) -> "Examples":
        """The `Examples` of what `fit` takes; `Examples` are returned as they are."""
        return data if isinstance(data, cls) else cls(data)

    def __len__(self) -> int:
        return len(_leaves(self.parts)[0])

    @cached_property
    def parts(self) -> tuple[Any, ...]:
        """The pair (x, y) or the triple (x, y, weights), y None where there are no labels, of
        arrays of shape (examples, ...).

        Raises:
            UsageError: (a ValueError) if there is no data, or it is something else.
        """
        if self._data is None:
            raise UsageError(f"data: this criterion needs data; {HOW}.")
        parts = (
            _first(self._data, self._most) if _comes_in_batches(self._data) else _given(self._data)
        )
        lengths = {len(array) for array in _leaves(parts)}
        if len(lengths) != 1 or lengths == {0}:
            listed = ", ".join(map(str, sorted(lengths))) or "none"
            raise UsageError(
                f"data: its arrays are of lengths {listed}; give a label for each example, and at "
                "least one example."
            )
        return parts

    @property
    def has_labels(self) -> bool:
        """Whether there are labels."""
        return self.parts[1] is not None

    def batch_size(self, numbers: int, most: int) -> int:
        """How many examples have about so many numbers in their inputs, at most `most`."""
        size = sum(np.size(leaf) for leaf in _leaves(self.parts[0])) // len(self)
        return min(most, max(1, numbers // max(size, 1)))

    def head(self, number: int) -> "Examples":
        """The first of them, so many at most."""
        return Examples(tuple(_map(lambda a: a[:number], part) for part in self.parts))

    def at(self, places: np.ndarray) -> "Examples":
        """Those at some places, as arrays of NumPy."""
        return Examples(tuple(_map(lambda a: _numpy(a)[places], part) for part in self.parts))

    def batches(self, size: int) -> Iterator[tuple[Any, ...]]:
        """The examples in batches of at most `size`, as NumPy arrays."""
        for start in range(0, len(self), size):
            yield tuple(_map(lambda a, s=start: _numpy(a[s : s + size]), p) for p in self.parts)


def _comes_in_batches(data):
    is_array = hasattr(data, "shape") or isinstance(data, (Mapping, tuple, list, str, bytes))
    return not is_array and hasattr(data, "__iter__")


def _given(data):
    """Arrays that were given as such; one alone are inputs."""
    data = (data, None) if hasattr(data, "shape") else data
    if not isinstance(data, (tuple, list)) or not 1 <= len(data) <= 3:
        raise UsageError(f"data: {_kind(data)} is not a pair of arrays; {HOW}.")
    return _unpacked(data)


def _first(batches, most):
    """The first examples of some batches."""
    found, size = [], 0
    for batch in batches:
        parts = _unpacked(batch)
        found.append([_map(_numpy, part) for part in parts])
        size += len(_leaves(parts)[0])
        if size >= most:
            break
    if not found:
        raise UsageError(f"data: {_kind(batches)} gives no examples; {HOW}.")
    try:
        return tuple(_joined(parts, most) for parts in zip(*found, strict=True))
    except ValueError as error:
        raise UsageError(
            f"data: the batches of {_kind(batches)} differ in more than their length; pad its "
            "examples to one shape, or give arrays."
        ) from error


def _joined(parts, most):
    if parts[0] is None:
        return None
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays)[:most], *parts)


def _unpacked(data):
    """x, y and, if there are some, weights; lists of numbers as arrays."""
    try:
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    except ValueError:
        raise UsageError(f"data: {_kind(data)} is not a pair of arrays; {HOW}.") from None
    parts = tuple(map(_arrays, (x, y) if weights is None else (x, y, weights)))
    for array in _leaves(parts):
        if np.ndim(array) == 0:
            raise UsageError(
                f"data: {_kind(array)} is not an array of examples; {HOW} (a tf.data.Dataset must "
                "be batched)."
            )
    return parts


def _arrays(part):
    """A part with arrays in it: a list of numbers is one, a list of arrays are several. Tensors of
    PyTorch become arrays of NumPy, which does not know their sizes."""
    part = _map(lambda array: _numpy(array) if hasattr(array, "detach") else array, part)
    if isinstance(part, (list, tuple)) and not any(hasattr(v, "shape") for v in _leaves(part)):
        try:
            return np.asarray(part)
        except ValueError:
            raise UsageError(
                f"data: a list of {len(part)} with lists of different lengths in it is not an "
                f"array; {HOW}."
            ) from None
    return part


def _leaves(parts):
    return [leaf for leaf in keras.tree.flatten(parts) if leaf is not None]


def _map(function, part):
    return None if part is None else keras.tree.map_structure(function, part)


def _numpy(array):
    """An array of any library as NumPy's."""
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def _kind(value):
    return type(value).__name__
