"""The quality of a model on examples: its accuracy, or the user's metric."""

import functools
import math
import numbers
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ..utils import UsageError, one_line

# Metrics with these words in their names are losses: lower is better.
LOSSES = "loss error crossentropy entropy divergence distance hinge poisson perplexity".split()
SHORT_LOSSES = "mse mae rmse mape msle bce cce nll kld brier".split()
SIGMOIDS = ("sigmoid", "hard_sigmoid")


def check_drop(bits: int | None, data: Any, drop: Any, metric: Any) -> None:
    """Makes sure that `data`, `max_accuracy_drop` and `metric` of `save` go together.

    Raises:
        UsageError: (a ValueError) if they do not.
    """
    if drop is None:
        if metric is not None:
            raise UsageError("metric: give max_accuracy_drop too, in the units of the metric.")
        if data is not None:
            raise UsageError("data: give max_accuracy_drop too, which is measured on it.")
        return
    if bits is not None:
        raise UsageError("bits and max_accuracy_drop both choose the bits; give one of them.")
    if data is None:
        raise UsageError("data: give examples as data=(x, y), on which accuracy is measured.")
    check_metric(metric)
    is_number = isinstance(drop, numbers.Real) and not isinstance(drop, bool)
    if metric is None and not (is_number and 0 <= drop <= 1):
        raise UsageError(f"max_accuracy_drop: {drop!r} is not a fraction in [0, 1].")
    if not (is_number and 0 <= drop < math.inf):
        raise UsageError(f"max_accuracy_drop: {drop!r} is not a finite number of 0 or more.")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise UsageError("data: give examples as a pair data=(x, y).")


def check_metric(metric: Any) -> None:
    """Makes sure that a metric, if there is one, is a Keras metric or a function.

    Raises:
        UsageError: (a ValueError) if it is not.
    """
    if metric is not None and not callable(metric):
        raise UsageError(
            f"metric: {metric!r} is neither a Keras metric nor a function of (y, outputs)."
        )


class Quality:
    """The quality of models of one kind, as a function of the model.

    Args:
        model: a built Keras model, whose outputs and loss determine how accuracy is computed.
        data: examples `(x, y)`.
        metric: as for `save`; None for accuracy.

    Raises:
        UsageError: (a ValueError) if that cannot be measured.
    """

    def __init__(self, model: keras.Model, data: Any, metric: Any = None) -> None:
        self.x, self.y = _examples(model, *data)
        self.lower_is_better = metric is not None and lower_is_better(metric)
        self._score = _accuracy(model) if metric is None else _measured_by(metric)

    def __call__(self, model: keras.Model) -> float:
        """Accuracy, or the value of the metric."""
        try:
            outputs = model.predict(self.x, verbose=0)
        except Exception as error:  # Keras and the backend may raise anything
            raise UsageError(
                f"data: the model cannot be run on these examples ({one_line(error, 160)})."
            ) from error
        return self.of_outputs(outputs)

    def of_outputs(self, outputs: Any) -> float:
        """The same of what a model's `predict` has returned."""
        return self._score(self.y, outputs)

    def suffices(self, value: float, before: float, drop: float) -> bool:
        """Whether a value is worse than the one before by no more than `drop`."""
        return value <= before + drop if self.lower_is_better else value >= before - drop


def lower_is_better(metric: Any) -> bool:
    """Whether a metric is a loss: by the direction that Keras defines, or by its name.

    Names of losses have "loss", "error", "crossentropy", "entropy", "divergence", "distance",
    "hinge", "poisson" or "perplexity" in them, or one of "mse", "mae", "rmse", "mape", "msle",
    "bce", "cce", "nll", "kld" and "brier" as a word.
    """
    direction = getattr(metric, "_direction", None)
    if direction in ("up", "down"):
        return direction == "down"
    if isinstance(metric, keras.losses.Loss):
        return True
    name = name_of(metric)
    words = re.findall("[a-z0-9]+", _in_words(name))
    return any(each in "".join(words) for each in LOSSES) or not {*words}.isdisjoint(SHORT_LOSSES)


