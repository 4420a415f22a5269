"""Data sets of the user's own, in `.npz` files."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.data import files, registry
from network_pruning.utils import RunError, UsageError

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.integers(256, size=(60, 4, 5), dtype=np.uint8), np.arange(60) % 3


@pytest.fixture
def saved(tmp_path, caplog):
    """Saves good arrays, or others in their place; returns the path."""
    caplog.set_level("INFO", "network_pruning")

    def save(**changes):
        arrays = {"x_train": X, "y_train": Y, "x_test": X[:12], "y_test": Y[:12]} | changes
        path = tmp_path / "mine.npz"
        np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
        return str(path)

    return save


def test_bytes_are_scaled_and_the_first_are_held_out(saved, caplog):
    path = saved()
    dataset = registry.load(path, None, 20)
    assert [len(split) for split in (dataset.train, dataset.valid, dataset.test)] == [40, 20, 12]
    np.testing.assert_array_equal(dataset.train.images, X[20:] / np.float32(255))
    np.testing.assert_array_equal(dataset.valid.pixels, X[:20])
    np.testing.assert_array_equal(dataset.test.labels, Y[:12])
    assert dataset.num_classes == 3
    assert dataset.shape == (4, 5)
    assert dataset.digest == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert caplog.messages == [
        "mine.npz: examples are uint8 of shape (4, 5), scaled by 1/255.",
    ]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int8", "bool"])
def test_other_numbers_are_taken_as_they_are(saved, caplog, dtype):
    x = (RANDOM.random((60, 7)) * 3).astype(dtype)
    dataset = files.load(saved(x_train=x, x_test=x[:12]), 0)
    assert dataset.valid is None
    assert dataset.train.images.dtype == np.float32
    np.testing.assert_array_equal(dataset.train.images, x.astype(np.float32))
    assert f"{dtype} of shape (7,), used as they are" in caplog.text


@pytest.mark.parametrize(
    "labels",
    [
        lambda y: np.eye(3)[y],
        lambda y: np.eye(3, dtype=bool)[y],
        lambda y: y[:, np.newaxis],
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(float),
    ],
    ids=["one-hot", "one-hot booleans", "column", "bytes", "whole floats"],
)
def test_labels_of_all_kinds(saved, labels):
    dataset = files.load(saved(y_train=labels(Y), y_test=labels(Y[:12])), 10)
    np.testing.assert_array_equal(dataset.train.labels, Y[10:])
    assert (dataset.train.labels.dtype, dataset.num_classes) == (np.int32, 3)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=30), st.data())
def test_one_hot_and_integers_are_the_same(labels, data):
    classes = data.draw(st.integers(max(max(labels) + 1, 2), 12))
    one_hot = np.eye(classes)[labels]
    number, (found, _) = files._labels("x.npz", one_hot, one_hot)
    assert number == classes
    np.testing.assert_array_equal(found, labels)


def nan(array):
    return np.where(np.arange(array.size).reshape(array.shape) < 2, np.nan, array)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x_train": None}, r"it lacks x_train \(there is y_train, x_test, y_test\)"),
        ({"x_test": None, "y_test": None}, "it lacks x_test, y_test"),
        ({"x_train": nan(X)}, "x_train is not finite .* in 2 places"),
        ({"x_test": np.full((12, 4, 5), np.inf)}, "x_test is not finite .* in 240 places"),
        ({"x_train": X[:50]}, "x_train has 50 examples, y_train 60"),
        ({"x_test": X[:12, :3]}, r"uint8 of shape \(60, 4, 5\) and uint8 of shape \(12, 3, 5\)"),
        ({"x_test": X[:12] / 255}, "must have one type and shape"),
        ({"x_train": X[:, 0, 0]}, r"x_train is of shape \(60,\)"),
        ({"x_train": X[:0], "y_train": Y[:0]}, r"y_train is empty, of shape \(0,\)"),
        ({"x_test": X[:0]}, "x_test is empty"),
        ({"y_test": Y[:12].astype(str)}, "y_test contains texts, .*numpy.unique"),
        ({"y_test": Y[:12] + 70}, "its labels go up to 72, more classes than there are training"),
        ({"x_train": X.astype(str)}, "x_train is of type <U3, but numbers are needed"),
        ({"y_train": Y - 1}, "y_train contains other values than the classes"),
        ({"y_train": Y + 0.5}, "y_train contains other values than the classes 0, 1, 2 …, such as"),
        ({"y_train": nan(Y.astype(float))}, "y_train contains other values than the classes"),
        ({"y_train": np.eye(3)[Y] / 2}, "not one-hot"),
        ({"y_train": np.ones((60, 3))}, "not one-hot"),
        ({"y_train": 0 * Y, "y_test": 0 * Y[:12]}, "two or more classes"),
        ({"y_train": np.eye(3)[Y], "y_test": Y[:12] + 5}, "two or more classes"),
        ({"x_train": np.array([X, None], object)}, "Python objects"),
    ],
)
def test_what_cannot_be_used(saved, changes, sentence):
    with pytest.raises(RunError, match=f"`dataset`: .*mine.npz cannot be used: .*{sentence}"):
        files.load(saved(**changes), 10)


@pytest.mark.parametrize("num_valid", [60, 100, -1])
def test_the_largest_validation_split_is_named(saved, num_valid):
    with pytest.raises(UsageError, match=f"between 0 and 59, not {num_valid}"):
        files.load(saved(), num_valid)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read .No such file"):
        files.check(str(tmp_path / "missing.npz"))
    for content in (b"", b"nothing", b"PK\x03\x04 nothing"):
        path = tmp_path / "broken.npz"
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"it is not an \.npz file"):
            files.check(str(path))
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(RunError, match="it is a single array"):
        files.check(str(path))


def test_a_damaged_file(saved):
    path = saved()
    with Path(path).open("r+b") as file:
        file.seek(200)
        file.write(b"damage" * 20)
    with pytest.raises(RunError, match=r"damaged|not an \.npz file"):
        files.load(path, 10)


@pytest.mark.parametrize(("size", "expected"), [(60, 10), (59_999, 9_999), (90_000, 10_000)])
def test_a_sixth_is_held_out_unless_somebody_says(saved, size, expected):
    path = saved(x_train=np.zeros((size, 1), np.uint8), y_train=np.arange(size) % 2)
    assert files.default_num_valid(path) == expected


def test_classes_numbered_from_one_are_noticed(saved, caplog):
    files.load(saved(y_train=Y + 1, y_test=Y[:12] + 1), None)
    assert "no label is 0" in caplog.text


def test_files_sorted_by_class_are_noticed(saved, caplog):
    order = np.argsort(Y, kind="stable")
    files.load(saved(x_train=np.repeat(X[order], 9, 0), y_train=np.repeat(Y[order], 9)), 100)
    assert "lack 2 of 3 classes; shuffle the file" in caplog.text
    caplog.clear()
    files.load(saved(), 30)
    assert "shuffle" not in caplog.text
