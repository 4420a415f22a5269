"""The order of units is free: files are shorter, answers are the same."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import attention, branches, mixed, outputs_of, pictures, randomized, recurrent
from network_pruning.compression import npk
from network_pruning.graph.unit_order import reorder_units
from network_pruning.models.copies import copy_of_model

pytestmark = pytest.mark.backends


def reordered(model):
    copy = copy_of_model(model)
    copy.set_weights([*reorder_units(model)])
    return copy


def check_same_answers(model):
    generator = np.random.default_rng(0)
    shape = (4, *model.input_shape[1:])
    x = generator.normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(
        *outputs_of(reordered(model), x), *outputs_of(model, x), rtol=1e-4, atol=1e-5
    )


def test_by_hand():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(3), layers.Dense(2)])
    kernel = np.array([[0, 1, 2], [0, 0, 3]], np.float32)
    model.set_weights([kernel, np.array([4, 5, 6], np.float32), np.eye(3, 2), np.ones(2)])
    one, bias, two, last = reorder_units(model)
    np.testing.assert_array_equal(one, [[2, 1, 0], [3, 0, 0]])
    np.testing.assert_array_equal(bias, [6, 5, 4])
    np.testing.assert_array_equal(two, np.eye(3, 2)[::-1])
    np.testing.assert_array_equal(last, [1, 1])
    assert {array.dtype for array in (one, bias, two, last)} == {np.dtype(np.float32)}


def test_ties_stay_in_their_order():
    model = randomized(branches())
    for before, after in zip(model.weights, reorder_units(model), strict=True):
        np.testing.assert_array_equal(after, keras.ops.convert_to_numpy(before.value))


@pytest.mark.parametrize("make", [branches, mixed, attention, pictures, recurrent])
def test_models_of_all_kinds_answer_the_same(make):
    pruned = npr.prune(randomized(make()), 0.6)
    check_same_answers(pruned)


def test_columns_fall_where_nothing_holds_them():
    model = npr.prune(
        randomized(
            keras.Sequential(
                [
                    keras.Input((8, 8, 1)),
                    layers.Conv2D(6, 3, name="conv"),
                    layers.BatchNormalization(),
                    layers.ReLU(),
                    layers.MaxPooling2D(2),
                    layers.Flatten(),
                    layers.Dense(12, activation="relu", name="dense"),
                    layers.Dense(3, name="out"),
                ]
            )
        ),
        0.7,
    )
    check_same_answers(model)
    smaller = reordered(model)
    for name in ("conv", "dense"):
        kernel = smaller.get_layer(name).get_weights()[0]
        counts = np.count_nonzero(kernel.reshape(-1, kernel.shape[-1]), axis=0)
        assert (np.diff(counts) <= 0).all()
        assert len(set(counts)) > 1
    before, after = (m.get_layer("out").get_weights()[1] for m in (model, smaller))
    np.testing.assert_array_equal(before, after)


def test_a_file_is_shorter_for_it(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((200,)), layers.Dense(100), layers.Dense(5)])
    kernel = generator.normal(size=(200, 100)) * (
        generator.random((200, 100)) < generator.random(100) / 5
    )
    model.layers[0].kernel.assign(kernel)
    short = npr.save(model, tmp_path / "a.npk", bits=3)
    monkeypatch.setattr(npk, "reorder_units", lambda m: m.get_weights())
    assert short < 0.98 * npr.save(model, tmp_path / "b.npk", bits=3)
