"""Reads `.npk` files that anybody may have made: what is wrong becomes a sentence. No Keras."""

import zlib
from pathlib import Path

from ..utils import one_line
from . import npk_reader


def read(path):
    """The config and the arrays of a file; see `npk_reader.read`.

    Raises:
        ValueError: if it is no such file or is damaged.
        OSError: if it cannot be read.
    """
    return read_bytes(Path(path).read_bytes(), path)


def read_bytes(content, path):
    """The same of the bytes of a file; `path` is what messages call it."""
    try:
        return npk_reader.read(content)
    except StopIteration:
        why = "it is cut off or damaged"
    except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError, zlib.error) as error:
        why = reason(error)
    raise ValueError(f"{path} cannot be read: {why}.")


def reason(error):
    """What an error says, in a few words."""
    return (one_line(error, 160) or type(error).__name__).rstrip(".")
