import numpy as np
import pytest
from network_pruning.models import model as models
from network_pruning.models.backend import keras


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
