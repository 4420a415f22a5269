"""Large matrices of whole numbers in `.npk` files: many codes beside each other, so that NumPy
reads a number of each at a time.

Range asymmetric numeral systems (Duda, 2013, arXiv:1311.2540), interleaved (Giesen, 2014,
arXiv:1402.3392). Probabilities are those of the numbers in the matrix, for classes of rows and
columns with similar magnitudes. docs/small.md specifies the format.
"""

from typing import BinaryIO

import numpy as np

PRECISION = 14  # bits of a probability
LEAST_STATE = 1 << 16
# So many numbers share a lane, whose final state takes 4 bytes; so many cells make a class.
CELLS_PER_LANE, MOST_LANES = 2048, 1 << 14
MOST_CLASSES, CELLS_PER_CLASS = 8, 1 << 17


def write(plain: BinaryIO, places: np.ndarray) -> None:
    """Writes a matrix of whole numbers from -64 to 64, of shape (rows, columns)."""
    sizes = np.abs(places)
    most = int(sizes.max(initial=0))
    classes = int(np.clip(places.size // CELLS_PER_CLASS, 1, MOST_CLASSES))
    by_row, by_column = (_classes(sizes.mean(axis=axis), classes) for axis in (1, 0))
    contexts = _contexts(by_row, by_column, classes)
    symbols = (places + most).astype(np.uint8).ravel()
    counts = _counts(contexts, symbols, classes**2, 2 * most + 1)
    lanes = min(max(1, places.size // CELLS_PER_LANE), MOST_LANES)
    states, words = _encoded(contexts, symbols, counts, lanes)
    head = np.array([most, classes, lanes, len(words)], "<u4")
    for part in (head, by_row, by_column, counts.astype("<u2"), states.astype("<u4"), words):
        plain.write(part.tobytes())


def read(plain: BinaryIO, rows: int, columns: int) -> np.ndarray:
    """Reads such a matrix, as int8 of shape (rows, columns).

    Raises:
        ValueError: if it is damaged.
    """
    most, classes, lanes, number = (int(n) for n in _array(plain, "<u4", 4))
    # Few lanes of many numbers would take long.
    enough = min(max(1, rows * columns // CELLS_PER_LANE), MOST_LANES)
    if most > 64 or not 0 < classes <= MOST_CLASSES or not enough <= lanes <= MOST_LANES:
        raise ValueError("it is cut off or damaged")
    by_row, by_column = (_array(plain, "u1", size) for size in (rows, columns))
    counts = _array(plain, "<u2", classes**2 * (2 * most + 1)).reshape(classes**2, -1)
    states, words = _array(plain, "<u4", lanes), _array(plain, "<u2", number)
    used = _contexts(np.unique(by_row), np.unique(by_column), classes)
    if (
        max(by_row.max(initial=0), by_column.max(initial=0)) >= classes
        or (counts[used].sum(axis=1) != 1 << PRECISION).any()
    ):
        raise ValueError("it is cut off or damaged")
    contexts = _contexts(by_row, by_column, classes)
    symbols = _decoded(contexts, counts.astype(np.uint32), states.astype(np.uint32), words)
    return (symbols.astype(np.int16) - most).astype(np.int8).reshape(rows, columns)


def _array(plain, kind, number):
    content = plain.read(number * np.dtype(kind).itemsize)
    return np.frombuffer(content, kind, number)  # raises if there is less


def _classes(means, number):
    """Classes of equal size, by order of the means."""
    ranks = np.empty(len(means), int)
    ranks[np.argsort(means, kind="stable")] = np.arange(len(means))
    return (ranks * number // max(len(means), 1)).astype(np.uint8)


def _contexts(by_row, by_column, classes):
    """The number of the table of each cell, in row-major order."""
    return np.add.outer(by_row * np.uint8(classes), by_column).ravel()


def _counts(contexts, symbols, number, size):
    """How often each symbol occurs in each context, of 2**PRECISION; those that occur, at least
    once."""
    cells = contexts.astype(np.int64) * size + symbols
    found = np.bincount(cells, minlength=number * size).reshape(number, size)
    total = np.maximum(found.sum(axis=1, keepdims=True), 1)
    counts = np.maximum(found * (1 << PRECISION) // total, found > 0)
    # The most frequent ones make up for what rounding has changed.
    best = counts.argmax(axis=1)
    counts[np.arange(number), best] += ((1 << PRECISION) - counts.sum(axis=1)) * (total[:, 0] > 0)
    return counts


def _encoded(contexts, symbols, counts, lanes):
    """The final states of the lanes, and the words in the order in which they are read."""
    counts = counts.astype(np.uint64)
    starts = np.cumsum(counts, axis=1) - counts
    states, words = np.full(lanes, LEAST_STATE, np.uint64), []
    for first in range((len(symbols) - 1) // lanes * lanes, -1, -lanes):
        here = contexts[first : first + lanes], symbols[first : first + lanes]
        count, start, state = counts[here], starts[here], states[: len(here[0])]
        full = state >= count << np.uint64(32 - PRECISION)
        words.append(state[full].astype("<u2"))  # the lower 16 bits
        state = np.where(full, state >> np.uint64(16), state)
        whole, rest = np.divmod(state, count)
        states[: len(state)] = (whole << np.uint64(PRECISION)) + rest + start
    return states, np.concatenate([*reversed(words), np.empty(0, "<u2")])


def _decoded(contexts, counts, states, words):
    """The symbols of all cells."""
    starts = np.cumsum(counts, axis=1, dtype=np.uint32) - counts
    slots = np.zeros((len(counts), 1 << PRECISION), np.uint8)
    for slot, count in zip(slots, counts, strict=True):
        if count.any():
            slot[:] = np.repeat(np.arange(len(count), dtype=np.uint8), count)
    symbols, lanes, place = np.empty(len(contexts), np.uint8), len(states), 0
    shift, low = np.uint32(PRECISION), np.uint32((1 << PRECISION) - 1)
    states = states.copy()
    for first in range(0, len(contexts), lanes):
        context = contexts[first : first + lanes]
        state = states[: len(context)]
        slot = state & low
        found = slots[context, slot]
        symbols[first : first + lanes] = found
        state = counts[context, found] * (state >> shift) + slot - starts[context, found]
        needy = np.flatnonzero(state < LEAST_STATE)
        following = words[place : place + len(needy)]
        if len(following) < len(needy):
            raise ValueError("it is cut off or damaged")
        state[needy] = state[needy] << np.uint32(16) | following
        states[: len(context)], place = state, place + len(needy)
    return symbols
