import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.utils import RunError


@pytest.fixture(scope="module")
def model():
    return models.build(l1_reg=0.001, seed=3)


def test_the_reference_network(model):
    assert model.count_params() == 2_386_000
    assert [layer.name for layer in model.layers] == [
        *(f"hidden_{number}" for number in (1, 2, 3, 4)),
        "output",
    ]
    assert [layer.units for layer in model.layers] == [1000, 1000, 500, 200, 10]
    assert not any(layer.use_bias for layer in model.layers)
    assert [layer.activation.__name__ for layer in model.layers] == ["relu"] * 4 + ["softmax"]
    assert model.layers[-1].kernel_regularizer is None
    assert all(layer.kernel_regularizer.l1 == 0.001 for layer in model.layers[:-1])


def test_the_optimizer_is_adam_with_the_defaults_of_keras(model):
    default = keras.optimizers.Adam(0.001, name=model.optimizer.name)
    assert model.optimizer.get_config() == default.get_config()


def test_initial_weights_are_glorot_uniform_and_come_from_the_seed(model):
    again = models.build(l1_reg=0.001, seed=3)
    other = models.build(l1_reg=0.001, seed=4)
    for mine, same, different in zip(
        model.get_weights(), again.get_weights(), other.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, same)
        assert not np.array_equal(mine, different)
        limit = np.sqrt(6 / sum(mine.shape))
        assert np.abs(mine).max() <= limit
        assert np.abs(mine).max() > 0.99 * limit


def test_a_clone_has_a_copy_of_the_weights(model):
    copy = models.clone(model)
    before = model.get_weights()
    copy.layers[0].kernel.assign(np.zeros((784, 1000)))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    np.testing.assert_array_equal(copy.get_weights()[1], before[1])


def test_plain_keras_loads_the_checkpoint(model, tmp_path):
    path = tmp_path / "weights.best.hdf5"
    models.save(model, path)
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
        models.save(model, path)
        content = path.read_bytes()[:-1_000_000]
    path.write_bytes(content)
    with pytest.raises(RunError, match="is not a checkpoint of this network"):
        models.load_weights(model, path)


def test_a_checkpoint_of_another_network_is_refused(model, tmp_path):
    other = keras.Sequential([keras.Input((784,)), keras.layers.Dense(3)])
    other.save(tmp_path / "other.hdf5")
    with pytest.raises(RunError, match="is not a checkpoint of this network"):
        models.load_weights(model, tmp_path / "other.hdf5")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    broken = models.build()
    kernel = broken.layers[0].kernel.numpy()
    kernel[0, 0] = np.nan
    broken.layers[0].kernel.assign(kernel)
    models.save(broken, tmp_path / "nan.hdf5")
    with pytest.raises(RunError, match="not finite"):
        models.load_weights(models.build(), tmp_path / "nan.hdf5")
