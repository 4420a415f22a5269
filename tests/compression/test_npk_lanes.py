"""The second version of `.npk` files, for large networks."""

import contextlib
import io
import zlib

import network_pruning as npr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras_models import attention, convolutions, mixed, randomized
from network_pruning.compression import npk, npk_lanes, npk_writer


def written(places):
    content = io.BytesIO()
    npk_lanes.write(content, places)
    return content.getvalue()


def matrix(rows, columns, most=8, seed=0):
    random = np.random.default_rng(seed)
    scales = random.lognormal(size=(rows, 1)) * random.lognormal(size=columns)
    return np.clip(np.round(random.normal(size=(rows, columns)) * scales), -most, most).astype(int)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 64), st.integers(0, 9), st.booleans())
def test_what_is_written_is_read(rows, columns, most, seed, is_constant):
    places = np.full((rows, columns), most) if is_constant else matrix(rows, columns, most, seed)
    read = npk_lanes.read(io.BytesIO(written(places)), rows, columns)
    np.testing.assert_array_equal(read, places)


def test_large_matrices_are_short():
    places = matrix(1500, 1000)
    content = written(places)
    np.testing.assert_array_equal(npk_lanes.read(io.BytesIO(content), *places.shape), places)
    _, counts = np.unique(places, return_counts=True)
    entropy = -(counts * np.log2(counts / counts.sum())).sum() / 8
    assert len(content) < 0.9 * entropy  # classes of rows and columns know more


@pytest.fixture
def large(monkeypatch):
    """After `large()`, small networks are large."""

    def large():
        monkeypatch.setattr(npk_writer, "LARGE_SIZE", 100)
        monkeypatch.setattr(npk_writer, "LANES_SIZE", 30)

    return large


@pytest.mark.parametrize("build", [mixed, attention, convolutions])
@pytest.mark.parametrize("bits", [None, 4])
def test_models_are_the_same_in_both_versions(build, bits, tmp_path, large):
    model = npr.prune(randomized(build()), 0.4)
    npr.save(model, tmp_path / "first.npk", bits=bits)
    large()
    npr.save(model, tmp_path / "second.npk", bits=bits)
    first, second = (npr.load(tmp_path / name) for name in ("first.npk", "second.npk"))
    assert (tmp_path / "first.npk").read_bytes().startswith(b"NPK1")
    assert (tmp_path / "second.npk").read_bytes().startswith(b"NPK2")
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_damaged_files_with_right_checksums_end_in_a_sentence(tmp_path, large):
    large()
    content = npk.to_bytes(npr.prune(randomized(mixed()), 0.4))
    generator = np.random.default_rng(4)
    for _ in range(100):
        body = bytearray(content[8:])
        for place in generator.integers(len(body), size=generator.integers(1, 4)):
            body[place] ^= generator.integers(1, 256)
        damaged = content[:4] + zlib.crc32(body).to_bytes(4, "little") + bytes(body)
        (tmp_path / "a.npk").write_bytes(damaged)
        with contextlib.suppress(ValueError):
            npr.load(tmp_path / "a.npk")


@pytest.mark.parametrize("place", range(60))
def test_damaged_lanes_are_refused_or_read(place):
    """No number of lanes, classes or words makes a reader fail in another way."""
    places = matrix(30, 20)
    content = bytearray(written(places))
    content[place] ^= 0x81
    try:
        read = npk_lanes.read(io.BytesIO(bytes(content)), *places.shape)
    except (ValueError, IndexError):
        return
    assert read.shape == places.shape
