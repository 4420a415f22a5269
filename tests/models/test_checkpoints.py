import numpy as np
import pytest
from network_pruning.models import checkpoints
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.models.training import Epoch
from network_pruning.utils import RunError


@pytest.fixture(scope="module")
def model():
    return models.build(l1_reg=0.001, seed=3)


def test_plain_keras_loads_the_checkpoint(model, tmp_path):
    path = tmp_path / "weights.best.hdf5"
    checkpoints.save(model, path)
    loaded = keras.models.load_model(path)
    for mine, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    images, labels = np.ones((4, 784), np.float32), np.arange(4)
    assert loaded.evaluate(images, labels, verbose=0) == pytest.approx(
        model.evaluate(images, labels, verbose=0)
    )
    assert path.stat().st_size < 4 * 2_386_000 * 1.05  # no optimizer state in it


@pytest.mark.parametrize("content", [b"", b"something else", None])
def test_a_broken_checkpoint_is_refused_in_one_sentence(model, tmp_path, content):
    path = tmp_path / "weights.best.hdf5"
    if content is None:  # truncated
        checkpoints.save(model, path)
        content = path.read_bytes()[:-1_000_000]
    path.write_bytes(content)
    with pytest.raises(RunError, match="is not a checkpoint of this network"):
        checkpoints.load_weights(model, path)


def test_a_checkpoint_of_another_network_is_refused(model, tmp_path):
    other = keras.Sequential([keras.Input((784,)), keras.layers.Dense(3)])
    other.save(tmp_path / "other.hdf5")
    with pytest.raises(RunError, match="is not a checkpoint of this network"):
        checkpoints.load_weights(model, tmp_path / "other.hdf5")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    broken = models.build()
    kernel = broken.layers[0].kernel.numpy()
    kernel[0, 0] = np.nan
    broken.layers[0].kernel.assign(kernel)
    checkpoints.save(broken, tmp_path / "nan.hdf5")
    with pytest.raises(RunError, match="not finite"):
        checkpoints.load_weights(models.build(), tmp_path / "nan.hdf5")


def test_a_training_state_is_restored_to_the_bit(tmp_path):
    trained = models.build(seed=1)
    images, labels = np.random.default_rng(0).random((32, 784), np.float32), np.arange(32) % 10
    trained.fit(images, labels, epochs=2, verbose=0)
    epochs = [Epoch(1, 1 / 3, 0.5, 0.1, 0.2), Epoch(2, 0.25, 0.5, None, None)]
    checkpoints.save_state(trained, epochs, tmp_path / "state.npz")
    fresh = models.build(seed=2)
    assert checkpoints.load_state(fresh, tmp_path / "state.npz") == epochs
    for ours, theirs in zip(
        [*fresh.variables, *fresh.optimizer.variables],
        [*trained.variables, *trained.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert int(fresh.optimizer.iterations) == 2


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "other network", "pickled"])
def test_a_damaged_training_state_is_refused(model, tmp_path, damage):
    path = tmp_path / "state.npz"
    checkpoints.save_state(model, [Epoch(1, 0.5, 0.5, 0.5, 0.5)], path)
    content = path.read_bytes()
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "other network":
        np.savez(path, history=np.ones((1, 5)), variable_0=np.ones((2, 2)))
    else:
        np.savez(path, history=np.array([print], dtype=object))
    with pytest.raises(RunError, match="is not a training state of this network; delete it"):
        checkpoints.load_state(models.build(), path)
