"""Reads untrusted `.npk` files, without Keras: every fault becomes one sentence."""

import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils import one_line
from . import npk_reader

if TYPE_CHECKING:
    import numpy as np


# What the reader may raise for a malformed file.
ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
    zlib.error,
)


def read(path: str | PathLike) -> "tuple[dict[str, Any], list[np.ndarray]]":
    """The config and the arrays of a file; see `npk_reader.read`.

    Raises:
        ValueError: if it is not an `.npk` file or is damaged.
        OSError: if it cannot be read.
    """
    return _read(npk_reader.read, path, Path(path).read_bytes())


def read_config(content: bytes, path: str | PathLike) -> dict[str, Any]:
    """The config in the bytes of a file; `path` is for messages."""
    return _read(npk_reader.read_config, path, content)


def read_arrays(
    content: bytes, path: str | PathLike, shapes: Sequence[tuple[int, ...]]
) -> "list[np.ndarray]":
    """The arrays in the bytes of a file, which must have these shapes."""
    return _read(npk_reader.read_arrays, path, content, shapes)


def _read(read_part, path, *arguments):
    try:
        return read_part(*arguments)
    except ERRORS as error:
        raise ValueError(f"{path} cannot be read: {reason(error)}.") from error


def reason(error: BaseException) -> str:
    """An error's message in a few words."""
    return (one_line(error, 160) or type(error).__name__).rstrip(".")
