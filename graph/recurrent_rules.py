"""Rules of recurrent layers: a unit is its state, with all gates, and what reads it."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.kernels import value_of
from ..models.recurrent import CONVOLUTIONAL, KERNEL, RECURRENT_KERNEL, at_path, stack_of
from .activations import activation_name, is_elementwise, is_zero_at_zero
from .channels import Channels
from .rule_base import Kept, Sides, UnsupportedRule, keep, number_of, taken

if TYPE_CHECKING:
    from .channels import ChannelGroups
    from .tracing import Call

layers = keras.layers

# By the type of the layer or of its cell: the number of gates, and which of them is the candidate
# for the state; the others only weigh it.
_GATES = {
    **dict.fromkeys((*CONVOLUTIONAL, layers.LSTM, layers.LSTMCell), (4, 2)),
    **dict.fromkeys((layers.GRU, layers.GRUCell), (3, 2)),
    **dict.fromkeys((layers.SimpleRNN, layers.SimpleRNNCell), (1, 0)),
}
DIRECTIONS = ("forward_layer", "backward_layer")


def is_recurrent(layer: Any) -> bool:
    """Whether the rule knows the layer: one with cells of Keras, or two of these in a
    `Bidirectional`. Only exact classes count: a subclass may do anything."""
    if type(layer) is layers.Bidirectional:
        return all(is_recurrent(getattr(layer, name)) for name in DIRECTIONS)
    if type(layer) is layers.RNN:
        return all(type(cell) in _GATES for cell in stack_of(layer).values())
    return type(layer) in _GATES and isinstance(layer, layers.RNN)


class RecurrentRule(UnsupportedRule):
    """Cells, step by step: dead units begin at zero and stay there.

    A layer has levels, one for each of stacked cells: the first reads the inputs, each other one
    the level before; `inner` are the units of each. Units of both directions of a `Bidirectional`
    are removed together, since Keras takes them to be equally many.
    """

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        levels = _levels(call.op)
        sizes = [{_size(cell) for cell in level.values()} for level in levels]
        read, states = call.inputs[0], call.places_of("initial_state")
        axis = _axis(call.op, call.tensors_in[0])
        known = all(_is_by_unit(cell) for level in levels for cell in level.values())
        if any(len(size) > 1 for size in sizes) or read is None or read.axis != axis or not known:
            return None
        if states and len(levels) > 1:
            return None
        call.inner = [Channels(1, groups.new(size.pop())) for size in sizes]
        for level, units in zip(levels, call.inner, strict=True):
            for cell in level.values():
                if not is_zero_at_zero(cell.activation):  # a unit without weights is not dead
                    name = activation_name(cell.activation)
                    groups.keep(units.groups, f"{call.op.name} ({name} is not 0 at 0)")
        for place, channels in enumerate(call.inputs):
            if place in states:
                if channels is None or len(channels) != len(call.inner[0]):
                    return None
                groups.join(call.inner[0].groups, channels.groups)
            elif place:
                keep(groups, channels, f"{call.op.name} ({type(call.op).__name__})")
        return [
            _output(call.op, tensor, call.inner[level].groups)
            for tensor, level in zip(call.tensors_out, _levels_of_outputs(call), strict=True)
        ]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        begun = [np.zeros(len(units), bool) for units in call.inner]
        for place in call.places_of("initial_state"):
            begun[0] |= values[place] != 0
        levels, call.alive = _levels(call.op), []
        reads = [values[0] != 0] * len(levels[0])  # of each direction
        for level, start in zip(levels, begun, strict=True):
            pairs = zip(level.values(), reads, strict=True)
            reads = [_alive(cell, read, start) for cell, read in pairs]
            call.alive.append(np.array(reads))
        found: list[np.ndarray | None] = []
        for channels, level in zip(call.outputs, _levels_of_outputs(call), strict=True):
            alive = call.alive[level]
            if len(channels) == len(begun[level]):  # a state, or both directions in one
                alive = alive.any(axis=0)
            found.append(np.where(alive.ravel(), np.nan, 0.0))
        return found

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        places = [*_levels_of_outputs(call), *range(len(call.inner))]
        units = [np.zeros(len(each), bool) for each in call.inner]
        for level, each in zip(places, needed, strict=True):
            units[level] |= each.reshape(-1, len(units[level])).any(axis=0)
        given = call.places_of("initial_state")
        others = [
            channels and (units[0] if place in given else np.ones(len(channels), bool))
            for place, channels in enumerate(call.inputs)
        ]
        reads = np.zeros(len(call.inputs[0]), bool)
        inner = [np.zeros(len(each), bool) for each in units]
        for level, cells in enumerate(_levels(call.op)):
            for direction, cell in enumerate(cells.values()):
                alive = call.alive[level][direction]
                gates = np.tile(units[level] & alive, _gates(cell)[0])
                inner[level] |= _used(cell.recurrent_kernel)[:, gates].any(axis=1) & alive
                used = _used(cell.kernel)[:, gates].any(axis=1)
                if level:
                    inner[level - 1] |= used & call.alive[level - 1][direction]
                else:
                    reads |= used & (values[0] != 0)
        return [reads, *others[1:], *inner]

    def kernels(self, call: "Call") -> list[Sides]:
        found = []
        for path, cell, inputs, units in _by_cells(call, call.inputs[0], call.inner):
            columns = np.tile(units.groups, _gates(cell)[0])
            for name, read in ((KERNEL, inputs.groups), (RECURRENT_KERNEL, units.groups)):
                rows = np.tile(read, math.prod(getattr(cell, name).shape[:-1]) // len(read))
                found.append(Sides(f"{path}.{name}", rows, columns))
        return found

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        return [
            (cell.bias, np.tile(units.groups, np.prod(cell.bias.shape) // len(units)))
            for _, cell, _, units in _by_cells(call, call.inputs[0], call.inner)
            if cell.bias is not None
        ]

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        name = "filters" if _is_convolutional(call.op) else "units"
        sizes = [{name: number_of(units)} for units in kept.inner]
        return _resized(call.op.get_config(), sizes)

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        found = {}
        for path, cell, inputs, units in _by_cells(call, kept.inputs[0], kept.inner):
            columns = _of_gates(units, _size(cell), _gates(cell)[0])
            for name, rows in ((KERNEL, inputs), (RECURRENT_KERNEL, units)):
                kernel = taken(value_of(getattr(cell, name)), rows, -2)
                found[f"{path}.{name}"] = taken(kernel, columns, -1)
            if cell.bias is not None:
                found[f"{path}.bias"] = taken(value_of(cell.bias), columns, -1)
        return found


def _levels(layer):
    """For each level, the cells of all directions by the path to each."""
    parts = DIRECTIONS if isinstance(layer, layers.Bidirectional) else ("",)
    stacks = [
        [(f"{part}.{path}".lstrip("."), c) for path, c in stack_of(at_path(layer, part)).items()]
        for part in parts
    ]
    return [dict(cells) for cells in zip(*stacks, strict=True)]


def _levels_of_outputs(call):
    """Which level each output of a call is of: the last, or that of a state."""
    levels = _levels(call.op)
    last = len(levels) - 1
    states = [
        level
        for level, cells in enumerate(levels)
        for _ in keras.tree.flatten(next(iter(cells.values())).state_size)
    ]
    returned = len(call.tensors_out) - 1
    return [last, *(states * returned)[:returned]]


def _by_cells(call, inputs, inner):
    """Of each cell: its path, itself, and what is given for the channels that it reads, and for its
    units."""
    reads = [inputs, *inner]
    for level, cells in enumerate(_levels(call.op)):
        for path, cell in cells.items():
            yield path, cell, reads[level], reads[level + 1]


def _is_by_unit(cell):
    """Whether no activation of a cell reads several units at once."""
    return all(
        is_elementwise(getattr(cell, name, None)) for name in ("activation", "recurrent_activation")
    )


def _gates(cell):
    """The number of gates, and the place of the candidate."""
    return _GATES.get(type(cell), (4, 2))  # cells of ConvLSTM are not public


def _size(cell):
    return cell.recurrent_kernel.shape[-2]


def _is_convolutional(layer):
    each = layer.forward_layer if isinstance(layer, layers.Bidirectional) else layer
    return isinstance(each, CONVOLUTIONAL)


def _axis(layer, tensor):
    """The channel axis of a sequence, or of one step of it."""
    each = layer.forward_layer if isinstance(layer, layers.Bidirectional) else layer
    if getattr(each, "data_format", None) == "channels_first":
        return len(tensor.shape) - each.cell.rank - 1
    return len(tensor.shape) - 1


def _output(layer, tensor, units):
    """The channels of an output: the units, or those of both directions one after the other."""
    axis = _axis(layer, tensor)
    return Channels(axis, np.tile(units, tensor.shape[axis] // len(units)))


def _used(variable):
    """Which channels each column of a kernel reads, of shape (channels, columns)."""
    return (value_of(variable) != 0).reshape(-1, *variable.shape[-2:]).any(axis=0)


def _alive(cell, read, begun):
    """Which units of a cell are not always zero: their candidates have a bias, or read something
    that is not.

    Args:
        cell: the cell.
        read: which inputs are not always zero.
        begun: which units do not begin at zero.
    """
    if not is_zero_at_zero(cell.activation):
        return np.ones(_size(cell), bool)
    number, place = _gates(cell)
    own = np.arange(_size(cell)) + place * _size(cell)
    alive = begun | _used(cell.kernel)[:, own][read].any(axis=0)
    if cell.bias is not None:
        bias = value_of(cell.bias).reshape(-1, number * _size(cell))
        alive |= bias[:, own].any(axis=0)
    recurrent, before = _used(cell.recurrent_kernel)[:, own], -1
    while before != alive.sum():
        before = alive.sum()
        alive = alive | recurrent[alive].any(axis=0)
    return alive


def _of_gates(units, number, gates):
    """Booleans or indices of units as those of the columns of all gates."""
    if units is None:
        return None
    if units.dtype == bool:
        return np.tile(units, gates)
    return np.concatenate([units + gate * number for gate in range(gates)])


def _resized(config, sizes):
    """The settings of a layer that change with the numbers of units of its cells.

    Args:
        config: of a layer, or of a cell.
        sizes: what changes in each cell.
    """
    if "cells" in config:
        pairs = zip(config["cells"], sizes, strict=True)
        return {"cells": [_changed(cell, [size]) for cell, size in pairs]}
    parts = [part for part in ("layer", "backward_layer", "cell") if part in config]
    return {part: _changed(config[part], sizes) for part in parts} or sizes[0]


def _changed(serialized, sizes):
    """The serialized form of a layer with other numbers of units, not built for its inputs."""
    without = {key: value for key, value in serialized.items() if key != "build_config"}
    config = serialized["config"]
    return {**without, "config": {**config, **_resized(config, sizes)}}
