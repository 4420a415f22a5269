"""What least squares need to know of a layer: the products of its inputs with each other and with
the outputs that are wanted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..models.arrays import (
    Array,
    in_float64,
    in_type,
    is_numpy,
    namespace,
    placed_like,
    rows_in,
    to_numpy,
)
from ..models.kernels import value_of
from .readings import Reading

# Rows that are multiplied at a time: with 1,000 inputs they take 8 MB.
ROWS = 1024
# More rows than these say little more about a layer; the larger number counts.
ROWS_PER_INPUT, MOST_ROWS = 20, 20_000
# Of so many examples one is held out.
HELD_OUT = 10

Pair = tuple[Array, Array]


class Moments:
    """Sums of products over rows, in float64, where the rows are.

    Attributes:
        gram: XᵀX of the pruned model's inputs, of shape (groups, inputs, inputs).
        cross: XᵀY with the dense model's outputs, of shape (groups, inputs, units).
        square: of the outputs, of shape (groups, units).
        rows: how many there were.
    """

    def __init__(self, groups: int, inputs: int, units: int) -> None:
        self.gram: Array = np.zeros((groups, inputs, inputs))
        self.cross: Array = np.zeros((groups, inputs, units))
        self.square = np.zeros((groups, units))
        self.rows = 0

    def add(self, x: Array, y: Array) -> None:
        """Adds rows of inputs, of shape (rows, groups, inputs), and of outputs, in float64."""
        xp = namespace(x)
        x, y = xp.moveaxis(x, 1, 0), xp.moveaxis(y, 1, 0)
        self.gram, self.cross = (placed_like(sums, x) for sums in (self.gram, self.cross))
        if is_numpy(x):  # new memory for the products would take longer than these
            self.gram += np.matmul(x.swapaxes(1, 2), x, out=self._buffer)
        else:
            self.gram += xp.matmul(xp.swapaxes(x, 1, 2), x)
        self.cross += xp.matmul(xp.swapaxes(x, 1, 2), y)
        self.square += to_numpy(xp.sum(xp.square(y), axis=1))
        self.rows += x.shape[1]

    @cached_property
    def _buffer(self):
        return np.empty_like(self.gram)

    @property
    def diagonal(self) -> np.ndarray:
        """Sums of squares of the inputs, of shape (groups, inputs)."""
        xp = namespace(self.gram)
        with in_float64(self.gram):
            return to_numpy(xp.diagonal(self.gram, axis1=1, axis2=2))

    def error(self, weights: np.ndarray) -> np.ndarray:
        """Σ ‖X·w - y‖² of every unit, of shape (groups, units)."""
        xp = namespace(self.gram)
        with in_float64(self.gram):
            placed = placed_like(weights, self.gram)
            change = xp.matmul(self.gram, placed) - 2 * self.cross
            error = self.square + to_numpy(xp.sum(placed * change, axis=1))
        return np.maximum(error, 0)


@dataclass
class Observed:
    """The `Moments` of a layer on most examples, and on those that are held out.

    Attributes:
        fitted, held_out: the `Moments`.
        has_bias: whether the last of the inputs is a one for the bias.
    """

    fitted: Moments
    held_out: Moments
    has_bias: bool


def are_held_out(examples: np.ndarray) -> np.ndarray:
    """Which examples are held out, given their numbers: booleans."""
    return examples % HELD_OUT == HELD_OUT - 1


def observe(
    pruned: Reading,
    dense: Reading,
    batches: Iterable[tuple[int, list[Pair]]],
    examples: int,
    seed: int,
) -> Observed:
    """What a layer reads in the pruned model and what it computes in the dense one.

    Args:
        pruned, dense: how the layer of each model reads its inputs.
        batches: for each batch the number of its first example, and the layer's inputs in both
            models, a pair of arrays for each of its calls.
        examples: how many there are in all.
        seed: chooses the positions, where not all are needed.
    """
    weights, bias = dense.split(dense.kernel.matrix()).astype(np.float64), dense.bias
    groups, inputs, units = weights.shape
    size = (groups, inputs + (bias is not None), units)
    seen = Observed(Moments(*size), Moments(*size), bias is not None)
    offset = np.zeros(()) if bias is None else dense.split(value_of(bias).reshape(1, -1))[:, 0]
    random = np.random.default_rng(seed)
    most = max(ROWS_PER_INPUT * inputs, MOST_ROWS)
    for first, pairs in batches:
        for one, other in pairs:
            for example, place in _chosen(pruned, one, most / (examples * len(pairs)), random):
                x, y = pruned.rows(one, example, place), dense.rows(other, example, place)
                held = are_held_out(first + example)
                with in_float64(x):
                    x, y = _products(x, y, weights, offset, bias is not None)
                    seen.fitted.add(rows_in(x, ~held), rows_in(y, ~held))
                    seen.held_out.add(rows_in(x, held), rows_in(y, held))
    return seen


def _products(x, y, weights, offset, has_bias):
    """Rows of the pruned model's inputs, and of the dense one's outputs, in float64."""
    xp, x = namespace(x), in_type(x, "float64")
    y = xp.moveaxis(in_type(y, "float64"), 1, 0)
    y = xp.moveaxis(xp.matmul(y, placed_like(weights, y)), 0, 1) + placed_like(
        offset.astype(np.float64), y
    )
    if has_bias:
        x = xp.concatenate([x, xp.ones((*x.shape[:2], 1), dtype="float64")], axis=2)
    return x, y


def _chosen(reading, inputs, share, random) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Examples and positions of rows, ROWS at a time; `share` of an example's positions, at most
    all."""
    positions = reading.positions(inputs)
    number = min(positions, max(1, int(np.ceil(share))))
    places = np.broadcast_to(np.arange(positions), (len(inputs), positions))
    if number < positions:
        places = random.permuted(places, axis=1)[:, :number]
    examples = np.repeat(np.arange(len(inputs)), number)
    for start in range(0, examples.size, ROWS):
        yield examples[start : start + ROWS], places.ravel()[start : start + ROWS]
