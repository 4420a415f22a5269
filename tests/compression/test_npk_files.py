"""`.npk` files: how small, how exact, and what of those that are damaged or made to deceive."""

import json
import subprocess
import sys
import zlib

import constriction
import keras
import network_pruning as npr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from keras import layers
from keras_models import branches, convolutions, pictures, randomized
from network_pruning.compression import (
    npk,
    npk_config,
    npk_file,
    npk_reader,
    npk_writer,
    quality,
    quantization,
)


def test_sparse_is_small_and_few_levels_smaller(tmp_path):
    model = npr.prune(pictures(), 0.9)
    whole = npr.save(pictures(), tmp_path / "dense.npk")
    sparse = npr.save(model, tmp_path / "sparse.npk")
    levels = npr.save(model, tmp_path / "levels.npk", bits=2)
    assert levels < sparse < whole < 4 * model.count_params() + 250


@pytest.mark.parametrize("bits", [2, 4])
def test_kernels_have_few_levels_and_zeros_stay(tmp_path, bits):
    model = npr.prune(
        randomized(
            keras.Sequential(
                [
                    keras.Input((20,)),
                    layers.Dense(70, activation="relu", name="one"),
                    layers.BatchNormalization(),
                    layers.Dense(70, activation="relu", name="two"),
                    layers.Dense(3, name="out"),
                ]
            )
        ),
        0.3,
    )
    rounded = quantization.quantized(model, bits)
    for layer in ("one", "two", "out"):
        before, after = (m.get_layer(layer).get_weights()[0] for m in (model, rounded))
        assert len(np.unique(np.abs(after[after != 0]))) <= 2 ** (bits - 1)
        np.testing.assert_array_equal(after == 0, before == 0)
        assert (np.sign(after) == np.sign(before)).all()
    bias = rounded.get_layer("one").get_weights()[1]
    assert len(np.unique(np.abs(bias))) <= 16
    variance = rounded.layers[1].get_weights()[3]
    np.testing.assert_array_equal(variance, model.layers[1].get_weights()[3])
    gamma = rounded.layers[1].get_weights()[0]
    np.testing.assert_array_equal(gamma, quantization.in_16_bits(gamma))
    npr.save(model, tmp_path / "a.npk", bits=bits)
    np.testing.assert_array_equal(
        npr.load(tmp_path / "a.npk").layers[0].get_weights()[0].shape, (20, 70)
    )


def test_levels_by_hand():
    values = np.array([0, 1, -1, 1, 3, -3, 0, 3], np.float32)
    np.testing.assert_array_equal(quantization.magnitudes_of(values, 2), [1, 3])
    np.testing.assert_array_equal(quantization.magnitudes_of(0 * values, 2), [])
    np.testing.assert_array_equal(quantization.magnitudes_of(values[:2], 4), [1])
    levels = np.array([1, 3], np.float32)
    given_, expected = [0, -0.1, 1.9, 2.1, -9], [0, -1, 1, 3, -3]
    found = quantization.rounded(np.array(given_, np.float32), levels)
    np.testing.assert_array_equal(found, expected)


@given(arrays_of.arrays(np.float32, 20, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_sixteen_bits_are_the_nearest(values):
    rounded = quantization.in_16_bits(values)
    assert not (rounded.view(np.uint32) & 0xFFFF).any()
    assert (np.abs(rounded - values) <= 2.0**-8 * np.abs(values) + 1e-37).all()


def test_the_fewest_bits_that_are_good_enough(tmp_path):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(300, 36)).astype("float32")
    model = pictures()
    y = np.asarray(model.predict(x, verbose=0)).argmax(axis=1)  # it is right about all of them
    assert quality.Quality(model, (x, np.eye(3)[y]))(model) == 1
    accuracy = quality.Quality(model, (x, y))
    sizes = {}
    for drop in (0.0, 0.05, 1.0):
        sizes[drop] = npr.save(model, tmp_path / "a.npk", data=(x, y), max_accuracy_drop=drop)
        assert accuracy(npr.load(tmp_path / "a.npk")) >= 1 - drop
    assert sizes[1.0] == npr.save(model, tmp_path / "b.npk", bits=2)
    assert sizes[1.0] < sizes[0.05] <= sizes[0.0] <= npr.save(model, tmp_path / "b.npk")


@given(st.data())
def test_matrices_of_any_kind_come_back(data):
    columns, rows = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 30))
    cells = st.sampled_from([0, 0, 0, 1, -1, 2, -7, 40])
    matrix = data.draw(
        st.lists(st.lists(cells, min_size=rows, max_size=rows), min_size=columns, max_size=columns)
    )
    falling = data.draw(st.booleans())
    if falling:
        matrix.sort(key=lambda column: column.count(0))
    picture = data.draw(st.sampled_from([(0, 0), (1, 5), (3, 9)]))
    writer = npk_writer.BitWriter()
    list(npk_reader.Model(writer).matrix(columns, rows, *picture, falling, matrix))
    words = writer.words().tolist()
    reader = npk_reader.Model(npk_reader.BitReader(words))
    assert list(reader.matrix(columns, rows, *picture, falling)) == matrix


