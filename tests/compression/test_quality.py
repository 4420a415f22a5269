"""How good answers are: thresholds, labels, classes, or a metric of the user's."""

import functools
import re

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import outputs_of
from network_pruning.compression.quality import Quality, lower_is_better

pytestmark = pytest.mark.backends


def passing(activation, units, loss=None):
    """A model whose answers are its inputs, but for the activation."""
    model = keras.Sequential([keras.Input((units,)), layers.Dense(units, activation=activation)])
    model.set_weights([np.eye(units), np.zeros(units)])
    if loss is not None:
        model.compile("sgd", loss)
    return model


LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)
ONE = np.array([[-3], [-0.1], [0.2], [0.7], [5]], np.float32)  # sigmoid: ½ at 0
TWO = np.array([[1, -1], [2, 3], [-1, -2], [4, 5]], np.float32)


@pytest.mark.parametrize(
    ("activation", "loss", "right"),
    [
        ("sigmoid", None, [0, 0, 1, 1, 1]),
        ("sigmoid", "mse", [0, 0, 1, 1, 1]),
        ("linear", None, [0, 0, 1, 1, 1]),
        ("linear", LOGITS, [0, 0, 1, 1, 1]),
        ("linear", "binary_crossentropy", [0, 0, 0, 1, 1]),
        ("linear", keras.losses.BinaryFocalCrossentropy(from_logits=True), [0, 0, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_one_output_says_yes_or_no(activation, loss, right, shape):
    quality = Quality(passing(activation, 1, loss), (ONE, np.reshape(right, shape)))
    assert quality(passing(activation, 1)) == 1
    wrong = np.array([1 - right[0], *right[1:]])
    assert Quality(passing(activation, 1, loss), (ONE, wrong))(passing(activation, 1)) == 0.8


@pytest.mark.parametrize(
    ("activation", "loss", "y", "share"),
    [
        # By label: of yes, no; yes, yes; no, no; yes, yes.
        ("sigmoid", None, [[1, 0], [1, 1], [0, 0], [1, 1]], 1),
        ("sigmoid", None, [[1, 0], [1, 0], [0, 1], [0, 0]], 0.5),
        ("linear", LOGITS, [[1, 0], [1, 0], [0, 1], [0, 1]], 0.625),
        ("linear", None, [[1, 0], [1, 1], [0, 1], [1, 1]], 0.875),
        # By class: of 0, 1, 0, 1.
        ("softmax", None, [0, 1, 1, 1], 0.75),
        ("softmax", None, [[0], [1], [1], [1]], 0.75),
        ("softmax", "mse", [[1, 0], [0, 1], [0, 1], [0, 1]], 0.75),
        ("softmax", None, [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0, 1]], 1),
        ("linear", None, [[1, 0], [0, 1], [0, 1], [0, 1]], 0.75),
        ("linear", "categorical_crossentropy", [[1, 0], [0, 1], [0, 1], [0, 1]], 0.75),
    ],
)
def test_several_outputs_are_labels_or_classes(activation, loss, y, share):
    assert Quality(passing(activation, 2, loss), (TWO, y))(passing(activation, 2)) == share


def test_classes_of_every_place():
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, layers.Softmax()(inputs))
    x = np.array([[[1, 0], [0, 1], [1, 0]], [[0, 1], [0, 1], [1, 0]]], np.float32)
    assert Quality(model, (x, np.array([[0, 1, 0], [0, 1, 1]])))(model) == 4 / 6


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (passing("linear", 1, "mse"), [0, 1, 0, 1, 1]),
        (passing("linear", 1), [0.3, 1.2, 4, 1, 2]),
        (passing("tanh", 1, "hinge"), [0, 1, 0, 1, 1]),
        (passing("sigmoid", 1), [1, 2, 1, 2, 2]),
    ],
)
def test_what_is_no_classifier_needs_a_metric(tmp_path, model, y):
    with pytest.raises(ValueError, match=r"give metric=, a Keras metric or a function") as error:
        npr.save(model, tmp_path / "a.npk", data=(ONE, y), max_accuracy_drop=0)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a.npk").exists()


