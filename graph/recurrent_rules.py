"""Rules of recurrent layers: a unit is its state, with all gates, and what reads it."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.kernels import value_of
from ..models.recurrent import CONVOLUTIONAL, KERNEL, RECURRENT_KERNEL, at_path
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
    """Whether the rule knows the layer: one with a single cell of Keras, or two of these in a
    `Bidirectional`. Only exact classes count: a subclass may do anything."""
    if type(layer) is layers.Bidirectional:
        return all(is_recurrent(getattr(layer, name)) for name in DIRECTIONS)
    if type(layer) is layers.RNN:
        return type(layer.cell) in _GATES
    return type(layer) in _GATES and isinstance(layer, layers.RNN)


class RecurrentRule(UnsupportedRule):
    """A cell, step by step: dead units begin at zero and stay there.

    Units of both directions of a `Bidirectional` are removed together, since Keras takes them to be
    equally many.
    """

    def trace(self, call: "Call", groups: "ChannelGroups") -> list[Channels | None] | None:
        cells = [*_cells(call.op).values()]
        sizes = {_size(cell) for cell in cells}
        read, states = call.inputs[0], call.places_of("initial_state")
        axis = _axis(call.op, call.tensors_in[0])
        known = all(map(_is_by_unit, cells))
        if len(sizes) > 1 or read is None or read.axis != axis or not known:
            return None
        units = groups.new(sizes.pop())
        for cell in cells:
            if not is_zero_at_zero(cell.activation):  # a unit without weights is not dead
                name = activation_name(cell.activation)
                groups.keep(units, f"{call.op.name} ({name} is not 0 at 0)")
        for place, channels in enumerate(call.inputs):
            if place in states:
                if channels is None or len(channels) != len(units):
                    return None
                groups.join(units, channels.groups)
            elif place:
                keep(groups, channels, f"{call.op.name} ({type(call.op).__name__})")
        call.inner = [Channels(1, units)]
        return [_output(call.op, tensor, units) for tensor in call.tensors_out]

    def constants(self, call: "Call", values: Sequence[Any]) -> list[np.ndarray | None]:
        places = call.places_of("initial_state")
        begun = np.zeros(len(call.inner[0]), bool)
        for place in places:
            begun |= values[place] != 0
        cells = _cells(call.op).values()
        call.alive = np.array([_alive(cell, values[0] != 0, begun) for cell in cells])
        found: list[np.ndarray | None] = []
        for channels in call.outputs:
            alive = call.alive
            if len(channels) == len(begun):  # a state, or both directions in one
                alive = alive.any(axis=0)
            found.append(np.where(alive.ravel(), np.nan, 0.0))
        return found

    def needed(
        self, call: "Call", needed: Sequence[Any], values: Sequence[Any]
    ) -> list[np.ndarray | None]:
        units = np.any([part for each in needed for part in self._by_unit(call, each)], axis=0)
        reads, states = np.zeros(len(call.inputs[0]), bool), np.zeros(len(units), bool)
        for cell, alive in zip(_cells(call.op).values(), call.alive, strict=True):
            gates = np.tile(units & alive, _gates(cell)[0])
            reads |= _used(cell.kernel)[:, gates].any(axis=1) & (values[0] != 0)
            states |= _used(cell.recurrent_kernel)[:, gates].any(axis=1) & alive
        given = call.places_of("initial_state")
        others = [
            channels and (units if place in given else np.ones(len(channels), bool))
            for place, channels in enumerate(call.inputs)
        ]
        return [reads, *others[1:], states]

    def _by_unit(self, call, channels):
        """Booleans of the channels of a tensor, of shape (directions, units)."""
        return channels.reshape(-1, len(call.inner[0]))

    def kernels(self, call: "Call") -> list[Sides]:
        found, units = [], call.inner[0].groups
        for path, cell in _cells(call.op).items():
            columns = np.tile(units, _gates(cell)[0])
            for name, read in ((KERNEL, call.inputs[0].groups), (RECURRENT_KERNEL, units)):
                rows = np.tile(read, math.prod(getattr(cell, name).shape[:-1]) // len(read))
                found.append(Sides(f"{path}.{name}", rows, columns))
        return found

    def vectors(self, call: "Call") -> list[tuple[Any, np.ndarray]]:
        biases = [cell.bias for cell in _cells(call.op).values() if cell.bias is not None]
        units = call.inner[0].groups
        return [(bias, np.tile(units, np.prod(bias.shape) // len(units))) for bias in biases]

    def config(self, call: "Call", kept: Kept, fold: np.ndarray | None) -> dict[str, Any]:
        layer, config = call.op, call.op.get_config()
        name = "filters" if _is_convolutional(layer) else "units"
        size = {name: number_of(kept.inner[0])}
        parts = [part for part in ("layer", "backward_layer", "cell") if part in config]
        return {part: _changed(config[part], size) for part in parts} or size

    def weights(
        self, call: "Call", kept: Kept, fold: np.ndarray | None
    ) -> dict[str, np.ndarray] | None:
        found = {}
        inputs, units = kept.inputs[0], kept.inner[0]
        for path, cell in _cells(call.op).items():
            columns = _of_gates(units, len(call.inner[0]), _gates(cell)[0])
            for name, rows in ((KERNEL, inputs), (RECURRENT_KERNEL, units)):
                kernel = taken(value_of(getattr(cell, name)), rows, -2)
                found[f"{path}.{name}"] = taken(kernel, columns, -1)
            if cell.bias is not None:
                found[f"{path}.bias"] = taken(value_of(cell.bias), columns, -1)
        return found


def _cells(layer):
    """The cells of a layer by the path of attributes to each."""
    if isinstance(layer, layers.Bidirectional):
        paths = [f"{name}.cell" for name in DIRECTIONS]
    else:
        paths = ["cell"]
    return {path: at_path(layer, path) for path in paths}


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


def _changed(serialized, size):
    """The serialized form of a layer with another number of units, not built for its inputs."""
    without = {key: value for key, value in serialized.items() if key != "build_config"}
    return {**without, "config": {**serialized["config"], **size}}
