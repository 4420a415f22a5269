"""`save` and `load`: the same models, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import attention, branches, convolutions, mixed, pictures, randomized

pytestmark = pytest.mark.backends


def answers(model):
    generator = np.random.default_rng(0)
    inputs = [generator.normal(size=(3, *t.shape[1:])).astype("float32") for t in model.inputs]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return np.asarray(keras.ops.convert_to_numpy(outputs))


@pytest.mark.parametrize("make", [pictures, convolutions, mixed, branches, attention])
def test_what_is_saved_is_loaded_bit_by_bit(tmp_path, make):
    model = npr.prune(randomized(make()), 0.9)
    size = npr.save(model, tmp_path / "a.npk")
    assert size == (tmp_path / "a.npk").stat().st_size
    loaded = npr.load(tmp_path / "a.npk")
    np.testing.assert_allclose(answers(loaded), answers(model), atol=1e-5)
    assert loaded.name == model.name
    # What is loaded is as small as can be: once more, nothing changes.
    npr.save(loaded, tmp_path / "b.npk")
    again = npr.load(tmp_path / "b.npk")
    for one, other in zip(loaded.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    loaded.compile("sgd", "mse")  # an ordinary model
    assert loaded.input_shape == model.input_shape


def test_code_in_a_file_is_not_run(tmp_path):
    inputs = keras.Input((4,))
    x = layers.Lambda(lambda x: x + 1, output_shape=(4,))(layers.Dense(4)(inputs))
    npr.save(keras.Model(inputs, layers.Dense(2)(x)), tmp_path / "a.npk")
    with pytest.raises(ValueError, match="holds no model that can be built"):
        npr.load(tmp_path / "a.npk")


class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def test_layers_of_ones_own_are_found_where_they_are_registered(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), Doubled(), layers.Dense(2)])
    npr.save(model, tmp_path / "a.npk")
    with pytest.raises(ValueError, match="needs Doubled, which is not registered"):
        npr.load(tmp_path / "a.npk")
    registered = keras.saving.register_keras_serializable("test_npk")(Doubled)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), registered(), layers.Dense(2)])
    npr.save(model, tmp_path / "a.npk")
    np.testing.assert_allclose(answers(npr.load(tmp_path / "a.npk")), answers(model), atol=1e-6)


def test_half_precision(tmp_path):
    inputs = keras.Input((9,), dtype="bfloat16")
    x = layers.Dense(8, activation="relu", dtype="bfloat16")(inputs)
    model = keras.Model(inputs, layers.Dense(2, dtype="float16")(x))
    npr.save(model, tmp_path / "a.npk")
    loaded = npr.load(tmp_path / "a.npk")
    assert [v.dtype for v in loaded.weights] == [v.dtype for v in model.weights]
    for one, other in zip(model.weights, loaded.weights, strict=True):
        ours, theirs = (
            np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")))
            for v in (one, other)
        )
        np.testing.assert_array_equal(ours, theirs)
