import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.training import checkpoints
from network_pruning.training.loop import Epoch
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
