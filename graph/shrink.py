"""Removes dead units from a pruned Keras model: `network_pruning.shrink`.

The graph is rewritten: dead channels are removed, constant channels are folded into the biases of
the layers that read them, and unsupported layers do not change.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from ..models.copies import (
    CannotCopyError,
    check_built,
    config_of,
    copy_of_layer,
    copy_of_model,
    custom_objects_of,
    refresh,
)
from ..models.kernels import own_variable, value_of
from ..models.lora import enable_as_in
from ..models.own_classes import class_for, warn_of_lost_methods
from ..utils import warn_user
from .channels import Channels
from .linear_rules import LinearRule
from .liveness import LivenessAnalysis
from .tracing import Graph, function_of


def shrink(model: keras.Model) -> keras.Model:
    """An ordinary, physically smaller Keras model with the same outputs.

    Dead units are removed: those whose weights are zero or that no layer reads. A channel that is
    constant but not zero, such as a dead filter with a bias, is folded into the biases that follow
    where that is exact. Inputs and outputs keep their shapes. The given model is not changed.

    Args:
        model: a built functional or sequential Keras model, nested ones and shared layers too.

    Returns:
        A Keras model with its own weights, compiled as `model` is. Its outputs differ by rounding
        only; stateful layers begin at zero. A sequential model with unused inputs becomes a
        functional one. A functional or sequential model of your own class keeps that class if its
        constructor takes the same arguments as Keras'.

    Raises:
        UsageError: (a ValueError) if it is not a Keras model.
        ValueError: if the model is not built, is a subclassed one, or overrides `call`.

    Warns:
        UserWarning: names layers with dead channels that cannot be removed, and why; and methods of
            your own class, such as `train_step`, that the smaller model does not have.
    """
    check_built(model)
    graph = Graph(model)
    liveness = LivenessAnalysis.of(graph)
    for sentence in liveness.caveats():
        warn_user(sentence)
    smaller = rewritten(graph, liveness, class_for)
    warn_of_lost_methods(model, smaller)
    return smaller


def _of_keras(_model, base):
    return base


def rewritten(
    graph: Graph,
    liveness: LivenessAnalysis,
    class_of: Callable[[keras.Model, type], type] = _of_keras,
) -> keras.Model:
    """The smaller model of a `GraphRewriter`; or a copy, if nothing is to be removed, of a model
    whose layers cannot be made again one by one.

    Args:
        graph, liveness, class_of: as for `GraphRewriter`.
    """
    try:
        with custom_objects_of(graph.model):
            return GraphRewriter(graph, liveness, class_of).build()
    except CannotCopyError:
        if not liveness.keeps_all():
            raise
        return copy_of_model(graph.model)


class GraphRewriter:
    """Builds the smaller model of a `Graph` and its `LivenessAnalysis`.

    Args:
        graph: the `Graph`.
        liveness: its `LivenessAnalysis`.
        class_of: the class of a smaller model, given the original model and Keras' class; Keras'
            class by default.
    """

    def __init__(
        self,
        graph: Graph,
        liveness: LivenessAnalysis,
        class_of: Callable[[keras.Model, type], type] = _of_keras,
    ) -> None:
        self.graph, self.liveness, self.class_of, self.made = graph, liveness, class_of, {}

    def build(self) -> keras.Model:
        """The smaller model."""
        model = self.graph.model
        kept = [self.liveness.kept(channels) for channels in self.graph.inputs]
        if all(mask is None or mask.all() for mask in kept):
            smaller = self._rebuilt(model, outermost=True)
        else:
            smaller = self._with_fewer_inputs(model, kept)
        for call in self._calls():
            enable_as_in(call.op, self.made[id(call.op)])
        for layer, weights in self._new_weights():
            _set_weights(self.made[id(layer)], layer, weights)
        refresh(smaller)
        if model.compiled:
            smaller.compile_from_config(model.get_compile_config())
        return smaller

    def copied_weights(self) -> Iterator[tuple[keras.Variable, keras.Variable, np.ndarray]]:
        """New and old variable of every copied layer, with the entries of the old one, as it is
        now, that the new one gets if no constants are folded."""
        for call in self._calls():
            new, old = self.made[id(call.op)], call.op
            weights = call.rule.weights(call, self._kept(call), None)
            for smaller, larger in _unchanged(new, old, weights):
                yield smaller, larger, value_of(larger)
            for attribute, value in (weights or {}).items():
                yield own_variable(new, attribute), own_variable(old, attribute), value

    def _new_weights(self):
        for call in self._calls():
            yield call.op, call.rule.weights(call, self._kept(call), self._fold(call))

    def _calls(self):
        """The first call of every layer that was rebuilt."""
        for identity, call in self.graph.first_calls.items():
            if identity in self.made and isinstance(call.op, keras.Layer):
                yield call

    def _kept(self, call):
        return call.kept(self.liveness.kept)

    def _fold(self, call):
        """What removed, constant inputs add to the units of a call; None without any."""
        if not isinstance(call.rule, LinearRule):
            return None
        kept = self._kept(call).inputs[0]
        if kept is None or kept.all():
            return None
        return call.rule.fold(call, ~kept, self.liveness.values(call)[0])

    def _smaller(self, op):
        """The new layer for an old one; operations without weights are reused."""
        if not isinstance(op, keras.Layer):
            return op
        if id(op) not in self.made:
            self.made[id(op)] = self._new(op)
        return self.made[id(op)]

    def _new(self, layer):
        if function_of(layer) is not None:
            return self._rebuilt(layer)
        config = config_of(layer)
        call = self.graph.first_calls.get(id(layer))
        if call:
            config |= call.rule.config(call, self._kept(call), self._fold(call))
        return copy_of_layer(layer, config)

    def _rebuilt(self, model, outermost=False):
        function = function_of(model)
        inputs = [self._new_input(tensor, whole=outermost) for tensor in function.inputs]
        if isinstance(model, keras.Sequential):
            layers = [self._smaller(layer) for layer in model.layers]
            kind = self.class_of(model, keras.Sequential)
            return kind([*inputs, *layers], name=model.name)
        return self._functional(model, inputs, inputs)

    def _functional(self, model, inputs, selected):
        """A functional model with these inputs, whose layers are called on `selected`."""
        function = function_of(model)
        packed = keras.tree.pack_sequence_as(function._inputs_struct, inputs)
        outputs = function._run_through_graph(selected, operation_fn=self._smaller)
        return self.class_of(model, keras.Model)(packed, outputs, name=model.name)

    def _with_fewer_inputs(self, model, kept):
        """A model with the same inputs, of which only the live channels are used."""
        inputs = [self._new_input(tensor, whole=True) for tensor in function_of(model).inputs]
        selected = [
            _selected(tensor, channels, mask)
            for tensor, channels, mask in zip(inputs, self.graph.inputs, kept, strict=True)
        ]
        return self._functional(model, inputs, selected)

    def _new_input(self, tensor, whole):
        shape, channels = list(tensor.shape), self.graph.channels[id(tensor)]
        if channels and not whole:
            shape[channels.axis] = int(self.liveness.kept(channels).sum())
        name = tensor._keras_history.operation.name
        return keras.Input(batch_shape=shape, dtype=tensor.dtype, name=name)


def _selected(tensor, channels: Channels, mask):
    """The kept channels of a tensor."""
    if mask is None or mask.all():
        return tensor
    return keras.ops.take(tensor, np.flatnonzero(mask).tolist(), axis=channels.axis)


def _set_weights(new, old, weights):
    """Sets a new layer's weights: these by attribute, all others as they were."""
    for variable, other in _unchanged(new, old, weights):
        # A copy: JAX may donate the array itself when the new model computes.
        variable.assign(np.array(value_of(other)))
    for attribute, value in (weights or {}).items():
        own_variable(new, attribute).assign(value)


def _unchanged(new, old, weights):
    """Pairs of variables of a new and an old layer, without those whose weights are given."""
    changed = {id(own_variable(new, attribute)) for attribute in weights or {}}
    # A bias that is new comes last.
    pairs = zip(new.variables, old.variables, strict=not changed)
    return [pair for pair in pairs if id(pair[0]) not in changed]
