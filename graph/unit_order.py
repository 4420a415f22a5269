"""Reorders units, which does not change the outputs, so that files get shorter."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import keras
import numpy as np

from ..models.kernels import all_kernels, own_variable, value_of
from .linear_rules import DepthwiseRule, SeparableRule
from .tracing import Graph, function_of


def reorder_units(model: keras.Model) -> Iterator[np.ndarray]:
    """The weights of an equivalent model whose layers begin with the units that have the most
    incoming weights.

    The number of weights then never rises from one unit to the next, which takes fewer bits to
    encode. Inputs, outputs and unsupported layers keep their order.

    Args:
        model: a built Keras model; it is not changed.

    Yields:
        Arrays in the order of `model.weights`; only those of one layer are in memory.
    """
    reordered = {} if function_of(model) is None else _reordered_layers(model)
    last, arrays = None, {}
    for variable in model.weights:
        layer = reordered.get(id(variable))
        if layer is not last:
            last, arrays = layer, layer() if layer else {}
        array = value_of(variable)
        yield arrays.get(id(variable), array).astype(array.dtype, copy=False)


def _reordered_layers(model):
    """For each weight of a layer whose inputs or outputs change their order a function that returns
    the layer's arrays in the new one; by the weights' ids."""
    graph, found = Graph(model), {}
    successors = _successors(graph)
    for call in graph.first_calls.values():
        if isinstance(call.op, keras.Layer) and call.inputs and call.outputs:
            orders = call.kept(lambda channels: channels and _order(graph, channels, successors))
            if any(order is not None and _changes(order) for side in orders for order in side):
                layer = partial(_reordered, call, orders)
                found |= {id(variable): layer for variable in call.op.weights}
    return found


def _changes(order):
    return (order != np.arange(len(order))).any()


def _reordered(call, orders):
    """The arrays of a call's layer that change, by the weights' ids."""
    arrays = call.rule.weights(call, orders, None) or {}
    return {id(own_variable(call.op, name)): array for name, array in arrays.items()}


def _order(graph, channels, successors):
    """The new order of a tensor's channels, as indices."""
    groups = graph.groups.find(channels.groups).tolist()
    places = defaultdict(list)
    for place, group in enumerate(groups):
        places[group].append(place)
    seen = defaultdict(int)  # flattened, a channel has a place for each pixel
    found = []
    for group in groups:
        found.append(places[successors.get(group, group)][seen[group]])
        seen[group] += 1
    return np.array(found, np.intp)


def _successors(graph):
    """Which group takes the place of each, among those that occur in the same tensors."""
    fixed = {*graph.groups.fixed, *_fixed(graph)}
    weights = _incoming(graph)
    found = {}
    for groups in _classes(graph):
        free = [group for group in groups if group not in fixed]
        found |= zip(free, sorted(free, key=lambda group: -weights[group]), strict=True)
    return found


def _fixed(graph):
    """Groups of layers with filters per channel, which are not reordered."""
    for call in graph.calls:
        if isinstance(call.rule, (DepthwiseRule, SeparableRule)):
            for channels in (*call.inputs, *call.outputs):
                if channels:
                    yield from graph.groups.find(channels.groups).tolist()


def _incoming(graph):
    """The number of incoming weights of each group."""
    found = defaultdict(int)
    for kernel in all_kernels(graph.model):
        if id(kernel.variable) in graph.sides:
            counts = np.count_nonzero(kernel.matrix(), axis=0)
            groups = graph.groups.find(graph.sides[id(kernel.variable)][1].columns)
            for group, count in zip(groups.tolist(), counts.tolist(), strict=True):
                found[group] += count
    return found


def _classes(graph):
    """Interchangeable groups: they occur equally often in the same tensors."""
    seen = defaultdict(list)
    for tensor, channels in graph.channels.items():
        if channels:
            groups, counts = np.unique(graph.groups.find(channels.groups), return_counts=True)
            for group, count in zip(groups.tolist(), counts.tolist(), strict=True):
                seen[group].append((tensor, count))
    classes = defaultdict(list)
    for group in sorted(seen):
        classes[tuple(seen[group])].append(group)
    return classes.values()
