import numpy as np
import pytest
from network_pruning.data.data_loaders.loader_utils import Dataset
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.training import loop
from network_pruning.training.dense_networks import DenseNetworks
from network_pruning.utils import RunError


@pytest.fixture
def dataset(digits):
    """330 real digits to train on (two batches and a smaller one), 200 to validate."""
    return Dataset(
        "digits",
        digits.digest,
        digits.train[:330],
        digits.valid[:200],
        digits.test,
    )


def train(dataset, **settings):
    config = ExperimentConfig(model="lenet_300_100", epochs=2, **settings)
    networks = DenseNetworks(config, dataset)
    model, epochs, steps = networks.new_model(), [], []
    networks.train(model, steps.append, epochs.append)
    return model, epochs, steps


def test_an_epoch_visits_every_example_once_in_an_order_of_its_own():
    orders = [loop.epoch_order(0, epoch, 1000) for epoch in (1, 2)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    assert not np.array_equal(*orders)
    np.testing.assert_array_equal(orders[0], loop.epoch_order(0, 1, 1000))
    assert not np.array_equal(orders[0], loop.epoch_order(1, 1, 1000))


def test_batches_cover_the_order_with_a_smaller_one_at_the_end():
    groups = list(loop.in_batches(np.arange(330, dtype=np.int32), 128))
    assert [group.shape for group in groups] == [(2, 128), (1, 74)]
    np.testing.assert_array_equal(np.concatenate([g.ravel() for g in groups]), np.arange(330))
    assert [g.shape for g in loop.in_batches(np.arange(5), 10)] == [(1, 5)]


def test_training_equals_that_of_keras(dataset):
    """Same initial weights, same order: the same network as `fit` gives, but for rounding."""
    model, epochs, _ = train(dataset, l2_reg=0.01)
    plain = models.build(l2_reg=0.01, name="lenet_300_100")
    logs = []
    for number in (1, 2):
        order = loop.epoch_order(0, number, 330)
        images, labels = dataset.train.images[order], dataset.train.labels[order]
        history = plain.fit(
            images,
            labels,
            batch_size=128,
            shuffle=False,
            verbose=0,
            validation_data=(dataset.valid.images, dataset.valid.labels),
        )
        logs.append({name: values[0] for name, values in history.history.items()})
    for mine, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-4)
    for epoch, log in zip(epochs, logs, strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert getattr(epoch, name) == pytest.approx(log[name], rel=2e-3)


@pytest.mark.usefixtures("without_xla")
def test_the_seed_fixes_everything(dataset):
    one, two, other = (train(dataset, seed=seed)[0].get_weights() for seed in (5, 5, 6))
    for first, second, third in zip(one, two, other, strict=True):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, third)


@pytest.mark.usefixtures("without_xla")
def test_progress_counts_the_steps_of_every_epoch(dataset):
    _, epochs, steps = train(dataset)
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    assert sum(steps) == 2 * 3


@pytest.mark.usefixtures("without_xla")
def test_without_validation_the_training_loss_selects(dataset):
    bare = Dataset(dataset.name, dataset.digest, dataset.train, None, dataset.test)
    _, epochs, _ = train(bare)
    assert epochs[0].val_loss is None
    assert epochs[0].selection_loss == epochs[0].loss


@pytest.mark.usefixtures("without_xla")
def test_diverged_training_is_an_error(dataset):
    with pytest.raises(RunError, match="Training diverged in epoch 1"):
        train(dataset, learning_rate=1e30)


def test_no_keras_model_is_left_compiled_for_each_batch(dataset):
    """One step for full batches and one for the last: two traces, however many epochs."""
    run_steps = loop.compile_steps(models.build(), dataset.train)
    for number in (1, 2, 3):
        for batches in loop.in_batches(loop.epoch_order(0, number, 330), 128):
            run_steps(batches)
    assert run_steps.experimental_get_tracing_count() == 1
    assert keras.config.backend() == "tensorflow"
