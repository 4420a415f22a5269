"""Through the layers of a pruned and a dense model side by side, from the inputs to the outputs.

Each layer is called once on each batch: what it returns is kept until the last layer that reads it
has been called. A subclassed model, or a layer with layers in it, is one step of the walk; each
layer in it is observed by a call that stops behind it.
"""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from ..graph.tracing import function_of
from ..models import kernels
from ..models.arrays import Array, local_in_float32
from ..models.kernels import Kernel


class _Enough(BaseException):
    """What follows in a model need not be computed. (Keras and its backends change exceptions of
    other kinds on their way.)"""


@dataclass(frozen=True)
class Step:
    """A call of a layer or operation.

    Attributes:
        op: the layer or operation.
        node: of the Keras graph; None if `op` is a whole model.
        reads, makes: the numbers of its tensors.
    """

    op: Any
    node: Any = field(repr=False)
    reads: list[int]
    makes: list[int]

    def run(self, tensors: dict[int, Any]) -> list[Any]:
        """Its outputs on some values of the tensors."""
        values = [tensors[number] for number in self.reads]
        if self.node is None:
            return keras.tree.flatten(self.op(*values, training=False))
        by_id = {id(t): value for t, value in zip(self.node.input_tensors, values, strict=True)}
        args, kwargs = self.node.arguments.fill_in(by_id)
        if isinstance(self.op, keras.Layer) and self.op._call_has_training_arg:
            kwargs = {**kwargs, "training": False}
        return keras.tree.flatten(self.op(*args, **kwargs))


class Path:
    """The steps of one model, and the values of its tensors, batch by batch.

    Args:
        model: a built Keras model.
        batches: its inputs, as arrays.
    """

    def __init__(self, model: keras.Model, batches: Sequence[Any]) -> None:
        self.model, self.batches = model, batches
        self.steps: list[Step] = []
        self._made = 0
        function = function_of(model)
        if function is None:
            reads, outputs = [self._new()], None
            self.steps.append(Step(model, None, reads, [self._new()]))
            first = [[_tensors(x)] for x in batches]
        else:
            bound = {id(tensor): self._new() for tensor in function.inputs}
            reads = [*bound.values()]
            self._follow(function, bound)
            outputs = [bound[id(tensor)] for tensor in function.outputs]
            first = [function._standardize_inputs(_tensors(x)) for x in batches]
        self.kernels, self._calls = kernels.all_kernels(model), {}
        self._uses = defaultdict(list)
        for place, step in enumerate(self.steps):
            for layer in layers_in(step.op):
                self._uses[id(layer)].append(place)
        self.values = [dict(zip(reads, tensors, strict=True)) for tensors in first]
        self._last = {
            number: place for place, step in enumerate(self.steps) for number in step.reads
        }
        self.outputs = outputs or self.steps[-1].makes
        self._last |= dict.fromkeys(self.outputs, len(self.steps))

    def _new(self):
        self._made += 1
        return self._made

    def _follow(self, function, bound):
        for depth in sorted(function._nodes_by_depth, reverse=True):
            for node in function._nodes_by_depth[depth]:
                if not node.is_input:
                    self._call(node, bound)

    def _call(self, node, bound):
        reads = [bound[id(tensor)] for tensor in node.input_tensors]
        inner = function_of(node.operation)
        if inner is None:
            makes = [self._new() for _ in node.output_tensors]
            self.steps.append(Step(node.operation, node, reads, makes))
        else:
            within = dict(zip(map(id, inner.inputs), reads, strict=True))
            self._follow(inner, within)
            makes = [within[id(tensor)] for tensor in inner.outputs]
        bound.update(zip(map(id, node.output_tensors), makes, strict=True))

    def advance(self, place: int) -> None:
        """Makes a step on all batches, and forgets what no later one reads."""
        step = self.steps[place]
        for values in self.values:
            made = step.run(values)
            values.update(zip(step.makes, made, strict=len(made) == len(step.makes)))
            for number in {*step.reads, *step.makes}:
                if self._last.get(number, place) <= place:
                    values.pop(number, None)

    def kernels_at(self, place: int) -> list[Kernel]:
        """The kernels that a step is the first to use, in the order in which it calls their
        layers."""
        op = self.steps[place].op
        here = [kernel for kernel in self.kernels if self._uses[id(kernel.layer)][0] == place]
        if len(here) < 2 or here[0].layer is op:
            return here
        order = [*dict.fromkeys(id(kernel.layer) for kernel, _ in self._watched(here, place, 0))]
        called = [kernel for kernel in here if id(kernel.layer) in order]
        return sorted(called, key=lambda kernel: order.index(id(kernel.layer)))

    def inputs_of(self, kernel: Kernel, place: int, batch: int) -> list[Array]:
        """The inputs of a kernel's layer on a batch, an array for each of its calls."""
        step = self.steps[place]
        calls = self._calls.get(id(kernel.layer))
        plain = len(step.reads) == 1 and not kernel.is_in_cell and not self.is_shared(kernel)
        if step.op is kernel.layer and plain:
            return [local_in_float32(self.values[batch][step.reads[0]])]
        found = [inputs for _, inputs in self._watched([kernel], place, batch, calls)]
        self._calls[id(kernel.layer)] = len(found)
        return found

    def is_shared(self, kernel: Kernel) -> bool:
        """Whether several steps use the layer of a kernel."""
        return len(self._uses[id(kernel.layer)]) > 1

    def _watched(self, found, place, batch, calls=None):
        """The calls of the layers of kernels, up to so many, with their inputs."""
        seen = []

        def look(kernel, inputs, _outputs):
            seen.append((kernel, local_in_float32(inputs)))
            if len(seen) == calls:
                raise _Enough

        with kernels.watched(found, look), contextlib.suppress(_Enough):
            if any(map(self.is_shared, found)):
                self.model(_tensors(self.batches[batch]), training=False)
            else:
                self.steps[place].run(self.values[batch])
        return seen


def _tensors(x):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, x)


def layers_in(op: Any) -> list[keras.Layer]:
    """A layer and all layers in it; none of an operation."""
    return [*op._flatten_layers()] if isinstance(op, keras.Layer) else []
