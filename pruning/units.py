"""Units by hand: which go together, `network_pruning.dependency_groups`, and `remove`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import keras
import numpy as np

from ..graph.dependency_groups import find_units
from ..graph.shrink import shrink
from ..graph.tracing import Graph
from ..models.copies import check_built, copy_of_model
from ..models.kernels import all_kernels, value_of
from ..models.layer_names import levels_of_layers
from ..utils import UsageError
from .layer_choice import is_list
from .prunables import hidden_kernels

SHOWN = 4  # names in a column


@dataclass(frozen=True)
class UnitGroup:
    """Layers that lose their units together.

    Attributes:
        name: of the first kernel.
        units: how many there are.
        kernels: the names of the kernels that have a part of each unit.
        readers: the names of the kernels that read the units.
    """

    name: str
    units: int
    kernels: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class UnitGroups(Mapping):
    """Each `UnitGroup` of a model by name. Printed, they are a table.

    Attributes:
        groups: the groups.
        fixed: kernels whose units cannot be removed, with the reason.
    """

    groups: dict[str, UnitGroup]
    fixed: tuple[str, ...]

    def __getitem__(self, name: str) -> UnitGroup:
        return self.groups[name]

    def __iter__(self) -> Any:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __str__(self) -> str:
        if not self:
            return "\n".join(f"not removable: {each}" for each in self.fixed)
        head = ("units", "of", "read by")
        rows = [(f"{g.units:,}", _listed(g.kernels), _listed(g.readers)) for g in self.values()]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = [
            f"{units:>{widths[0]}}  {of:<{widths[1]}}  {read}".rstrip()
            for units, of, read in (head, *rows)
        ]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, *(f"not removable: {each}" for each in self.fixed)])


def _listed(names):
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def dependency_groups(model: keras.Model) -> UnitGroups:
    """Which units of a model go together: those that a residual addition sums up, a head's part of
    query, key, value and output, or all gates of a recurrent unit (as in DepGraph; Fang et al.,
    2023, arXiv:2301.12900).

    Args:
        model: a built functional or sequential Keras model.

    Returns:
        A dictionary of groups by name; `print` shows it as a table.

    Raises:
        UsageError: (a ValueError) if the model is not a graph of layers.
        ValueError: if it is not built.
    """
    check_built(model)
    found, fixed = find_units(model, hidden_kernels(model))
    groups = {
        name: UnitGroup(
            name,
            group.shape[1],
            tuple(dict.fromkeys(part.kernel.name for part in group.parts)),
            tuple(dict.fromkeys(kernel.name for kernel, _ in group.consumers)),
        )
        for name, group in found.items()
    }
    return UnitGroups(groups, tuple(fixed))


def remove(model: keras.Model, units: Mapping[str, Sequence[int]]) -> keras.Model:
    """A smaller Keras model without given units, and without all that depends on them: their
    weights, biases and normalizations, what reads them, and the units that go with them.

    Args:
        model: a built functional or sequential Keras model. It is not changed.
        units: the numbers of the units, from 0, by the name of a layer or of a group, as in
            `{"conv2": [0, 4, 67]}`: units of a dense layer, filters of a convolution, heads of
            attention (of `GroupQueryAttention` those of keys and values), units of a recurrent
            layer, and of KerasHub's transformer layers hidden units of the feed-forward part.

    Returns:
        An ordinary Keras model, compiled as `model` is. As by `shrink`, units that were dead before
        are gone, too.

    Raises:
        UsageError: (a ValueError) if there is no such layer or unit, or one cannot be removed; the
            message says why.
        ValueError: if the model is not built, or is not a graph of layers.
    """
    check_built(model)
    if not isinstance(units, Mapping) or not units or not all(map(is_list, units.values())):
        raise UsageError('units: give numbers by layer, such as {"conv2": [0, 4, 67]}.')
    copy = copy_of_model(model)
    graph = Graph(copy)
    removed = np.zeros(len(graph.groups), bool)
    for name, numbers in units.items():
        removed[_groups_of(graph, name, numbers)] = True
    _check_left(graph, removed)
    _set_to_zero(graph, removed)
    return shrink(copy)


def _groups_of(graph, name, numbers):
    """The channel groups of a layer's units."""
    own, numbers = _own_groups(graph, name), [*numbers]
    for number in numbers:
        if isinstance(number, (bool, np.bool_)):
            raise UsageError(
                f"units: {name!r}: give numbers, not booleans, such as numpy.flatnonzero(mask)."
            )
        if not isinstance(number, Integral) or not 0 <= number < len(own):
            raise UsageError(
                f"units: {name!r} has no unit {number!r}; they go from 0 to {len(own) - 1}."
            )
    groups, fixed = graph.groups.find(own[np.array(numbers, int)]), graph.groups.fixed
    for number, group in zip(numbers, groups.tolist(), strict=True):
        if group in fixed:
            raise UsageError(
                f"units: unit {number} of {name!r} cannot be removed because of {fixed[group]}."
            )
    return groups


def _own_groups(graph, name):
    """The channel group of each unit of a layer or kernel."""
    levels = levels_of_layers(graph.model)
    known = [call for call in graph.first_calls.values() if call.rule.kernels(call)]
    for call in known:
        if name in levels[id(call.op)][0].names:
            return (call.inner or call.outputs)[0].groups
    for kernel in all_kernels(graph.model):
        if kernel.name == name and id(kernel.variable) in graph.sides:
            columns = graph.sides[id(kernel.variable)][1].columns
            return columns[np.sort(np.unique(columns, return_index=True)[1])]
    names = ", ".join(call.op.name for call in known)
    raise UsageError(f"units: {name!r} is no layer with units; choose from {names}.")


def _check_left(graph, removed):
    """Raises an error if nothing would be left of a layer."""
    for call in graph.first_calls.values():
        for channels in filter(None, (*call.inner, *call.outputs)):
            if removed[graph.groups.find(channels.groups)].all():
                raise UsageError(
                    f"units: of {call.op.name!r} no unit would be left; keep at least one."
                )


def _set_to_zero(graph, removed):
    """Sets all weights of channel groups to zero, in place."""
    kernels = {id(kernel.variable): kernel for kernel in all_kernels(graph.model)}
    for variable, (_, sides) in graph.sides.items():
        kernel = kernels[variable]
        matrix = np.array(kernel.matrix())
        if sides.rows is not None:
            matrix[removed[graph.groups.find(sides.rows)]] = 0
        matrix[:, removed[graph.groups.find(sides.columns)]] = 0
        kernel.variable.assign(kernel.array(matrix))
    for call in graph.first_calls.values():
        for vector, groups in call.rule.vectors(call):
            value = np.array(value_of(vector))
            value.reshape(-1)[removed[graph.groups.find(groups)]] = 0
            vector.assign(value)
