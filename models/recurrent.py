"""Recurrent layers: their cells, and the sequences that a cell's kernels read."""

from dataclasses import dataclass
from typing import Any

import keras

from .arrays import Array

CELLS = (keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.SimpleRNNCell)
# Their cells are not public.
CONVOLUTIONAL = (
    keras.layers.ConvLSTM1D,
    keras.layers.ConvLSTM2D,
    keras.layers.ConvLSTM3D,
)
# Of a cell: what it multiplies its inputs with, and its state.
KERNEL, RECURRENT_KERNEL = "kernel", "recurrent_kernel"


def cells_of(layer: keras.Layer) -> dict[str, keras.Layer]:
    """The cells of a recurrent layer that this program knows, by the path of attributes from the
    layer to the cell; none of another layer."""
    if isinstance(layer, CONVOLUTIONAL):
        return {"cell": layer.cell}
    if not isinstance(layer, keras.layers.RNN):
        return {}
    return {path: cell for path, cell in stack_of(layer).items() if isinstance(cell, CELLS)}


def stack_of(layer: keras.layers.RNN) -> dict[str, keras.Layer]:
    """All cells of a recurrent layer, one upon the other, by the path of attributes to each."""
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        return {f"cell.cells.{number}": cell for number, cell in enumerate(layer.cell.cells)}
    return {"cell": layer.cell}


def at_path(layer: Any, path: str) -> Any:
    """What a path of attributes leads to, such as "cell.cells.0"."""
    for part in filter(None, path.split(".")):
        layer = layer[int(part)] if part.isdigit() else getattr(layer, part)
    return layer


@dataclass(frozen=True)
class Sequences:
    """What a cell has read over time, in one call of its layer.

    Attributes:
        inputs: of shape (examples, steps, ..., channels).
        states: what it had as its output one step before, of the same shape but for the channels.
    """

    inputs: Array
    states: Array


def sequences_of(
    layer: keras.layers.RNN, sequences: Any, initial_state: Any = None, mask: Any = None
) -> dict[str, Sequences]:
    """The `Sequences` of each cell of a recurrent layer by its path; its steps are made one after
    the other.

    Args:
        layer: the layer, built.
        sequences: a tensor of shape (examples, steps, ..., channels).
        initial_state: as the layer takes it.
        mask: of shape (examples, steps); where it is False the state stays as it is.
    """
    cells = [*stack_of(layer).items()]
    state = _initial(layer, cells, sequences, initial_state)
    seen: dict[str, tuple[list, list]] = {path: ([], []) for path, _ in cells}
    for step in _steps(layer, sequences.shape[1]):
        x = sequences[:, step]
        for number, (path, cell) in enumerate(cells):
            before = state[number]
            seen[path][0].append(_last(layer, x))
            seen[path][1].append(_last(layer, before[0]))
            x, after = cell(x, before)
            after = after if isinstance(after, (list, tuple)) else [after]
            state[number] = _where(mask, step, after, before)
    return {path: Sequences(*map(_stacked, both)) for path, both in seen.items()}


def _initial(layer, cells, inputs, given):
    """The states of each cell before the first step, as lists."""
    if given is None:
        given = layer.get_initial_state(inputs.shape[0])
    flat = keras.tree.flatten(given)
    if len(cells) == 1:
        return [flat]
    ahead = iter(flat)
    sizes = [keras.tree.flatten(cell.state_size) for _, cell in cells]
    return [[next(ahead) for _ in own] for own in sizes]


def _steps(layer, number):
    return range(number)[::-1] if layer.go_backwards else range(number)


def _where(mask, step, after, before):
    if mask is None:
        return [*after]
    now = mask[:, step]
    return [
        keras.ops.where(keras.ops.reshape(now, (-1, *(1 for _ in a.shape[1:]))), a, b)
        for a, b in zip(after, before, strict=True)
    ]


def _last(layer, tensor):
    """A tensor of one step with its channels last."""
    if getattr(layer, "data_format", None) == "channels_first" and len(tensor.shape) > 2:
        return keras.ops.moveaxis(tensor, 1, -1)
    return tensor


def _stacked(tensors):
    return keras.ops.stack(tensors, axis=1)
