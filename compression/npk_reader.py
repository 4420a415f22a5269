"""Reads `.npk` files (docs/small.md) with NumPy alone, and runs simple networks in them."""

import io
import json
import math
import zlib
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAGIC, LARGE = b"NPK1", b"NPK2"  # the second version, of large networks
ROOM = 1 << 9  # numbers per byte: files that claim more could exhaust the memory
TYPES = "<f4", "<u2", "<f2", "<f8", "<i4", "<i8", "u1", "?", "i1"  # <u2: the upper half of a <f4
OF_CONFIG, OF_PLAIN = 16, 64  # the largest compression ratios of deflated parts
KINDS = "InputLayer Conv2D MaxPooling2D Dense Flatten ReLU Activation Dropout".split()
WORDS = Path(__file__).with_name("npk_words.txt").read_bytes()  # that configs are made of


class BitReader:
    """Decodes 32-bit words of constriction's range coder (Bamler, 2022, arXiv:2201.01741)."""

    def __init__(self, words: Sequence[int], most: float = math.inf) -> None:
        self.words, self.range, self.left = iter([*words, 0, 0]), (1 << 64) - 1, most
        self.point = self.word() << 32 | self.word()

    def word(self) -> int:
        """The next word; a valid file has enough of them, for a limited number of bits."""
        if (word := next(self.words, None)) is None or self.left < 0:
            raise ValueError("it is cut off or damaged")
        return word

    def bit(self, p: float, _given: int | None = None) -> int:
        """The next bit, which is 1 with probability `p`."""
        scale, zero = self.range >> 24, int((1 - p) * (2**24 - 2)) + 1
        bit, edge = int(self.point >= scale * zero), scale * zero
        self.point, self.range = self.point - bit * edge, scale * (2**24 - zero) if bit else edge
        self.left -= 1
        if self.range < 1 << 32:
            self.range, self.point = self.range << 32, self.point << 32 | self.word()
        return bit


