"""What layers learned other than by gradients is saved and loaded: statistics, words, integers."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import randomized
from network_pruning.compression.quantization import quantized
from network_pruning.models.copies import copy_of_model

pytestmark = pytest.mark.backends

X = np.random.default_rng(0).normal(2012.9, 1.3, (60, 8)).astype("float32")


def answers(model, x=X):
    return np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))


def adapted():
    """A model that takes years, of which it knows the mean."""
    normalization = layers.Normalization()
    model = keras.Sequential([keras.Input((8,)), normalization, layers.Dense(80), layers.Dense(3)])
    normalization.adapt(X)
    return model


@pytest.mark.parametrize("bits", [None, 6])
def test_normalization_is_that_of_the_data(tmp_path, bits):
    model = adapted()
    npr.save(model, tmp_path / "a.npk", bits=bits)
    loaded = npr.load(tmp_path / "a.npk")
    for name in ("mean", "variance"):  # not 2016
        ours, theirs = (
            keras.ops.convert_to_numpy(getattr(m.layers[0], name)) for m in (loaded, model)
        )
        np.testing.assert_array_equal(ours, theirs)
    difference = np.abs(answers(loaded) - answers(model)).max()
    assert difference < (1e-5 if bits is None else 0.3)


@pytest.mark.parametrize("trainable", [True, False])
def test_statistics_are_not_rounded_but_gains_are(trainable):
    model = randomized(
        keras.Sequential(
            [
                keras.Input((8,)),
                layers.SpectralNormalization(layers.Dense(4)),
                layers.BatchNormalization(name="batch"),
            ]
        )
    )
    model.trainable = trainable
    rounded = quantized(model, 4)
    kept = {
        variable.path.split("/", 1)[1]: (keras.ops.convert_to_numpy(variable.value) == before).all()
        for variable, before in zip(rounded.weights, model.get_weights(), strict=True)
    }
    assert {name: same for name, same in kept.items() if "batch" in name} == {
        "batch/gamma": False,
        "batch/beta": False,
        "batch/moving_mean": True,
        "batch/moving_variance": True,
    }
    assert [same for name, same in kept.items() if "vector" in name or name.endswith("_u")] == [
        True
    ]


def test_the_drop_is_that_of_what_is_saved(tmp_path):
    """Not of a model that computes with what it knew before it was rounded."""
    model = adapted()
    measured = []
    y = answers(model).argmax(axis=1)

    def metric(y, found):
        measured.append(found)
        return (found.argmax(axis=1) == y).mean()

    npr.save(model, tmp_path / "a.npk", data=(X, y), max_accuracy_drop=1, metric=metric)
    assert len(measured) == 2  # the model as it is, with 2 bits
    loaded = npr.load(tmp_path / "a.npk")
    np.testing.assert_allclose(measured[-1], answers(loaded), atol=1e-5)


@pytest.mark.parametrize(
    "rescaling",
    [
        layers.Rescaling(1 / 255),
        layers.Rescaling([1.0] * 8, offset=-2000.0),
        layers.Discretization([2012.0, 2013.0]),
        layers.Normalization(mean=2000.0, variance=4.0),
    ],
)
def test_arguments_that_are_needed_are_kept(tmp_path, rescaling):
    model = keras.Sequential([keras.Input((8,)), rescaling, layers.Dense(3)])
    npr.save(model, tmp_path / "a.npk")
    np.testing.assert_allclose(answers(npr.load(tmp_path / "a.npk")), answers(model), atol=1e-4)


@pytest.mark.parametrize("made", [copy_of_model, npr.shrink])
def test_copies_share_nothing(made):
    """JAX deletes arrays that `predict` has used."""
    model = adapted()
    expected, other = answers(model), made(model)
    model.predict(X, verbose=0)
    np.testing.assert_allclose(answers(other), expected, atol=1e-4)
    np.testing.assert_allclose(answers(copy_of_model(other)), expected, atol=1e-4)


def test_bins_are_those_of_the_data(tmp_path):
    bins = layers.Discretization(num_bins=4)
    bins.adapt(X)
    model = keras.Sequential([keras.Input((8,)), bins, layers.Dense(3)])
    for other in (copy_of_model(model), npr.shrink(model)):
        np.testing.assert_allclose(answers(other), answers(model), atol=1e-5)
    npr.save(model, tmp_path / "a.npk", bits=6)
    assert npr.load(tmp_path / "a.npk").layers[0].bin_boundaries == bins.bin_boundaries


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has texts")
@pytest.mark.parametrize("mode", ["int", "tf_idf", "file"])
def test_words_are_those_of_the_data(tmp_path, mode):
    import tensorflow as tf

    texts = ["the cat sat", "the dog", "cat and dog"]
    length = {"output_sequence_length": 4} if mode != "tf_idf" else {"pad_to_max_tokens": True}
    words = layers.TextVectorization(
        10, output_mode="tf_idf" if mode == "tf_idf" else "int", **length
    )
    if mode == "file":
        (tmp_path / "words.txt").write_text("cat\ndog\n", encoding="utf-8")
        words.set_vocabulary(str(tmp_path / "words.txt"))
    else:
        words.adapt(texts)
    inputs = keras.Input((1,), dtype="string")
    x = words(inputs)
    if mode != "tf_idf":
        x = layers.Flatten()(layers.Embedding(12, 3)(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = tf.constant([["the cat barks"], ["dog and dog"]])
    expected = answers(model, x)
    (tmp_path / "words.txt").unlink(missing_ok=True)
    for other in (copy_of_model(model), npr.shrink(model)):
        np.testing.assert_allclose(answers(other, x), expected, atol=1e-5)
    npr.save(model, tmp_path / "a.npk")
    np.testing.assert_allclose(answers(npr.load(tmp_path / "a.npk"), x), expected, atol=1e-5)
    lookup = words._lookup_layer
    assert lookup.input_vocabulary is None  # nothing of the user's was changed


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("bits", [None, 3])
def test_what_keras_has_quantized_stays_as_it_is(tmp_path, mode, bits):
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, activation="relu", name="one"),
            layers.BatchNormalization(),
            layers.Dense(3, name="two"),
        ]
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # layers that have no integers
            model.quantize(mode)
    except ValueError:
        pytest.skip("this version of Keras does not know it")
    npr.save(model, tmp_path / "a.npk", bits=bits)
    loaded = npr.load(tmp_path / "a.npk")
    before, after = ({v.path: v for v in m.weights} for m in (model, loaded))
    assert before.keys() == after.keys()
    for name, variable in before.items():
        if bits is None or "int8" in variable.dtype or not variable.trainable:
            theirs, ours = (keras.ops.convert_to_numpy(v.value) for v in (variable, after[name]))
            np.testing.assert_array_equal(ours, theirs)
            assert after[name].dtype == variable.dtype
    if bits is None:
        np.testing.assert_allclose(answers(loaded, X - 2012), answers(model, X - 2012), atol=1e-5)


def test_bits_may_be_any_whole_number(tmp_path):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(80), layers.Dense(3)])
    npr.save(model, tmp_path / "a.npk", bits=4)
    for bits in (4.0, np.int64(4), np.float32(4)):
        npr.save(model, tmp_path / "b.npk", bits=bits)
        assert (tmp_path / "a.npk").read_bytes() == (tmp_path / "b.npk").read_bytes()


@pytest.mark.parametrize("bits", [4.5, True, "4", [4], np.array([3, 4]), float("nan")])
def test_other_bits_are_a_sentence(tmp_path, bits):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"^bits: .* is not a whole number from 2 to 6\.$"):
        npr.save(model, tmp_path / "a.npk", bits=bits)


def test_paths_that_are_none_are_a_sentence(tmp_path):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"^path: 3 is not the path of a file\.$"):
        npr.save(model, 3)
    with pytest.raises(ValueError, match=r"^path: .* is a folder; give the path of a file in it"):
        npr.load(tmp_path)
    with pytest.raises(ValueError, match=r"^path: None is not the path of a file\.$"):
        npr.load(None)
