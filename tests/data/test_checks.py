import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from network_pruning.data.checks import check_dataset
from network_pruning.data.data_loaders.loader_utils import Dataset, Split
from network_pruning.utils import RunError

PIXELS, LABELS = np.zeros((3, 784), np.uint8), np.array([0, 9, 4], np.int32)
GOOD = Split(PIXELS, LABELS)


def dataset(train=GOOD, valid=GOOD, test=GOOD, digest="abc"):
    return Dataset("mine", digest, train, valid, test)


def nan(values):
    values = values.astype(float)
    values[0] = np.nan
    return values


PIXELS_NEEDED = r"but uint8 or finite float32 of shape \(n, …\) is needed"
LABELS_NEEDED = r"but integers of shape \(n,\) are needed"


@pytest.mark.parametrize(
    ("pixels", "labels", "sentence"),
    [
        (PIXELS[0], LABELS, PIXELS_NEEDED),
        (PIXELS / 255, LABELS, rf"float64 of shape \(3, 784\), {PIXELS_NEEDED}"),
        (nan(PIXELS).astype(np.float32), LABELS, rf"float32 .* with NaN, {PIXELS_NEEDED}"),
        (nan(PIXELS), LABELS, rf"float64 of shape \(3, 784\) with NaN, {PIXELS_NEEDED}"),
        (PIXELS.astype(np.int64), LABELS, rf"int64 of shape \(3, 784\), {PIXELS_NEEDED}"),
        (PIXELS.tolist(), LABELS, rf"are a list, {PIXELS_NEEDED}"),
        (None, LABELS, rf"are None, {PIXELS_NEEDED}"),
        (PIXELS, LABELS + 1, "go from 1 to 10, but the classes 0 to 9 are needed"),
        (PIXELS, LABELS - 1, "go from -1 to 8, but the classes 0 to 9 are needed"),
        (PIXELS, LABELS.astype(float), rf"float64 of shape \(3,\), {LABELS_NEEDED}"),
        (PIXELS, nan(LABELS), rf"with NaN, {LABELS_NEEDED}"),
        (PIXELS, np.eye(10, dtype=int)[LABELS], rf"int64 of shape \(3, 10\), {LABELS_NEEDED}"),
        (PIXELS, np.array(list("abc")), rf"<U1 of shape \(3,\), {LABELS_NEEDED}"),
        (PIXELS, [0, 9, 4], rf"are a list, {LABELS_NEEDED}"),
        (PIXELS, LABELS[:2], "3 images and 2 labels, but one label for each image is needed"),
        (PIXELS[:0], LABELS[:0], "is empty"),
    ],
)
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_wrong_splits(part, pixels, labels, sentence):
    wrong = dataset(**{part: Split(pixels, labels)})
    begin = f"The data set 'mine' cannot be used: .*its split '{part}'"
    with pytest.raises(RunError, match=f"{begin}.*{sentence}"):
        check_dataset(wrong, "mine")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (None, "its loader returned None, but a Dataset is needed"),
        ((PIXELS, LABELS), "its loader returned a tuple, but a Dataset is needed"),
        (dataset(train=None), "its split 'train' is None, but a Split is needed"),
        (dataset(test=(PIXELS, LABELS)), "its split 'test' is a tuple, but a Split is needed"),
        (dataset(digest=b"abc"), "its digest is a bytes, but a text is needed"),
    ],
)
def test_what_is_no_data_set(wrong, sentence):
    with pytest.raises(RunError, match=f"The data set 'mine' cannot be used: {sentence}"):
        check_dataset(wrong, "mine")


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_labels_of_any_integer_type_become_int32(dtype):
    checked = check_dataset(dataset(train=Split(PIXELS, LABELS.astype(dtype))), "mine")
    assert checked.train.labels.dtype == np.int32
    np.testing.assert_array_equal(checked.train.labels, LABELS)


def test_all_splits_are_of_one_shape():
    other = Split(np.zeros((3, 28, 28), np.uint8), LABELS)
    assert check_dataset(dataset(other, other, other), "mine").shape == (28, 28)
    with pytest.raises(RunError, match=r"its split 'test' are uint8 of shape .3, 784., uint8 of"):
        check_dataset(dataset(other, other), "mine")


def test_numbers_and_classes_of_other_kinds():
    split = Split(np.full((3, 2), -1.5, np.float32), LABELS + 7)
    many = Dataset("mine", "abc", split, None, split, num_classes=17)
    assert check_dataset(many, "mine").test.images.min() == -1.5


def test_no_validation_split_is_fine():
    assert check_dataset(dataset(valid=None), "mine").valid is None


def test_the_real_digits_pass_and_are_not_copied(digits):
    whole = replace(digits, train=digits.valid)  # the larger part of 60,000
    tracemalloc.start()
    try:
        assert check_dataset(whole, "digits") == whole
        assert tracemalloc.get_traced_memory()[1] < whole.train.pixels.nbytes / 2
    finally:
        tracemalloc.stop()