def mean_squared_error(y, answers):
    return np.square(np.reshape(y, answers.shape) - answers).mean()


@pytest.mark.parametrize(
    "metric",
    [keras.metrics.MeanSquaredError(), mean_squared_error, keras.losses.MeanSquaredError()],
)
def test_a_drop_in_the_units_of_a_metric(tmp_path, metric):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(50, 12)).astype("float32")
    model = keras.Sequential([keras.Input((12,)), layers.Dense(12, activation="relu")])
    model.add(layers.Dense(1))
    (y,) = outputs_of(model, x)
    sizes = {}
    for drop in (0, 0.01, 100):
        arguments = {"data": (x, y), "metric": metric, "max_accuracy_drop": drop}
        sizes[drop] = npr.save(model, tmp_path / "a.npk", **arguments)
        loaded = npr.load(tmp_path / "a.npk")
        assert mean_squared_error(y, *outputs_of(loaded, x)) <= drop + 1e-9
    assert sizes[0] > sizes[0.01] > sizes[100] == npr.save(model, tmp_path / "b.npk", bits=2)


def brier_score(*_):
    return float("nan")


def gain(*_):
    return 1 / 0


@pytest.mark.parametrize(
    ("metric", "is_lower"),
    [
        (keras.metrics.MeanAbsoluteError(name="a"), True),
        (keras.metrics.AUC(), False),
        (keras.metrics.R2Score(), False),
        (keras.losses.CosineSimilarity(), True),
        (keras.losses.mean_absolute_error, True),
        (keras.losses.kl_divergence, True),
        (functools.partial(brier_score, 1), True),
        (gain, False),
    ],
)
def test_losses_are_better_the_lower_they_are(metric, is_lower):
    assert lower_is_better(metric) == is_lower


def test_several_outputs_need_a_metric(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(2)(inputs)])
    x, y = np.ones((3, 4)), [np.ones((3, 1)), np.ones((3, 2))]
    with pytest.raises(ValueError, match="give metric="):
        npr.save(model, tmp_path / "a.npk", data=(x, y), max_accuracy_drop=0)
    first = lambda y, answers: -float(np.abs(answers[0] - y[0]).mean())  # noqa: E731
    npr.save(model, tmp_path / "a.npk", data=(x, y), max_accuracy_drop=9, metric=first)


BAD = [
    ({"metric": mean_squared_error}, "metric: give max_accuracy_drop too"),
    ({"data": (ONE, ONE)}, "data: give max_accuracy_drop too"),
    ({"metric": "mse", "max_accuracy_drop": 1, "data": (ONE, ONE)}, "metric: 'mse' is neither"),
    (
        {"metric": brier_score, "max_accuracy_drop": -1, "data": (ONE, ONE)},
        "not a finite number of 0",
    ),
    ({"max_accuracy_drop": True, "data": (ONE, ONE)}, "True is not a fraction"),
    ({"max_accuracy_drop": 0, "data": (ONE, None)}, "give arrays of examples"),
    ({"max_accuracy_drop": 0, "data": (3, ONE)}, "give arrays of examples"),
    (
        {"metric": gain, "max_accuracy_drop": 0, "data": (ONE, ONE)},
        "metric: gain fails on the model's outputs (division by zero)",
    ),
    (
        {"metric": brier_score, "max_accuracy_drop": 0, "data": (ONE, ONE)},
        "is NaN",
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_bad_arguments_end_in_one_sentence(tmp_path, arguments, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)) as error:
        npr.save(passing("sigmoid", 1), tmp_path / "a.npk", **arguments)
    assert "\n" not in str(error.value)


def test_lists_are_arrays():
    data = (ONE.tolist(), [0, 0, 1, 1, 1])
    assert Quality(passing("sigmoid", 1), data)(passing("sigmoid", 1)) == 1
