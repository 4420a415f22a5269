"""A pruned Keras model without what is gone: smaller, ordinary, the same answers.

The graph is rewritten: what nothing needs is left out, channels that are constant become a part of
the bias of what reads them, and what is not understood is left alone.
"""

from collections.abc import Callable, Iterator

import keras
import numpy as np

from ..models.copies import check_built, copy_of_layer, knowing, refresh
from ..models.kernels import own_variable, value_of
from ..models.own_classes import class_for, warn_of_lost_methods
from ..utils import warn_user
from .channels import Channels
from .linear_rules import LinearRule
from .liveness import LivenessAnalysis
from .tracing import Graph, function_of


def shrink(model: keras.Model) -> keras.Model:
    """An ordinary, physically smaller Keras model that gives the same answers.

    Units without any influence are removed: those whose weights are zero or that nothing reads.
    Where a channel is constant but not zero, such as a dead filter with a bias, it is folded into
    the biases that follow, where that is exact. Inputs and outputs stay as they are. The model
    itself is not changed.

    Args:
        model: a built functional or sequential Keras model, nested ones and shared layers too.

    Returns:
        A Keras model with weights of its own, compiled as `model` is. Answers (of `predict`)
        differ by rounding only. A sequential model with inputs that nothing reads comes back as a
        functional one. A functional or sequential model of a class of your own is of that class
        again, if its constructor takes the same arguments as Keras'.

    Raises:
        UsageError: (a ValueError) if it is no Keras model.
        ValueError: if the model is not built, or is a subclassed one, or has a `call` of its own.

    Warns:
        UserWarning: names layers that could not be made smaller although some of their channels
            are dead, and why; and methods of a class of your own, such as `train_step`, that the
            smaller model does not have.
    """
    check_built(model)
    graph = Graph(model)
    liveness = LivenessAnalysis.of(graph)
    for sentence in liveness.remarks():
        warn_user(sentence)
    with knowing(model):
        smaller = GraphRewriter(graph, liveness, class_for).build()
    warn_of_lost_methods(model, smaller)
    return smaller


class GraphRewriter:
    """Builds the smaller model of a `Graph` and its `LivenessAnalysis`.

    Args:
        graph: the `Graph`.
        liveness: its `LivenessAnalysis`.
        class_of: returns the class to make a model with, given the model it comes from and Keras'
            class; Keras' own by default.
    """

    def __init__(
        self,
        graph: Graph,
        liveness: LivenessAnalysis,
        class_of: Callable[[keras.Model, type], type] = lambda _model, base: base,
    ) -> None:
        self.graph, self.liveness, self.class_of, self.made = graph, liveness, class_of, {}

    def build(self) -> keras.Model:
        """The smaller model."""
        model = self.graph.model
        kept = [self.liveness.stays(channels) for channels in self.graph.inputs]
        if all(stays is None or stays.all() for stays in kept):
            smaller = self._rebuilt(model, outermost=True)
        else:
            smaller = self._with_fewer_inputs(model, kept)
        for layer, weights in self._transplants():
            _give_weights(self.made[id(layer)], layer, weights)
        refresh(smaller)
        if model.compiled:
            smaller.compile_from_config(model.get_compile_config())
        return smaller

    def copied_weights(self) -> Iterator[tuple[keras.Variable, keras.Variable, np.ndarray]]:
        """The new and the old variable of everything that was copied, with what of the old
        one, as it is now, goes into the new one; where nothing is folded."""
        for call in self._calls():
            new, old = self.made[id(call.op)], call.op
            weights = call.rule.weights(call, self._kept(call), None)
            if weights is None:
                for smaller, larger in zip(new.variables, old.variables, strict=True):
                    yield smaller, larger, value_of(larger)
            else:
                for attribute, value in weights.items():
                    yield own_variable(new, attribute), own_variable(old, attribute), value

    def _transplants(self):
        for call in self._calls():
            yield call.op, call.rule.weights(call, self._kept(call), self._fold(call))

    def _calls(self):
        """The first call of every layer that was made anew."""
        for identity, call in self.graph.first_calls.items():
            if identity in self.made and isinstance(call.op, keras.Layer):
                yield call

    def _kept(self, call):
        """Which channels of the first input and output stay."""
        return tuple(
            self.liveness.stays(next(iter(side), None)) for side in (call.inputs, call.outputs)
        )

    def _fold(self, call):
        """What constant inputs that go add to the units of a call; None if nothing does."""
        kept = self._kept(call)[0]
        if not isinstance(call.rule, LinearRule) or kept is None or kept.all():
            return None
        return call.rule.fold(call, ~kept, self.liveness.values(call)[0])

    def _smaller(self, op):
        """The new layer for an old one; operations that hold nothing serve again."""
        if not isinstance(op, keras.Layer):
            return op
        if id(op) not in self.made:
            self.made[id(op)] = self._new(op)
        return self.made[id(op)]

    def _new(self, layer):
        if function_of(layer) is not None:
            return self._rebuilt(layer)
        config = layer.get_config()
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

    def _functional(self, model, inputs, seen):
        """A functional model with these inputs, of which the smaller layers see what is `seen`."""
        function = function_of(model)
        packed = keras.tree.pack_sequence_as(function._inputs_struct, inputs)
        outputs = function._run_through_graph(seen, operation_fn=self._smaller)
        return self.class_of(model, keras.Model)(packed, outputs, name=model.name)

    def _with_fewer_inputs(self, model, kept):
        """Behind the same interface, only what is read goes on."""
        inputs = [self._new_input(tensor, whole=True) for tensor in function_of(model).inputs]
        chosen = [
            _chosen(tensor, channels, stays)
            for tensor, channels, stays in zip(inputs, self.graph.inputs, kept, strict=True)
        ]
        return self._functional(model, inputs, chosen)

    def _new_input(self, tensor, whole):
        shape, channels = list(tensor.shape), self.graph.channels[id(tensor)]
        if channels and not whole:
            shape[channels.axis] = int(self.liveness.stays(channels).sum())
        name = tensor._keras_history.operation.name
        return keras.Input(batch_shape=shape, dtype=tensor.dtype, name=name)


def _chosen(tensor, channels: Channels, stays):
    """The channels of a tensor that stay."""
    if stays is None or stays.all():
        return tensor
    return keras.ops.take(tensor, np.flatnonzero(stays).tolist(), axis=channels.axis)


def _give_weights(new, old, weights):
    """Gives a layer its weights: all of another's, or these by attribute."""
    if weights is None:
        for variable, other in zip(new.variables, old.variables, strict=True):
            # Not the other's own array: JAX may give that away when the new model computes.
            variable.assign(np.array(value_of(other)))
        return
    for attribute, value in weights.items():
        own_variable(new, attribute).assign(value)