def _in_words(name):
    """`MeanSquaredError` as "mean_squared_error"."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


def name_of(metric: Any) -> str:
    """The name of a metric, as Keras or Python know it."""
    while isinstance(metric, functools.partial):
        metric = metric.func
    name = getattr(metric, "name", None) or getattr(metric, "__name__", None)
    return str(name or type(metric).__name__)


def _examples(model, x, y):
    """The examples as Keras takes them: lists of numbers as arrays.

    Raises:
        UsageError: if there are none, or x and y differ in length.
    """
    if isinstance(x, tuple | list) and len(getattr(model, "inputs", None) or ()) < 2:
        x = np.asarray(x)
    if y is not None and not isinstance(y, dict) and len(getattr(model, "outputs", [0])) < 2:
        y = np.asarray(y)
    counts = [_count(each) for each in (x, y)]
    if None in counts:
        raise UsageError("data: give arrays of examples and of labels, as data=(x, y).")
    if counts[0] != counts[1] or not counts[0]:
        raise UsageError(
            f"data: {counts[0]:,} examples and {counts[1]:,} labels; give one label for each "
            "example, and at least one example."
        )
    return x, y


def _count(arrays):
    """The number of examples in some arrays; None if they are not arrays."""
    if isinstance(arrays, dict):
        arrays = list(arrays.values())
    first = arrays[0] if isinstance(arrays, tuple | list) and len(arrays) else arrays
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape else None


def _measured_by(metric):
    def score(y, outputs):
        try:
            value = float(np.mean(keras.ops.convert_to_numpy(_called(metric, y, outputs))))
        except Exception as error:  # the user's function may raise anything
            raise UsageError(
                f"metric: {name_of(metric)} fails on the model's outputs ({one_line(error, 160)})."
            ) from error
        if math.isnan(value):
            raise UsageError(f"metric: {name_of(metric)} of the model's outputs is NaN.")
        return value

    return score


def _called(metric, y, outputs):
    if not isinstance(metric, keras.Metric):
        return metric(y, outputs)
    metric.reset_state()
    metric.update_state(y, outputs)
    value = metric.result()
    metric.reset_state()
    return value


def _accuracy(model):
    """A function of y and outputs that returns the accuracy."""
    activation, loss = _last_activation(model), _loss(model)

    def score(y, outputs):
        correct = None
        if isinstance(outputs, np.ndarray) and isinstance(y, np.ndarray):
            correct = _correct(y, outputs, activation, loss)
        if correct is None:
            raise UsageError(
                "max_accuracy_drop: the accuracy of this model cannot be derived from its outputs "
                f"({activation or 'several or unknown'}), its loss ({loss or 'none'}) and y; give "
                "metric=, a Keras metric or a function (y, outputs) -> number, and the drop in its "
                "units."
            )
        return float(correct.mean())

    return score


def _correct(y, outputs, activation, loss):
    """Which predictions are correct, by label for labels of 0 and 1, by the largest output for
    classes; None if that is not clear."""
    classes = outputs.shape[-1] if outputs.ndim > 1 else 1
    if classes == 1 or _are_labels(y, outputs, activation, loss):
        threshold = _threshold(activation, loss)
        if threshold is None or y.size != outputs.size or not _are_binary(y):
            return None
        return (outputs > threshold) == (y.reshape(outputs.shape) > 0)
    if y.shape == outputs.shape:
        is_classifier = _are_classes(activation, loss)
        y = y.argmax(axis=-1) if is_classifier or _are_one_hot(y) else None
    elif y.size * classes == outputs.size:
        y = y.reshape(outputs.shape[:-1])
        are_numbers = y.dtype.kind in "biuf" and np.array_equal(y, np.floor(y))
        y = y if are_numbers and y.min() >= 0 and y.max() < classes else None
    else:
        y = None
    return y if y is None else outputs.argmax(axis=-1) == y


def _are_labels(y, outputs, activation, loss):
    """Whether each output is a binary label of its own."""
    if y.shape != outputs.shape or _are_classes(activation, loss):
        return False
    return _are_binary(y) and (_is_binary(activation, loss) or not _are_one_hot(y))


def predictions_of(model: keras.Model) -> Callable[[np.ndarray], np.ndarray] | None:
    """A function of a classifier's outputs that returns its predictions: of classes the most
    likely, of labels which are positive. None if last activation and loss tell of neither."""
    activation, loss = _last_activation(model), _loss(model)
    if _are_classes(activation, loss):
        return lambda outputs: outputs.argmax(axis=-1)
    if _is_binary(activation, loss):
        threshold = _threshold(activation, loss)
        return lambda outputs: outputs > threshold
    return None


def _are_classes(activation, loss):
    """Whether outputs are scores of classes of which one is right."""
    return activation == "softmax" or "categorical" in loss


def _is_binary(activation, loss):
    """Whether each output is a score of its own label."""
    return activation in SIGMOIDS or loss.startswith("binary")


def _threshold(activation, loss):
    """The threshold of a positive output; None if that is not clear."""
    if activation in SIGMOIDS:
        return 0.5
    if loss.startswith("binary"):
        return 0.0 if loss.endswith("of logits") else 0.5
    return 0.0 if activation == "linear" and not loss else None


def _are_binary(y):
    return y.dtype.kind in "biuf" and bool(np.isin(y, (0, 1)).all())


def _are_one_hot(y):
    return _are_binary(y) and bool((y.sum(axis=-1) == 1).all())


def _loss(model):
    """The name of a compiled model's loss, with "of logits" if it is; "" if there is none."""
    loss = getattr(model, "loss", None) if model.compiled else None
    if loss is None or isinstance(loss, dict | list | tuple):
        return ""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    name = {"bce": "binary_crossentropy"}.get(name, _in_words(name))
    return f"{name} of logits" if getattr(loss, "from_logits", False) else name


def _last_activation(model):
    """The name of a model's last activation; "" if it is not known."""
    outputs = keras.tree.flatten(getattr(model, "outputs", None) or [])
    if len(outputs) != 1 or not hasattr(outputs[0], "_keras_history"):
        return ""
    last = outputs[0]._keras_history.operation
    if isinstance(last, keras.Model):
        return _last_activation(last)
    activation = getattr(last, "activation", None)
    name = getattr(activation, "__name__", None) or getattr(activation, "name", None)
    return name or type(last).__name__.lower()
