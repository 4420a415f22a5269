"""Dependency groups of a Keras model: units that can only be removed together.

As in DepGraph (Fang et al., 2023, arXiv:2301.12900): the layer graph shows which channels of which
layers depend on each other.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import keras
import numpy as np

from ..models import kernels
from ..models.arrays import Array, is_numpy, namespace
from ..models.kernels import Kernel
from ..utils import UsageError
from .tracing import Graph, function_of


@dataclass(frozen=True)
class CoupledColumns:
    """Columns of a kernel's matrix that belong to a dependency group.

    Attributes:
        kernel: the `Kernel`.
        columns: their indices, of shape (rows, units): in a depthwise convolution with several
            filters per channel a unit has several columns.
    """

    kernel: Kernel
    columns: np.ndarray

    @property
    def height(self) -> int:
        """The number of rows that `cut` returns."""
        return len(self.columns) * self.kernel.shape[0]

    @cached_property
    def are_all(self) -> bool:
        """Whether they are all columns of the kernel, in order."""
        every = np.arange(self.kernel.shape[1])[np.newaxis]
        return np.array_equal(self.columns, every)

    def cut(self, matrix: Array) -> Array:
        """These columns of a matrix of the kernel's shape, of shape (rows · inputs, units). Read
        only: it is the matrix itself where they are all."""
        if self.are_all:
            return matrix
        xp = namespace(matrix)
        return xp.reshape(xp.take(matrix, self.columns, axis=1), (-1, self.columns.shape[1]))

    def put(self, matrix: np.ndarray, part: np.ndarray) -> None:
        """Writes a result of `cut` back into a matrix of the kernel's shape."""
        if self.are_all:
            matrix[...] = part
        else:
            matrix[:, self.columns] = np.reshape(part, (len(matrix), *self.columns.shape))


