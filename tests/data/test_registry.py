import numpy as np
import pytest
from network_pruning.data import registry
from network_pruning.data.data_loaders.loader_utils import parse_idx
from network_pruning.utils import RunError, UsageError


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(UsageError, match="'letters' is not known; choose one of: digits, fashion"):
        registry.get_loader("letters")


@pytest.mark.usefixtures("registries")
def test_a_new_loader_is_one_decorator(digits):
    @registry.register("made-up")
    def load(data_dir, num_valid):
        assert (data_dir, num_valid) == ("here", 7)
        return digits

    assert registry.get_loader("made-up") is load
    assert "made-up" in registry.names()
    assert registry.load("made-up", "here", 7) == digits


@pytest.mark.parametrize("name", ["digits", "fashion"])
def test_real_data(name):
    dataset = registry.get_loader(name)(None, 10_000)
    for split, size in ((dataset.train, 50_000), (dataset.valid, 10_000), (dataset.test, 10_000)):
        assert split.images.shape == (size, 784)
        assert split.images.dtype == np.float32
        assert (split.images.min(), split.images.max()) == (0, 1)
        assert split.labels.shape == (size,)
        assert np.issubdtype(split.labels.dtype, np.integer)
        assert set(split.labels) == set(range(10))


def test_the_first_examples_are_held_out():
    load = registry.get_loader("digits")
    whole, parted = load(None, 0), load(None, 59_999)
    assert whole.valid is None
    assert len(whole.train) == 60_000
    assert len(parted.train) == 1
    np.testing.assert_array_equal(whole.train.pixels[:59_999], parted.valid.pixels)
    np.testing.assert_array_equal(whole.train.labels[-1:], parted.train.labels)
    # The first training digits are known: 5, 0, 4, 1, 9.
    assert list(parted.valid.labels[:5]) == [5, 0, 4, 1, 9]


def test_nothing_left_to_train_on_is_refused():
    with pytest.raises(UsageError, match="`num_valid` must lie between 0 and 59999"):
        registry.get_loader("digits")(None, 60_000)


def test_parse_idx_by_hand():
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(parse_idx(content), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0", b"\0\0\x0d\1\0\0\0\0", b"\0\0\x08\2\0\0\0\1", b"\0\0\x08\1\0\0\0\2\7"],
)
def test_parse_idx_refuses_what_is_not_idx(content):
    with pytest.raises(RunError, match="IDX file"):
        parse_idx(content)
