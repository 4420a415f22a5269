"""`save` and `load`: the same models, on any backend."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import attention, branches, convolutions, mixed, pictures, randomized, recurrent
from network_pruning.compression import npk

pytestmark = pytest.mark.backends


def answers(model):
    generator = np.random.default_rng(0)
    inputs = [generator.normal(size=(3, *t.shape[1:])).astype("float32") for t in model.inputs]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return np.asarray(keras.ops.convert_to_numpy(outputs))


def grouped_attention():
    """What is around it changes its order, and so do its channels."""
    inputs = keras.Input((5, 6))
    x = layers.Dense(8, "relu")(inputs)
    x = layers.Dense(8, "relu")(layers.GroupQueryAttention(3, 4, 2)(x, x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


@pytest.mark.parametrize(
    "make", [pictures, convolutions, mixed, branches, attention, recurrent, grouped_attention]
)
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


def test_a_file_of_keras_is_told_apart(tmp_path):
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match=r"not an \.npk file; try keras\.saving"):
        npr.load(tmp_path / "a.keras")


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras sorts them on PyTorch")
def test_named_outputs_keep_their_order(tmp_path):
    inputs = {name: keras.Input((4,), name=name) for name in ("second", "first")}
    x = layers.Add()([*inputs.values()])
    outputs = {name: layers.Dense(2, name=name)(x) for name in ("z", "a")}
    model = keras.Model(inputs, outputs)
    npr.save(model, tmp_path / "a.npk")
    loaded = npr.load(tmp_path / "a.npk")
    assert list(loaded.output) == list(model.output)
    assert list(loaded.input) == list(model.input)


def test_code_in_a_file_is_not_run(tmp_path):
    inputs = keras.Input((4,))
    x = layers.Lambda(lambda x: x + 1, output_shape=(4,))(layers.Dense(4)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    check_neither_saved_nor_loaded(model, tmp_path / "a.npk", "Lambda")


def check_neither_saved_nor_loaded(model, path, reason):
    """What nobody could load is not saved, and from elsewhere it is not loaded."""
    with pytest.raises(ValueError, match=f"could not be loaded again: .*{reason}"):
        npr.save(model, path)
    assert not path.exists()
    path.write_bytes(npk.to_bytes(model))
    with pytest.raises(ValueError, match=f"does not contain a model that can be built: .*{reason}"):
        npr.load(path)


class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def test_layers_of_ones_own_are_found_where_they_are_registered(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), Doubled(), layers.Dense(2)])
    reason = "needs Doubled, which is not registered"
    check_neither_saved_nor_loaded(model, tmp_path / "a.npk", reason)
    registered = keras.saving.register_keras_serializable("test_npk")(Doubled)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), registered(), layers.Dense(2)])
    npr.save(model, tmp_path / "a.npk")
    np.testing.assert_allclose(answers(npr.load(tmp_path / "a.npk")), answers(model), atol=1e-6)


@pytest.mark.parametrize(
    ("data", "drop", "message"),
    [
        ((np.zeros((0, 4)), np.zeros(0)), 0.1, "0 examples and 0 labels"),
        ((np.zeros((5, 4)), np.zeros(6)), 0.1, "5 examples and 6 labels"),
        (np.zeros((5, 4)), 0.1, "as a pair"),
        ((np.zeros((5, 3)), np.zeros(5)), 0.1, "cannot be run on these examples"),
        ((np.zeros((5, 4)), np.zeros(5)), "a", "'a' is not a fraction"),
    ],
)
def test_examples_that_do_not_fit_are_a_sentence(tmp_path, data, drop, message):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    with pytest.raises(ValueError, match=message) as error:
        npr.save(model, tmp_path / "a.npk", data=data, max_accuracy_drop=drop)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "a.npk").exists()


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