@dataclass(frozen=True)
class DependencyGroup:
    """One layer, or several layers whose units are removed together.

    Attributes:
        name: of its first kernel.
        parts: the `CoupledColumns` whose rows, stacked, are its matrix.
        consumers: kernels that read its units, with the indices of each unit's inputs, of shape
            (rows, units).
        coupled_variables: variables with entries of each unit, such as its bias, and the indices of
            these entries, of shape (times, units).
    """

    name: str
    parts: list[CoupledColumns]
    consumers: list[tuple[Kernel, np.ndarray]] = field(default_factory=list, repr=False)
    coupled_variables: list[tuple] = field(default_factory=list, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Of its matrix: (rows, units)."""
        return sum(part.height for part in self.parts), self.parts[0].columns.shape[1]

    @property
    def is_whole_kernel(self) -> bool:
        """Whether its matrix is that of a kernel."""
        return len(self.parts) == 1 and self.parts[0].are_all

    @property
    def label(self) -> str:
        """For people: the names of up to two layers, or the first and how many more."""
        first, *others = dict.fromkeys(part.kernel.name for part in self.parts)
        if len(others) > 1:
            return f"{first} + {len(others)} more"
        return " + ".join((first, *others))

    def stacked(self, matrices: Mapping[str, Array]) -> Array:
        """Its matrix, from the matrices of all kernels by name. Read only, as of `cut`."""
        cut = [part.cut(matrices[part.kernel.name]) for part in self.parts]
        stacked = cut[0] if len(cut) == 1 else namespace(cut[0]).concatenate(cut)
        # In row-major order, as kernels are: sums would be rounded differently otherwise.
        return np.ascontiguousarray(stacked) if is_numpy(stacked) else stacked

    def outgoing(self, matrices: Mapping[str, Array]) -> Array:
        """The outgoing weights of its units, of shape (units, outgoing)."""
        found = [_rows_of_units(matrices[kernel.name], rows) for kernel, rows in self.consumers]
        if not found:
            return np.ones((self.shape[1], 1))
        return namespace(found[0]).concatenate(found, axis=1)

    def split(self, mask: np.ndarray) -> list[np.ndarray]:
        """A mask of its matrix, split into one for each of its `parts`."""
        return np.split(mask, np.cumsum([part.height for part in self.parts])[:-1])


def _rows_of_units(matrix, rows):
    """The rows that read each unit, of shape (units, weights)."""
    xp = namespace(matrix)
    return xp.reshape(xp.moveaxis(xp.take(matrix, rows, axis=0), 1, 0), (rows.shape[1], -1))


def find_units(
    model: keras.Model,
    found: Sequence[Kernel],
    is_excluded: Callable[[keras.Layer], bool] = lambda _layer: False,
) -> tuple[dict[str, DependencyGroup], list[str]]:
    """The dependency groups of a model whose units can be removed.

    Args:
        model: a built functional or sequential model.
        found: the `Kernel`s that may be pruned.
        is_excluded: whether a layer, and so the number of its channels, must not change.

    Returns:
        The `DependencyGroup`s by name, and a phrase for each kernel without removable units.

    Raises:
        UsageError: if the model is not a graph of layers.
    """
    if function_of(model) is None:
        raise UsageError(
            f"{model.name!r} is a subclassed model, whose units cannot be pruned because its layer "
            "graph is unknown; prune single weights (method='weight'), or build it as a functional "
            "model."
        )
    graph = Graph(model)
    members = _members(graph, {id(k.variable): k for k in found})
    readers = {id(k.variable): k for k in kernels.all_kernels(model)}
    uses = _uses(graph, readers)
    within = [
        readers[variable]
        for variable, (call, _) in graph.sides.items()
        if call.op is not readers[variable].layer and is_excluded(readers[variable].layer)
    ]
    excluded = _excluded(graph, is_excluded, within)
    fixed = {**graph.groups.fixed, **excluded, **graph.groups.kept}
    producers = defaultdict(dict)  # the columns of each kernel, by group
    for kernel, groups in members:
        for column, group in enumerate(groups.tolist()):
            producers[group].setdefault(kernel.name, []).append(column)
    coupled, reasons = defaultdict(list), {}
    by_name = {kernel.name: kernel for kernel in found}
    for group, columns in producers.items():
        kind = tuple((name, len(numbers)) for name, numbers in columns.items())
        if group not in fixed and _has_own_filter(by_name, columns):
            coupled[kind].append(group)
        else:
            for name in columns:
                reasons.setdefault(name, fixed.get(group))
    layers = {}
    for kind, groups in coupled.items():
        layer = _grouped(kind, groups, producers, by_name, uses)
        layers[_free(layer.name, layers)] = layer
    grouped = {part.kernel.name for layer in layers.values() for part in layer.parts}
    reasons |= {
        kernel.name: _within(graph, kernel)
        for kernel in found
        if id(kernel.variable) not in graph.sides
    }
    ungrouped = [_reason(kernel, reasons) for kernel in found if kernel.name not in grouped]
    return layers, ungrouped


def _excluded(graph, is_excluded, excluded):
    """The groups of excluded layers, with the reason."""
    found = {}
    for call in graph.first_calls.values():
        layer = call.op
        if isinstance(layer, keras.Layer) and layer.weights and is_excluded(layer):
            for channels in filter(None, (*call.outputs, *call.inner)):
                groups = graph.groups.find(channels.groups).tolist()
                found |= dict.fromkeys(groups, f"{layer.name}, which is excluded")
    for kernel in excluded:  # of a layer within another one, such as attention
        groups = graph.groups.find(graph.sides[id(kernel.variable)][1].columns).tolist()
        found |= dict.fromkeys(groups, f"{kernel.name}, which is excluded")
    return found


def _within(graph, kernel):
    """The layer of the graph that a kernel is in; None of one that stands alone."""
    for call in graph.first_calls.values():
        layers = call.op._flatten_layers() if isinstance(call.op, keras.Layer) else []
        if call.op is not kernel.layer and any(kernel.layer is layer for layer in layers):
            return f"{call.op.name} ({type(call.op).__name__})"
    return None


def _has_own_filter(by_name, columns):
    """Whether some layer computes these channels rather than filters each on its own."""
    return any(not isinstance(by_name[name].layer, kernels.DEPTHWISE) for name in columns)


def _reason(kernel, reasons):
    why = reasons.get(kernel.name)
    return f"{kernel.name} (because of {why})" if why else kernel.name


def _free(name, taken):
    number = 2
    while name in taken:
        name = f"{name.split('#')[0]}#{number}"
        number += 1
    return name


def _members(graph, found):
    """Kernels with the group of each column of their matrix; `found` has them by the variable's
    id."""
    return [
        (found[variable], graph.groups.find(sides.columns))
        for variable, (_, sides) in graph.sides.items()
        if variable in found
    ]


@dataclass(frozen=True)
class _Uses:
    """Where channels occur: pairs of a consumer, or of a variable with entries of channels, and the
    groups of its rows or entries."""

    consumers: list[tuple[Kernel, np.ndarray]]
    variables: list[tuple[keras.Variable, np.ndarray]]
    number: int  # of groups


def _uses(graph, readers):
    """All `_Uses` of a graph; `readers` are the kernels that may read units, output layers' too, by
    the variable's id."""
    variables = [
        (variable, graph.groups.find(groups))
        for call in graph.first_calls.values()
        for variable, groups in call.rule.vectors(call)
    ]
    consumers = [
        (readers[variable], graph.groups.find(sides.rows))
        for variable, (_, sides) in graph.sides.items()
        if variable in readers and sides.reads and sides.rows is not None
    ]
    return _Uses(consumers, variables, len(graph.groups))


def _grouped(kind, groups, producers, by_name, uses):
    parts = [
        CoupledColumns(by_name[name], np.array([producers[group][name] for group in groups]).T)
        for name, _ in kind
    ]
    own = [part for part in parts if not isinstance(part.kernel.layer, kernels.DEPTHWISE)]
    units = np.full(uses.number, -1)
    units[groups] = np.arange(len(groups))
    return DependencyGroup(own[0].kernel.name, parts, *_consumers_and_variables(uses, units))


def _consumers_and_variables(uses, units):
    """The `consumers` and `coupled_variables` of a `DependencyGroup`; `units` has the number of the
    unit of each channel group, -1 for others."""
    consumers, coupled_variables, number = [], [], int(units.max()) + 1
    for kernel, groups in uses.consumers:
        rows = _places(units[groups], number)
        if rows is not None:
            consumers.append((kernel, rows))
    for variable, groups in uses.variables:
        places = _places(units[groups], number)
        if places is not None:
            coupled_variables.append((variable, places))
    return consumers, coupled_variables


def _places(units, number):
    """The indices of the units among some channels, of shape (times, units); None if they do not
    occur, or not equally often.

    Args:
        units: which unit each channel belongs to, -1 for others.
        number: of units.
    """
    found = np.flatnonzero(units >= 0)
    counts = np.bincount(units[found], minlength=number)
    if not counts[0] or (counts != counts[0]).any():
        return None
    by_unit = found[np.argsort(units[found], kind="stable")]
    return by_unit.reshape(-1, counts[0]).T
