"""What the callbacks say, and do, when weights are not what the masks were at the end."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from small_fits import LEFT, SIZES, EveryStep, examples, fit, nonzeros, small

pytestmark = pytest.mark.backends


class Restoring(keras.callbacks.Callback):
    """Ends with the weights of the first epoch, as EarlyStopping(restore_best_weights=True) may."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.best = self.model.get_weights()

    def on_train_end(self, logs=None):
        self.model.set_weights(self.best)


ORDERS = {"before": lambda pruning: (Restoring(), pruning), "behind": lambda p: (p, Restoring())}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_restored_weights_are_warned_of(order):
    """Half way, the cubic schedule has pruned 7/8 of 90 %."""
    made, pruning = small(), npr.Pruning(0.9, every=1, end=1.0)
    with pytest.warns(UserWarning, match="were pruned") as seen:
        fit(made, *order(pruning), epochs=2)
    (warning,) = (one for one in seen if "were pruned" in str(one.message))
    assert str(warning.message) == (
        "78.73 % of the weights are zero, but 89.93 % were pruned: another callback has restored "
        "weights, as EarlyStopping does with restore_best_weights. With start_from_epoch=1 it "
        "considers only epochs after pruning was complete. Use Pruning(on_restore='reapply') to "
        "prune them again."
    )
    assert warning.filename.endswith("small_fits.py")  # where `fit` is called
    assert nonzeros(made) > LEFT


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_masks_are_reapplied_where_that_is_asked_for(order):
    made, pruning = small(), npr.Pruning(0.9, every=1, end=1.0, on_restore="reapply")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(made, *order(pruning), epochs=2)
    assert nonzeros(made) == LEFT


def test_early_stopping_among_epochs_that_are_fully_pruned():
    """`start_from_epoch` is what the warning says."""
    made = small(metrics=["accuracy"])
    stopping = keras.callbacks.EarlyStopping(
        "loss", patience=9, restore_best_weights=True, start_from_epoch=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(made, npr.Pruning(0.9, every=1), stopping, epochs=3)
    assert nonzeros(made) == LEFT


def test_kept_weights_that_come_back_are_warned_of():
    made = npr.prune(small(), 0.9)
    dense = small().get_weights()

    class Dense(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.set_weights(dense)

    with pytest.warns(UserWarning, match=r"not zero any more: .* KeepPruned\(on_restore="):
        fit(made, npr.KeepPruned(), Dense(), epochs=1)
    made = npr.prune(small(), 0.9)
    fit(made, npr.KeepPruned(on_restore="reapply"), Dense(), epochs=1)
    assert nonzeros(made) == LEFT


@pytest.mark.parametrize("callback", [npr.KeepPruned, lambda: npr.Pruning(0.9, every=2)])
def test_a_model_that_is_not_compiled_is_refused_in_one_sentence(callback):
    made = keras.Sequential(small().layers)
    callbacks = keras.callbacks.CallbackList([callback()], model=made, epochs=1, steps=8)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"has no optimizer, .* call model\.compile first\.$"):
            callbacks.on_train_begin()
        made.compile(optimizer=None, loss="mse")


def test_on_restore_is_checked():
    with pytest.raises(ValueError, match=r"^on_restore: 'raise' is none of warn, reapply\.$"):
        npr.Pruning(0.9, on_restore="raise")


def test_a_loop_of_the_users_own():
    """Callbacks around `train_on_batch`; a History of an earlier `fit` is no part of it."""
    made, watch = small(), EveryStep()
    fit(made, epochs=1)
    callbacks = keras.callbacks.CallbackList(
        [npr.Pruning(0.9, every=2), watch], model=made, epochs=2, steps=8
    )
    x, y = (np.split(part, 8) for part in examples())
    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for batch in range(8):
            callbacks.on_train_batch_begin(batch)
            made.train_on_batch(x[batch], y[batch])
            callbacks.on_train_batch_end(batch)
        callbacks.on_epoch_end(epoch)
    callbacks.on_train_end()
    assert watch.seen[-1] == LEFT
    assert nonzeros(made) == LEFT
    assert "on_train_end" not in vars(made.history)


def test_an_own_train_step_with_an_own_optimizer():
    """The step of `compile`'s optimizer is not the only one that constraints are part of."""
    if keras.backend.backend() == "jax":
        pytest.skip("on JAX a train_step hands on the state of compile's optimizer only")

    class Own(keras.Sequential):
        def train_step(self, data):
            x, y = data
            if keras.backend.backend() == "tensorflow":
                import tensorflow as tf

                with tf.GradientTape() as tape:
                    loss = self.compute_loss(x, y, self(x, training=True))
                self.own.apply(tape.gradient(loss, self.trainable_variables))
            else:
                loss = self.compute_loss(x, y, self(x, training=True))
                self.zero_grad()
                loss.backward()
                import torch

                with torch.no_grad():
                    self.own.apply([weight.value.grad for weight in self.trainable_variables])
            return {"loss": loss}

    made = Own([keras.Input((20,)), *small().layers])
    made.own = keras.optimizers.Adam(0.01)
    made.own.build(made.trainable_variables)
    made.compile(loss="sparse_categorical_crossentropy")
    watch = EveryStep()
    fit(made, npr.Pruning(0.9, every=2), watch)
    assert watch.seen[-1] == LEFT


def test_validation_and_restarts_from_a_known_epoch():
    made = small(metrics=["accuracy"])
    fit(made, npr.Pruning(0.9, every=2), initial_epoch=1, validation_data=examples(64))
    assert nonzeros(made) == LEFT


def test_a_callback_may_be_used_for_another_model():
    pruning = npr.Pruning(0.5, every=2)
    for _ in range(2):
        made = small()
        fit(made, pruning)
        assert nonzeros(made) == tuple(size / 2 for size in SIZES)
