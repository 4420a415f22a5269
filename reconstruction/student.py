"""What the recovery `distill` trains: a model that learns another one's outputs, batch by batch."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from ..graph.tracing import function_of

TEMPERATURE = 2.0
TINY = np.finfo(np.float32).tiny


def num_shards() -> int:
    """Into how many parts a batch is divided: more than one if `keras.distribution` does that."""
    distribution = keras.distribution.distribution()
    if distribution is None or distribution.batch_dim_name is None:
        return 1
    mesh = distribution.device_mesh
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]


def batches(
    x: Any, targets: Any, number: int, size: int, random: np.random.Generator
) -> Iterator[Any]:
    """Batches of inputs and targets for ever, the examples in a new order each time.

    Args:
        x, targets: of all examples.
        number: how many these are.
        size: of a batch; all are of one size, to be compiled once.
        random: decides the order.
    """
    order = np.array([], int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, random.permutation(number)])
        yield some(order[:size], x, targets)
        order = order[size:]


def some(chosen: np.ndarray, x: Any, targets: Any) -> Any:
    """Inputs and targets of some examples."""
    return keras.tree.map_structure(lambda array: np.asarray(array)[chosen], (x, targets))


class _Probabilities:
    """The cross-entropy of an output at a temperature.

    Args:
        of_dense, of_student: functions of such an output that return logits.
    """

    def __init__(self, of_dense, of_student):
        self.of_dense, self.of_student = of_dense, of_student

    def targets(self, output):
        return _softmax(self.of_dense(np.asarray(output, np.float32)) / TEMPERATURE)

    def __call__(self, target, output):
        logits = self.of_student(output) / TEMPERATURE
        return keras.ops.categorical_crossentropy(target, logits, from_logits=True)


class _Values:
    """The squared error of an output, as a share of its variance."""

    def __init__(self, dense_output):
        output = np.asarray(dense_output, np.float32)
        self.variance = float(np.mean(np.var(output, axis=0)) + TINY)

    def targets(self, output):
        return np.asarray(output, np.float32)

    def __call__(self, target, output):
        return keras.ops.square(target - output) / self.variance


Loss = _Probabilities | _Values


def loss_of(dense_output: np.ndarray, student_output: np.ndarray, are_logits: bool) -> Loss:
    """How an output is compared: what both models return shows what it is.

    Args:
        dense_output: of the dense model, for all examples.
        student_output: of the prepared one, for some.
        are_logits: whether the dense model returns logits.
    """
    if are_logits:
        return _Probabilities(_same, _same)
    if not _are_probabilities(dense_output):
        return _Values(dense_output)
    if _are_probabilities(student_output):
        return _Probabilities(_log, lambda output: keras.ops.log(keras.ops.maximum(output, 1e-7)))
    return _Probabilities(_log, _same)


def _are_probabilities(output):
    output = np.asarray(output, np.float32)
    if output.ndim < 2 or output.shape[-1] < 2 or (output < 0).any():
        return False
    return np.allclose(output.sum(axis=-1), 1, atol=1e-2)


def _same(output):
    return output


def _log(output):
    return np.log(np.maximum(output, TINY))


def _softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


class Student(keras.Model):
    """A model that is trained towards given outputs.

    Args:
        model: the model.
        outputs: the loss of each of its outputs, from `loss_of`.
    """

    def __init__(self, model: keras.Model, outputs: Sequence[Loss]) -> None:
        super().__init__(name="student")
        self.model, self.of_outputs = model, outputs

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The model's outputs."""
        return self.model(inputs, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The sum of the outputs' mean losses."""
        pairs = zip(keras.tree.flatten(y), keras.tree.flatten(y_pred), strict=True)
        return sum(
            keras.ops.mean(loss(target, keras.ops.cast(output, "float32")))
            for loss, (target, output) in zip(self.of_outputs, pairs, strict=True)
        )


class Prepared:
    """A model whose outputs are logits instead of probabilities, which is trained as a whole and
    without dropout, while it is used as a context.

    Args:
        model: a Keras model.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.changes: Sequence[tuple[Any, str, Any, Any]] = [*_changes(model)]

    def __enter__(self) -> "Prepared":
        for layer, name, _, new in self.changes:
            setattr(layer, name, new)
        return self

    def __exit__(self, *_: object) -> None:
        for layer, name, old, _ in self.changes:
            setattr(layer, name, old)

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Within the block, the model is as it was."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


def _changes(model):
    """Attributes of layers, with their values before and while the model learns."""
    function = function_of(model)
    for output in [] if function is None else function.outputs:
        layer = output._keras_history.operation
        if getattr(layer, "activation", None) is keras.activations.softmax:
            yield layer, "activation", layer.activation, keras.activations.linear
    layers = [*model._flatten_layers()]  # each before those in it, to which it passes values on
    for layer in layers:
        if isinstance(layer, keras.layers.Dropout):
            yield layer, "rate", layer.rate, 0.0
    for layer in layers if not all(layer.trainable for layer in layers) else ():
        is_statistic = isinstance(layer, keras.layers.BatchNormalization)
        yield layer, "trainable", layer.trainable, layer.trainable or not is_statistic