TYPES = ["float32", "float16", "float64", "int32", "int64", "uint8", "int8", "bool"]


@given(st.data())
def test_arrays_of_any_kind_come_back(data):
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=4, max_side=5)
    made = [
        data.draw(arrays_of.arrays(data.draw(st.sampled_from(TYPES)), data.draw(shapes)))
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    axes = [data.draw(st.integers(1, 2)) for _ in made]
    config, read = npk_reader.read(npk_writer.write({"a": [1]}, made, axes))
    assert config == {"a": [1]}
    assert len(read) == len(made)
    for ours, theirs in zip(read, made, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours, theirs)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=300))
def test_bits_are_decoded_as_constriction_does(bits):
    writer = npk_writer.BitWriter()
    for bit, p in bits:
        writer.bit(p, bit)
    reader = npk_reader.BitReader(writer.words().tolist())
    theirs = constriction.stream.queue.RangeDecoder(writer.words())
    for bit, p in bits:
        assert reader.bit(p) == bit
        assert theirs.decode(constriction.stream.model.Bernoulli(p, perfect=False)) == bit


@pytest.mark.parametrize("make", [pictures, convolutions])
def test_numpy_alone_reads_and_runs(tmp_path, root, make):
    model = npr.prune(make(), 0.7)
    npr.save(model, tmp_path / "a.npk")
    x = np.random.default_rng(2).random((4, *model.input_shape[1:]), np.float32)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, runpy, numpy as np\n"
        "for name in ('keras', 'tensorflow', 'jax', 'torch', 'constriction'):\n"
        "    sys.modules[name] = None\n"  # importing them is an error
        "npk = runpy.run_path(sys.argv[1])\n"
        "config, arrays = npk['read'](open(sys.argv[2], 'rb').read())\n"
        "np.save(sys.argv[4], npk['run'](config, arrays, np.load(sys.argv[3])))\n"
    )
    reader = root / "compression" / "npk_reader.py"
    paths = (reader, *(tmp_path / name for name in ("a.npk", "x.npy", "y.npy")))
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True)
    expected = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5)
    assert len(reader.read_text(encoding="utf-8").splitlines()) <= 220


def test_numpy_alone_says_what_it_cannot_run(tmp_path):
    npr.save(randomized(branches()), tmp_path / "a.npk")
    with pytest.raises(ValueError, match="not a simple chain"):
        npk_reader.run(*npk_file.read(tmp_path / "a.npk"), np.ones((1, 5)))


