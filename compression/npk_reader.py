"""Reads `.npk` files (docs/small.md) with NumPy alone, and runs simple networks in them."""

import io
import json
import math
import zlib
from pathlib import Path

import numpy as np

MAGIC, ROOM = b"NPK1", 1 << 12  # numbers for each byte: who claims more wants to fill the memory
TYPES = "<f4", "<u2", "<f2", "<f8", "<i4", "<i8", "u1", "?"  # <u2: the upper half of a <f4
KINDS = "InputLayer Conv2D MaxPooling2D Dense Flatten ReLU Activation Dropout".split()
WORDS = Path(__file__).with_name("npk_words.txt").read_bytes()  # that configs are made of


class BitReader:
    """Decodes 32-bit words of constriction's range coder (Bamler, 2022, arXiv:2201.01741)."""

    def __init__(self, words):
        self.words, self.range = iter([*words, 0, 0]), (1 << 64) - 1
        self.point = next(self.words) << 32 | next(self.words)

    def bit(self, p, _given=None):
        """The next bit, which is 1 with probability `p`."""
        scale, zero = self.range >> 24, int((1 - p) * (2**24 - 2)) + 1
        bit, edge = int(self.point >= scale * zero), scale * zero
        self.point, self.range = self.point - bit * edge, scale * (2**24 - zero) if bit else edge
        if self.range < 1 << 32:
            self.range, self.point = self.range << 32, self.point << 32 | next(self.words)
        return bit


class Model:
    """What is known of the bits to come. Its coder reads them, or writes those that are given."""

    def __init__(self, coder):
        self.coder, self.seen = coder, {}

    def bit(self, key, given=None):
        """A bit of which the earlier ones with the same key tell."""
        state = self.seen.setdefault(key, [0.5, 1.5])
        bit = self.coder.bit(min(max(state[0], 2**-12), 1 - 2**-12), given)
        state[:] = state[0] + (bit - state[0]) / state[1], min(state[1] + 1, 256)
        return bit

    def number(self, key, given=None):
        """A whole number from 0 on: how many digits it has after adding 1, then these."""
        size, found, given = 0, 1, None if given is None else given + 1
        while self.bit((key, size), given and given >> size > 1) and size < 48:
            size += 1
        for place in reversed(range(size)):
            found = 2 * found + self.bit((key, size, found), given and given >> place & 1)
        return found - 1

    def matrix(self, columns, rows, step, line, falling, given=None):
        """Columns of whole numbers, most of them 0 (`falling`: ever more); a row is as before, and
        as its neighbours in a picture, `step` or `line` rows away (0: no picture)."""
        ways = step, line, line + step, line - step, 2 * step, 2 * line
        alive, weight, hits, found = [0] * (rows + 1), [2] * rows, {}, []
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
            found.append(column)
        return found

    def array(self, plain, bytes_of_file):
        """An array: numbers as they are, or a matrix of places in a table of magnitudes."""
        rank, kind, type_, size = map(self.number, ("rank", "kind", "type", "table"))
        shape = [self.number("shape") for _ in range(rank)]
        if max(math.prod(shape), size) > ROOM * (256 + bytes_of_file):
            raise ValueError("it claims to hold more numbers than it can")
        table = np.frombuffer(plain.read(size * np.dtype(TYPES[type_]).itemsize), TYPES[type_])
        table = (table.astype("<u4") << 16).view("<f4") if type_ == 1 else table
        if kind == 0:
            return table.reshape(shape)
        columns, picture = math.prod(shape[-kind:]), map(self.number, ("step", "line", "falling"))
        places = Model(self.coder).matrix(columns, math.prod(shape) // columns, *picture)
        places = np.array(places, np.int64).T.reshape(shape)
        if size > 1 and np.abs(places).max() == 1:  # no table, but all numbers in their order
            places[places != 0] *= np.arange(1, size + 1)
        return np.where(places, np.sign(places) * table[np.abs(places) - 1], 0).astype(table.dtype)


def read(content):
    """The Keras config and the arrays, in the order of `model.weights`, in the bytes of a file."""
    if content[:8] != MAGIC + zlib.crc32(content[8:]).to_bytes(4, "little") or len(content) < 16:
        raise ValueError("it is not an .npk file of version 1, or is damaged")
    middle, end = (16 + np.cumsum(np.frombuffer(content, "<u4", 2, 8), dtype=np.int64)).tolist()
    config = json.loads(zlib.decompressobj(-15, zdict=WORDS).decompress(content[16:middle]))
    plain = io.BytesIO(zlib.decompressobj(-15).decompress(content[middle:end]))
    model = Model(BitReader(np.frombuffer(content[end:], "<u4").tolist()))
    return config, [model.array(plain, len(content)) for _ in range(model.number("all"))]


def run(config, arrays, x):
    """What a chain of layers answers to examples `x`, of shape (n, …)."""
    chain = [(layer["class_name"], layer["config"]) for layer in config["config"]["layers"]]
    if config["class_name"] != "Sequential" or len({c["name"] for _, c in chain}) < len(chain):
        raise ValueError("it is no simple chain of layers")
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
        elif kind == "Flatten":
            x = x.reshape(len(x), -1)
        activation = c.get("activation", "relu" if kind == "ReLU" else "linear")
        if activation == "softmax":
            x = np.exp(x - x.max(axis=-1, keepdims=True))
            x = x / x.sum(axis=-1, keepdims=True)
        x = np.maximum(x, 0) if activation == "relu" else x
    return x
