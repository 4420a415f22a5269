"""Writes `.npk` files: a config and arrays become bytes. docs/small.md specifies the format."""

import io
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import constriction
import numpy as np

from ..utils import ProgressLine
from . import npk_lanes
from .npk_reader import (
    LARGE,
    MAGIC,
    OF_CONFIG,
    OF_PLAIN,
    ROOM,
    TYPES,
    WORDS,
    Model,
    claim,
    inflated,
)

MOST_LEVELS = 64  # of a table; arrays with more magnitudes are written without one
# Networks with more weights are written in the second version of the format, and there matrices of
# as many cells in lanes: a little longer, and hundreds of times as fast.
LARGE_SIZE, LANES_SIZE = 1 << 22, 1 << 12
# In the config of a model, what is kept in its order.
ORDERED = ("input_layers", "output_layers")
MOST_TRIED = 1 << 18  # cells of a matrix that are written to find the shortest way


class BitWriter:
    """Writes bits of given probabilities, as 32-bit words of constriction's range coder."""

    def __init__(self) -> None:
        self._bits, self._chances = [], []  # coded together, in a fifth of the time

    def bit(self, p: float, given: Any) -> int:
        """Writes a bit that is 1 with probability `p`, and returns it."""
        bit = int(given)
        self._bits.append(bit)
        self._chances.append(p)
        return bit

    @property
    def number(self) -> int:
        """The number of bits written."""
        return len(self._bits)

    @property
    def size(self) -> float:
        """The length of the code of an ideal coder, in bits."""
        bits, chances = np.array(self._bits), np.array(self._chances)
        return -np.log2(np.where(bits, chances, 1 - chances)).sum()

    def words(self) -> np.ndarray:
        """The code of everything written, as 32-bit words."""
        coder = constriction.stream.queue.RangeEncoder()
        bernoulli = constriction.stream.model.Bernoulli(perfect=False)
        bits, chances = np.array(self._bits, np.int32), np.array(self._chances, np.float64)
        coder.encode(bits, bernoulli, chances)
        return coder.get_compressed()


def write(
    config: dict[str, Any],
    arrays: Iterable[np.ndarray],
    column_axes: Sequence[int],
    size: int = 0,
    verbose: int = 0,
) -> bytes:
    """The bytes of a file.

    Args:
        config: JSON-ready values.
        arrays: NumPy arrays, none of them of texts or objects; taken one after the other.
        column_axes: for each, how many of its last axes are the columns of a matrix.
        size: the number of numbers in all arrays, which chooses the version of the format.
        verbose: 0 for no line of progress.

    Raises:
        ValueError: if an array is of a type that the format does not support.
    """
    plain, claims = io.BytesIO(), 0
    model = Model(BitWriter(), large=size > LARGE_SIZE)
    model.number("all", len(column_axes))
    progress = ProgressLine(len(column_axes), verbose)
    try:
        for array, axes in zip(arrays, column_axes, strict=True):
            progress.show(f"of shape {np.shape(array)}")
            claims += _write_array(model, plain, np.asarray(array), axes)
    finally:
        progress.close()
    parts = config_bytes(config), deflated(plain.getvalue())
    sizes = np.array([len(part) for part in parts], "<u4").tobytes()
    body = b"".join((sizes, *parts, model.coder.words().astype("<u4").tobytes()))
    body += _padding(len(body), max(claims, model.coder.number / 4))
    return (LARGE if model.large else MAGIC) + zlib.crc32(body).to_bytes(4, "little") + body


def _padding(size, claims):
    """Zeros that readers ignore, for files that need more room than their size allows."""
    return bytes(4 * max(0, math.ceil((claims / ROOM - 1024 - size) / 4)))


def config_bytes(config: dict[str, Any]) -> bytes:
    """A config as bytes of a file."""
    text = json.dumps(_sorted(config), separators=(",", ":")).encode()
    return deflated(text, OF_CONFIG, WORDS)


def _sorted(config, is_kept=False):
    """A config with its keys in order, which makes files shorter, but for the names of inputs and
    outputs, whose order is the model's."""
    if isinstance(config, dict):
        items = config.items() if is_kept else sorted(config.items(), key=lambda item: str(item[0]))
        return {key: _sorted(value, key in ORDERED) for key, value in items}
    return [_sorted(each) for each in config] if isinstance(config, (list, tuple)) else config


def deflated(content: bytes, times: int = OF_PLAIN, known: bytes = b"") -> bytes:
    """Deflated bytes, with a preset dictionary `known`; not compressed if readers would refuse them
    because they inflate to more than so many `times` their size."""
    part = _deflate(content, 9, known)
    try:
        inflated(part, times, known)
    except ValueError:
        return _deflate(content, 0, known)
    return part