BAD = [
    ({"bits": 1}, "bits: 1 is not a whole number from 2 to 6"),
    ({"bits": 4, "max_accuracy_drop": 0.1, "data": ()}, "give one of them"),
    ({"max_accuracy_drop": 0.1}, r"data: give examples as data=\(x, y\)"),
    ({"max_accuracy_drop": 10, "data": ()}, "max_accuracy_drop: 10 is not a fraction"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_bad_arguments_end_in_one_sentence(tmp_path, arguments, sentence):
    (tmp_path / "a.npk").write_bytes(b"somebody's")
    with pytest.raises(ValueError, match=sentence) as error:
        npr.save(pictures(), tmp_path / "a.npk", **arguments)
    assert "\n" not in str(error.value)
    assert (tmp_path / "a.npk").read_bytes() == b"somebody's"


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="str is not a Keras model"):
        npr.save("model.keras", tmp_path / "a.npk")
    with pytest.raises(ValueError, match="build it first"):
        npr.save(keras.Sequential([layers.Dense(3)]), tmp_path / "a.npk")
    for content in (b"", b"NPK1", b"NPK2" + bytes(40), b"PK\3\4 somebody's archive"):
        (tmp_path / "b.npk").write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot be read: it is not an \.npk file"):
            npr.load(tmp_path / "b.npk")
    with pytest.raises(FileNotFoundError):
        npr.load(tmp_path / "nowhere.npk")


@pytest.fixture(scope="module")
def content():
    """The bytes of a file."""
    return npk.to_bytes(npr.prune(pictures(), 0.8))


def test_ten_thousand_damaged_files_are_refused(content):
    generator = np.random.default_rng(3)
    for number in range(10_000):
        damaged = bytearray(content)
        if number % 3 == 0:
            damaged = damaged[: generator.integers(len(damaged))]
        else:
            for place in generator.integers(len(damaged), size=generator.integers(1, 5)):
                damaged[place] ^= generator.integers(1, 256)
        said = r"is not an \.npk file of version 1 or 2, or is damaged"
        with pytest.raises(ValueError, match=said):
            npk_reader.read(bytes(damaged))


def test_files_made_to_deceive_end_in_a_sentence_or_in_small_arrays(content, tmp_path):
    """Their checksums are right, their contents are not."""
    generator = np.random.default_rng(4)
    for _ in range(1000):
        body = bytearray(content[8:])
        for place in generator.integers(len(body), size=generator.integers(1, 4)):
            body[place] = generator.integers(256)
        made = b"NPK1" + zlib.crc32(body).to_bytes(4, "little") + body
        (tmp_path / "a.npk").write_bytes(made)
        try:
            config, arrays = npk_file.read(tmp_path / "a.npk")
        except ValueError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most of them are read
        else:
            json.dumps(config)
            assert sum(array.size for array in arrays) <= 512 * (1024 + len(made))


def forged(change, arrays=None):
    """A file of which the config was changed."""
    model = pictures()
    config = npk_config.plain_config(model)
    change(config["config"])
    return npk_writer.write(config, arrays or model.get_weights(), [1] * len(model.weights))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["layers"][1]["config"].update(units=10**12), "its arrays are not those"),
        (lambda c: c["layers"][1]["config"].update(units=13), "its arrays are not those"),
        (lambda c: c["layers"].pop(), "its arrays are not those of its model"),
        (lambda c: c["layers"][1].update(module="os", class_name="system"), "needs system"),
        (lambda c: c["layers"][1].update(class_name="Lambda"), "does not contain a model"),
        (lambda c: c.update(layers="none"), "does not contain a model"),
    ],
)
def test_configs_that_lie_end_in_a_sentence(tmp_path, change, sentence):
    (tmp_path / "a.npk").write_bytes(forged(change))
    with pytest.raises(ValueError, match=sentence) as error:
        npr.load(tmp_path / "a.npk")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "last",
    [
        layers.ReLU(max_value=1.0),
        layers.ReLU(negative_slope=0.5),
        layers.ReLU(threshold=0.5),
        layers.Conv2D(2, 2, dilation_rate=2),
        layers.Conv2D(2, 2, padding="same"),
        layers.MaxPooling2D(2, padding="same"),
    ],
)
def test_numpy_alone_refuses_what_it_would_answer_otherwise(tmp_path, last):
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 2), last])
    npr.save(model, tmp_path / "a.npk")
    with pytest.raises(ValueError, match="that only Keras can run"):
        npk_reader.run(*npk_file.read(tmp_path / "a.npk"), np.ones((1, 6, 6, 1)))


def test_numpy_alone_refuses_layers_that_are_used_twice(tmp_path):
    inputs, twice = keras.Input((4,)), layers.Dense(4)
    npr.save(keras.Model(inputs, twice(twice(inputs))), tmp_path / "a.npk")
    with pytest.raises(ValueError, match="not a simple chain"):
        npk_reader.run(*npk_file.read(tmp_path / "a.npk"), np.ones((1, 4)))


def test_a_file_that_is_written_again_is_the_same(tmp_path):
    model = npr.prune(convolutions(), 0.7)
    npr.save(model, tmp_path / "a.npk", bits=3)
    npr.save(npr.load(tmp_path / "a.npk"), tmp_path / "b.npk")
    assert (tmp_path / "a.npk").read_bytes() == (tmp_path / "b.npk").read_bytes()
