"""`.npk` files that claim more than they can hold end in a sentence, before memory is taken."""

import base64
import json
import time
import tracemalloc
import zlib

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from network_pruning.compression import npk_config, npk_file, npk_reader, npk_writer


def deflated(content):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush()


def file(config=b"{}", plain=b"", write=lambda model: model.number("all", 0)):
    """A file of a config, plain numbers, and what `write` writes with a `Model`."""
    writer = npk_writer.BitWriter()
    write(npk_reader.Model(writer))
    parts = deflated(config), deflated(plain)
    sizes = np.array([len(part) for part in parts], "<u4").tobytes()
    body = b"".join((sizes, *parts, writer.words().astype("<u4").tobytes()))
    return b"NPK1" + zlib.crc32(body).to_bytes(4, "little") + body


def heads(model, shape, *, kind=1, table=1):
    for key, number in {"rank": len(shape), "kind": kind, "type": 0, "table": table}.items():
        model.number(key, number)
    for size in shape:
        model.number("shape", size)
    for key in ("step", "line", "falling") if kind else ():
        model.number(key, 0)


def zeros(shape, number=1):
    """Writes so many matrices of zeros."""

    def write(model):
        model.number("all", number)
        for _ in range(number):
            heads(model, shape)
            matrix = [[0] * shape[0] for _ in range(shape[1])]
            list(npk_reader.Model(model.coder).matrix(shape[1], shape[0], 0, 0, 0, matrix))

    return write


def large(model):
    model.number("all", 1)
    heads(model, (1 << 40, 1 << 40))


def deep(model):
    model.number("all", 1)
    model.number("rank", 1 << 40)


def empty(model):
    model.number("all", 1)
    heads(model, (0, 1 << 40))


FORGED = {
    "a config of 16 MB": file(config=b'"' + bytes(1 << 24) + b'"'),
    "a nested config": file(config=b"[" * 100_000 + b"]" * 100_000),
    "plain numbers of 64 MB": file(plain=bytes(1 << 26)),
    "a matrix of 2**80": file(write=large),
    "columns without rows": file(write=empty),
    "as many axes": file(write=deep),
    "the sum of many matrices": file(plain=bytes(400), write=zeros((100, 100), 100)),
    "columns of one row": file(plain=bytes(4), write=zeros((1, 100_000))),
}


@pytest.mark.parametrize("content", FORGED.values(), ids=FORGED)
def test_claims_end_in_a_sentence(content, tmp_path):
    assert len(content) < 1 << 17
    (tmp_path / "a.npk").write_bytes(content)
    begun = time.process_time()
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.npk cannot be read: ") as error:
        npk_file.read(tmp_path / "a.npk")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert most < 12 << 20  # of a megabyte, that is inflated
    assert time.process_time() - begun < 5


def test_work_is_limited_too():
    """Bits of which the next one is all but sure cost next to nothing to write."""
    reader = npk_reader.BitReader([0] * 100, 10_000)
    with pytest.raises(ValueError, match="damaged"):  # noqa: PT012 - which one does not matter
        for _ in range(1_000_000):
            reader.bit(2**-12)


def test_arrays_of_other_shapes_are_not_decoded(monkeypatch, tmp_path):
    """What the config's model does not have costs no time and no memory."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, use_bias=False)])
    config = json.dumps(npk_config.plain_config(model)).encode()

    def write(model):
        model.number("all", 1)
        heads(model, (100, 100))

    (tmp_path / "a.npk").write_bytes(file(config, bytes(4), write))
    monkeypatch.setattr(npk_reader.Model, "matrix", None)
    with pytest.raises(ValueError, match="its arrays are not those of its model"):
        npr.load(tmp_path / "a.npk")
    (tmp_path / "a.npk").write_bytes(file(config))
    with pytest.raises(ValueError, match="its arrays are not those of its model"):
        npr.load(tmp_path / "a.npk")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2000, 1000), np.float32),  # a matrix of next to nothing
        np.zeros((3 << 20,), np.int8),  # plain numbers that deflate a thousand times
        np.zeros((1 << 18,), np.float32),  # many columns
    ],
)
def test_what_is_written_can_be_read_however_short_it_is(array):
    config = {"long": "a" * (3 << 20)}
    read, (again,) = npk_reader.read(npk_writer.write(config, [array], [1]))
    assert read == config
    np.testing.assert_array_equal(again, array)
    assert again.dtype == array.dtype


def test_files_from_before_there_were_limits_are_the_same():
    content = base64.b64decode(
        "TlBLMVZU0TscAAAAFQAAACOuhKE8w5sgXJJJWXEN69Yh5QJi/J+fk4LN/wBrsGOwP2B/9swZ27NnfOxmzZxpBwBBZUy2"
        "fAv4kBX6+PtQdDIr"
    )
    config, (kernel, bias) = npk_reader.read(content)
    assert [layer["class_name"] for layer in config["config"]["layers"]] == ["InputLayer", "Dense"]
    np.testing.assert_array_equal(
        kernel, [[0, 0.5, 0], [0, -0.5, 0.25], [1.5, 0, 0], [0, 0, -0.25]]
    )
    np.testing.assert_array_equal(bias, np.float32([0.1, -0.2, 0.3]))
    assert kernel.dtype == bias.dtype == np.float32
    assert npk_writer.write(config, [kernel, bias], [1, 1]) == content  # nor do they grow
