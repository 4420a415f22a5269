"""Data for criteria: whatever `fit` takes."""

import keras
import numpy as np
import pytest
from network_pruning.pruning.examples import Examples
from network_pruning.utils import UsageError

pytestmark = pytest.mark.backends

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.arange(6)
WEIGHTS = np.linspace(0, 1, 6, dtype=np.float32)


class Batches(keras.utils.PyDataset):
    """Three batches of two."""

    def __len__(self):
        return 3

    def __getitem__(self, number):
        part = slice(2 * number, 2 * number + 2)
        return X[part], Y[part]


def generator():
    while True:
        yield X[:4], Y[:4]
        yield X[4:], Y[4:]


def dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


def loader():
    if keras.backend.backend() != "torch":
        pytest.skip("importing PyTorch takes seconds")
    import torch
    from torch.utils import data

    return data.DataLoader(data.TensorDataset(torch.tensor(X), torch.tensor(Y)), batch_size=4)


GIVEN = {
    "a pair": lambda: (X, Y),
    "a list of both": lambda: [X, Y],
    "tensors": lambda: tuple(map(keras.ops.convert_to_tensor, (X, Y))),
    "lists of numbers": lambda: (X.tolist(), Y.tolist()),
    "a tf.data.Dataset": dataset,
    "a PyDataset": lambda: Batches(),
    "a DataLoader": loader,
    "a generator": generator,
    "a list of batches": lambda: iter([(X[:4], Y[:4]), [X[4:], Y[4:]]]),
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_examples_however_they_are_given(given):
    found = Examples(given(), most=6)
    assert len(found) == 6
    assert found.has_labels
    batches = list(found.batches(4))
    assert [len(x) for x, _ in batches] == [4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), Y)


def test_of_batches_the_first_examples_are_taken_once():
    taken = []

    def counted():
        for number in range(100):
            taken.append(number)
            yield X[:2], Y[:2]

    found = Examples(counted(), most=5)
    assert taken == []
    assert len(found) == len(found) == 5
    assert taken == [0, 1, 2]
    assert Examples.of(found) is found


def test_several_inputs_dictionaries_and_weights():
    data = ({"a": X, "b": Y}, [Y, X], WEIGHTS)
    for given in (data, iter([data])):
        *_, (x, y, weights) = Examples(given).batches(4)
        np.testing.assert_array_equal(x["b"], Y[4:])
        np.testing.assert_array_equal(y[1], X[4:])
        np.testing.assert_array_equal(weights, WEIGHTS[4:])


@pytest.mark.parametrize("given", [X, (X, None), (X,), iter([X]), iter([(X,)])])
def test_without_labels(given):
    found = Examples(given)
    assert not found.has_labels
    ((x, y),) = found.batches(6)
    np.testing.assert_array_equal(x, X)
    assert y is None


BAD = [
    (None, "this criterion needs data"),
    ("x", "str is not a pair of arrays"),
    (3, "int is not a pair of arrays"),
    ({"x": X}, "dict is not a pair of arrays"),
    ((X, Y, WEIGHTS, Y), "tuple is not a pair of arrays"),
    ((X, Y[:3]), "of lengths 3, 6"),
    ((X[:0], Y[:0]), "of lengths 0"),
    ((X, 3), "int is not an array of examples"),
    (([[1, 2], [3]], Y), "a list of 2 with lists of different lengths"),
    (iter([]), "gives no examples"),
    (iter([(X, 1.0)]), "must be batched"),
    (iter([(X, Y), (X[:, :1], Y)]), "differ in more than their length"),
]


@pytest.mark.parametrize(("given", "sentence"), BAD)
def test_what_is_no_data_ends_in_one_sentence(given, sentence):
    with pytest.raises(UsageError, match=f"^data: .*{sentence}") as error:
        _ = Examples(given).parts
    assert "\n" not in str(error.value)
