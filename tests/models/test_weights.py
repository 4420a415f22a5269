import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.models.weights import Weights, read_weights
from network_pruning.training import checkpoints
from network_pruning.utils import RunError


@pytest.fixture(scope="module")
def model():
    return models.build(name="lenet_300_100")


def test_a_checkpoint_is_read_without_keras_to_the_bit(model, tmp_path):
    path = tmp_path / "weights.best.hdf5"
    model.layers[1].bias.assign(np.linspace(-1, 1, 100))
    checkpoints.save(model, path)
    read, expected = read_weights(path), Weights.of(model)
    assert list(read.kernels) == ["hidden_1", "hidden_2", "output"]
    for name, kernel in expected.kernels.items():
        np.testing.assert_array_equal(read.kernels[name], kernel)
        np.testing.assert_array_equal(read.biases[name], expected.biases[name])
    assert read.kernels["hidden_1"].dtype == np.float32


@pytest.mark.parametrize("content", [b"", b"something else", None])
def test_a_broken_checkpoint_is_refused_in_one_sentence(model, tmp_path, content):
    path = tmp_path / "weights.best.hdf5"
    if content is None:  # truncated
        checkpoints.save(model, path)
        content = path.read_bytes()[:-1_000_000]
    path.write_bytes(content)
    with pytest.raises(RunError, match="is not a checkpoint of this program"):
        read_weights(path)


def test_a_checkpoint_of_another_kind_of_network_is_refused(tmp_path):
    layer = keras.layers.BatchNormalization()
    other = keras.Sequential([keras.Input((784,)), layer])
    other.save(tmp_path / "other.hdf5")
    with pytest.raises(RunError, match="is not a checkpoint of this program"):
        read_weights(tmp_path / "other.hdf5")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    broken = models.build()
    kernel = broken.layers[0].kernel.numpy()
    kernel[0, 0] = np.nan
    broken.layers[0].kernel.assign(kernel)
    checkpoints.save(broken, tmp_path / "nan.hdf5")
    with pytest.raises(RunError, match="not finite"):
        read_weights(tmp_path / "nan.hdf5")


def test_weights_of_one_name_stay_apart_and_in_their_order():
    block = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="dense")])
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    model = keras.Sequential([keras.Input((4,)), block, other])
    weights = Weights.of(model)
    names = ["dense/kernel", "dense/bias", "dense/kernel#2", "dense/bias#2"]
    assert list(weights.arrays) == names
    assert weights.size == model.count_params()
    doubled = Weights({name: 2 * array for name, array in weights.arrays.items()})
    doubled.put_into(model)
    np.testing.assert_array_equal(other.layers[0].kernel, doubled.arrays["dense/kernel#2"])


def test_weights_of_another_network_are_refused(model):
    with pytest.raises(ValueError, match=r"shorter|longer|shape"):
        Weights.of(models.build()).put_into(model)