class Model:
    """An adaptive model of bits. Its coder reads them, or writes given ones."""

    def __init__(self, coder: Any, room: float = 0, large: bool = False) -> None:
        self.coder, self.room, self.large, self.seen = coder, room, large, {}

    def bit(self, key: Hashable, given: int | None = None) -> int:
        """A bit whose probability is estimated from earlier ones with the same key."""
        state = self.seen.setdefault(key, [0.5, 1.5])
        bit = self.coder.bit(min(max(state[0], 2**-12), 1 - 2**-12), given)
        state[:] = state[0] + (bit - state[0]) / state[1], min(state[1] + 1, 256)
        return bit

    def number(self, key: Hashable, given: int | None = None) -> int:
        """A whole number, 0 or more: the number of binary digits of its successor, then these."""
        size, found, given = 0, 1, None if given is None else given + 1
        while self.bit((key, size), given and given >> size > 1) and size < 48:
            size += 1
        for place in reversed(range(size)):
            found = 2 * found + self.bit((key, size, found), given and given >> place & 1)
        return found - 1

    def matrix(
        self, columns: int, rows: int, step: int, line: int, falling: int, given: Any = None
    ) -> Iterator[list[int]]:
        """Columns of whole numbers, mostly 0 (`falling`: more and more), one by one. Rows resemble
        earlier columns, and neighbours in an image, `step` or `line` rows away (0: no image)."""
        ways = step, line, line + step, line - step, 2 * step, 2 * line
        alive, weight, hits = [0] * (rows + 1), [2] * rows, {}
        for row in range(rows):  # the last of `alive` lies outside
            key = "alive", *(alive[max(row - way, -1)] for way in ways[:4])
            alive[row] = self.bit(key, given and any(column[row] for column in given))
        live = [row for row in range(rows) if alive[row]]
        count = len(live)
        for known in given or [None] * columns:
            before, count = count, known and sum(map(bool, known))
            count = self.number("count", known and (before - count if falling else count))
            left = count = before - count if falling else count
            rest = sum(weight[row] for row in live)
            column, near, far, signs = ([0] * rows for _ in range(4))
            for ahead, row in zip(range(len(live), 0, -1), live if left > 0 else (), strict=False):
                seen = hits.setdefault((near[row], min(far[row], 3)), [8.0, 8.0])
                p = min(left * weight[row] / rest, 0.98)
                odds = p / (1 - p) * (seen[0] / seen[1])
                p_there = min(max(odds / (1 + odds), 2**-13), 0.98)
                there = left >= ahead or self.coder.bit(p_there, known and known[row] != 0)
                seen[:], rest = (seen[0] + there, seen[1] + p), rest - weight[row]
                if there:
                    weight[row], left = weight[row] + 1, left - 1
                    sign = self.bit(("sign", max(-2, min(signs[row], 2))), known and known[row] > 0)
                    size = 1 + self.number(("size", sign), known and abs(known[row]) - 1)
                    column[row] = (2 * sign - 1) * size
                    for n, way in enumerate(ways):
                        if 0 < way < rows - row:
                            (near if n < 2 else far)[row + way] += 1
                            signs[row + way] += (2 * sign - 1) * (n < 4)
                    if not left:
                        break
            yield column

    def array(self, plain: BinaryIO, wanted: tuple[int, ...] | None = None) -> np.ndarray:
        """An array, of the `wanted` shape, if any: numbers, or places in a table of them."""
        rank, kind, type_, size = map(self.number, ("rank", "kind", "type", "table"))
        shape = tuple(self.number("shape") for _ in range(min(rank, 33)))
        self.room -= claim(shape, size, kind)
        if rank > 32 or self.room < 0:
            raise ValueError("it claims to hold more numbers than it can")
        if wanted not in (None, shape):
            raise ValueError("its arrays are not those of its model")
        table = np.frombuffer(plain.read(size * np.dtype(TYPES[type_]).itemsize), TYPES[type_])
        table = (table.astype("<u4") << 16).view("<f4") if type_ == 1 else table
        if kind == 0:
            return table.reshape(shape)
        places = self._places(math.prod(shape[-kind:]), math.prod(shape), plain)
        there, array = places.nonzero(), np.zeros(places.shape, table.dtype)
        sizes = np.abs(places[there])
        is_plain = size > 1 and sizes.max(initial=0) == 1  # no table, but all numbers in order
        array[there] = np.sign(places[there]) * (table if is_plain else table[sizes - 1])
        return array.reshape(shape)

    def _places(self, columns, size, plain):
        if self.large and self.number("lanes"):
            from . import npk_lanes

            return npk_lanes.read(plain, size // columns, columns)
        picture = map(self.number, ("step", "line", "falling"))
        places = np.zeros((size // columns, columns), np.int32)
        for n, column in enumerate(Model(self.coder).matrix(columns, len(places), *picture)):
            if there := [row for row, place in enumerate(column) if place]:
                places[there, n] = [column[row] for row in there]  # elsewhere it takes no memory
        return places


def claim(shape: tuple[int, ...], size: int, kind: int) -> int:
    """The room that an array with a table of this size takes, including time for its columns."""
    numbers, columns = (math.prod(max(n, 1) for n in part) for part in (shape, shape[-kind:]))
    return 64 + max(numbers + 16 * columns * (kind > 0), size)


def inflated(part: bytes, times: int, known: bytes = b"") -> bytes:
    """A deflated part of a file, inflated to at most so many times its size plus a megabyte."""
    most = (1 << 20) + times * len(part)
    content = zlib.decompressobj(-15, known).decompress(part, most + 1)
    if len(content) > most:
        raise ValueError("it claims to hold more bytes than it can")
    return content


def parts(content: bytes) -> tuple[bytes, bytes, bytes]:
    """The three parts of a file: deflated config and plain numbers, and the coder's words."""
    sums = zlib.crc32(content[8:]).to_bytes(4, "little")
    if content[:8] not in (MAGIC + sums, LARGE + sums) or len(content) < 16:
        raise ValueError("it is not an .npk file of version 1 or 2, or is damaged")
    middle, end = (16 + np.cumsum(np.frombuffer(content, "<u4", 2, 8), dtype=np.int64)).tolist()
    return content[16:middle], content[middle:end], content[end:]


def read_config(content: bytes) -> dict[str, Any]:
    """The Keras config in the bytes of a file."""
    return json.loads(inflated(parts(content)[0], OF_CONFIG, WORDS))


def read_arrays(content: bytes, shapes: Sequence | None = None) -> list[np.ndarray]:
    """The arrays in a file's bytes, as in `model.weights`; none of other `shapes` is decoded."""
    plain, words = parts(content)[1:]
    room, plain = ROOM * (1024 + len(content)), io.BytesIO(inflated(plain, OF_PLAIN))
    coder = BitReader(np.frombuffer(words, "<u4").tolist(), 4 * room)
    model = Model(coder, room, content[:4] == LARGE)
    number = model.number("all")
    if shapes is not None and number != len(shapes):
        raise ValueError("its arrays are not those of its model")
    return [model.array(plain, shapes[n] if shapes else None) for n in range(number)]


def read(content: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The config and the arrays in the bytes of a file."""
    return read_config(content), read_arrays(content)


def run(config: dict[str, Any], arrays: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """The outputs of a chain of layers for examples `x`, of shape (n, …)."""
    chain = [(layer["class_name"], layer["config"]) for layer in config["config"]["layers"]]
    if config["class_name"] != "Sequential" or len({c["name"] for _, c in chain}) < len(chain):
        raise ValueError("it is not a simple chain of layers")
    for kind, c in chain:
        known = kind in KINDS and c.get("activation", "linear") in ("linear", "relu", "softmax")
        odd = "padding groups dilation_rate max_value negative_slope threshold".split()
        if not known or any(key in c for key in odd) or c.get("data_format") == "channels_first":
            raise ValueError(f"it has a layer {c['name']!r} ({kind}) that only Keras can run")
    arrays = iter(arrays)
    for kind, c in chain:
        if kind in ("Conv2D", "MaxPooling2D"):
            size = c.get("kernel_size") or c.get("pool_size", (2, 2))
            down, right = c.get("strides") or (size if kind == "MaxPooling2D" else (1, 1))
            x = np.lib.stride_tricks.sliding_window_view(x, size, (1, 2))[:, ::down, ::right]
            x = x.max(axis=(-2, -1)) if kind == "MaxPooling2D" else np.moveaxis(x, 3, -1)
        if kind in ("Conv2D", "Dense"):
            kernel = next(arrays)
            x = np.tensordot(x, kernel, kernel.ndim - 1)
            x = x + next(arrays) if c.get("use_bias", True) else x
        x = x.reshape(len(x), -1) if kind == "Flatten" else x
        activation = c.get("activation", "relu" if kind == "ReLU" else "linear")
        if activation == "softmax":
            x = np.exp(x - x.max(axis=-1, keepdims=True))
            x = x / x.sum(axis=-1, keepdims=True)
        x = np.maximum(x, 0) if activation == "relu" else x
    return x