def _deflate(content, level, known):
    options = (level, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY)
    deflate = zlib.compressobj(*options, known) if known else zlib.compressobj(*options)
    return deflate.compress(content) + deflate.flush()


def _write_array(model, plain, array, axes):
    """Writes an array, and returns the room that it takes in a reader."""
    table, places, axes = table_and_places(array, axes)
    content, type_ = as_bytes(table)
    heads = {"rank": array.ndim, "kind": axes, "type": type_, "table": len(table)}
    for key, number in heads.items():
        model.number(key, number)
    for size in array.shape:
        model.number("shape", size)
    plain.write(content)
    in_lanes = int(bool(axes) and places.size >= LANES_SIZE)
    if axes and model.large:
        model.number("lanes", in_lanes)
    if model.large and in_lanes:
        npk_lanes.write(plain, places.reshape(-1, math.prod(places.shape[-axes:])))
    elif axes:
        _write_matrix(model, places, axes)
    return claim(array.shape, len(table), axes)


def table_and_places(array: np.ndarray, axes: int) -> tuple[np.ndarray, Any, int]:
    """The parts of a written array: a table of numbers, places in it, and how many of the last axes
    are the columns of the matrix of places. If that is 0, the table is the array."""
    magnitudes = _magnitudes(array)
    is_sparse = array.ndim and array.size and 4 * np.count_nonzero(array) <= 3 * array.size
    if magnitudes is not None:
        table = magnitudes if len(magnitudes) else np.zeros(1, array.dtype)
        places = np.sign(array).astype(np.int8) * (np.searchsorted(table, np.abs(array)) + 1)
    elif is_sparse and array.dtype.kind == "f" and np.isfinite(array).all():
        table, places = np.abs(array[array != 0]), np.sign(array).astype(int)
    else:
        table, places, axes = array.ravel(), None, 0
    return table, places, min(axes, array.ndim)


def _magnitudes(array):
    """The magnitudes of nonzeros, ascending; None if there are too many or they are not floats."""
    if array.dtype.kind != "f" or not array.ndim or not array.size or not np.isfinite(array).all():
        return None
    sizes = np.abs(array.ravel())
    some = np.unique(sizes[:: 1 + sizes.size // (1024 * MOST_LEVELS)])
    if len(some) > MOST_LEVELS + 1:
        return None
    # Most often these are all; else sorting all of a large array takes longer than the rest.
    known = some[np.minimum(np.searchsorted(some, sizes), len(some) - 1)]
    found = some if (known == sizes).all() else np.unique(sizes)
    found = found[found != 0]
    return found if len(found) <= MOST_LEVELS else None


def as_bytes(table: np.ndarray) -> tuple[bytes, int]:
    """Numbers as bytes, and the place of their type in `TYPES`."""
    if table.dtype == np.float32:
        bits = table.view("<u4")
        if not (bits & 0xFFFF).any():
            return (bits >> 16).astype("<u2").tobytes(), TYPES.index("<u2")
    name = table.dtype.newbyteorder("<").str.lstrip("|<")
    known = [type_.lstrip("<") for type_ in TYPES]
    name = {"b1": "?"}.get(name, name)
    if name not in known:
        raise ValueError(f"an array of type {table.dtype} cannot be written")
    return table.astype(TYPES[known.index(name)]).tobytes(), known.index(name)


def _write_matrix(model, places, axes):
    columns = math.prod(places.shape[-axes:])
    matrix = places.reshape(-1, columns).T
    counts = np.count_nonzero(matrix, axis=1)
    falling, given = int((np.diff(counts) <= 0).all()), matrix.tolist()
    rows = matrix.shape[1]
    pictures, some = [(0, 0), *pictures_of(places.shape)], given[: max(1, MOST_TRIED // rows)]

    def size(picture):
        trial = Model(BitWriter())
        list(trial.matrix(len(some), rows, *picture, falling, some))
        return trial.coder.size

    picture = min(pictures, key=size) if len(pictures) > 1 else pictures[0]
    for key, number in zip(("step", "line", "falling"), (*picture, falling), strict=True):
        model.number(key, number)
    list(Model(model.coder).matrix(columns, rows, *picture, falling, given))


def pictures_of(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Possible distances of neighbouring pixels among the rows of a matrix, if it is the kernel of
    a convolution, or may be that of a dense layer on square images of one or three channels."""
    if len(shape) == 4:
        height, width, channels, _ = shape
        return [(channels, width * channels)] if height * width > 1 else []
    rows = shape[0]
    sides = ((channels, math.isqrt(rows // channels)) for channels in (1, 3))
    return [
        (channels, side * channels)
        for channels, side in sides
        if len(shape) == 2 and side > 3 and side**2 * channels == rows
    ]
