"""`Pruning` and `KeepPruned` in the user's own `fit`, on any backend."""

import warnings

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras_models import kernels_of, mixed, outputs_of, randomized
from small_fits import LEFT, SIZES, EveryStep, examples, fit, nonzeros, small

pytestmark = pytest.mark.backends
BACKEND = keras.backend.backend()

WAYS = {
    "plain": {},
    "jit_compile": {"jit_compile": True},
    "steps_per_execution": {"steps_per_execution": 4},
    "average": {"optimizer": {"use_ema": True, "ema_momentum": 0.9}},
    "average that takes over": {"optimizer": {"use_ema": True, "ema_overwrite_frequency": 3}},
    "gradient accumulation": {"optimizer": {"gradient_accumulation_steps": 2}},
}


@pytest.mark.parametrize("way", WAYS)
def test_masks_hold_after_every_step_and_grow(way):
    """Masks that are made while training count too: on JAX they are no part of the step."""
    if BACKEND == "torch" and way in ("steps_per_execution", "jit_compile"):
        pytest.skip(f"Keras has no {way} on PyTorch without a compiler")
    made, watch = small(**WAYS[way]), EveryStep()
    history = fit(made, npr.Pruning(0.9, every=3), watch, epochs=3)
    assert nonzeros(made) == LEFT
    assert len(set(watch.seen)) >= 3
    for before, after in zip(watch.seen, watch.seen[1:], strict=False):
        assert all(a <= b for b, a in zip(before, after, strict=True))
    expected = 1 - sum(LEFT) / sum(SIZES)
    assert history.history["sparsity"][-1] == pytest.approx(expected)


def test_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        made, watch = small(), EveryStep()
        fit(made, npr.Pruning(0.9, every=3), watch)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert nonzeros(made) == LEFT
    assert watch.seen[-1] == LEFT


def test_the_users_constraint_is_kept():
    made = small(constraint="non_neg")
    own = made.layers[0].kernel.constraint
    fit(made, npr.Pruning(0.5, every=2))
    assert made.layers[0].kernel.constraint is own
    kernel = kernels_of(made)[0]
    assert (kernel >= 0).all()
    assert np.count_nonzero(kernel) <= SIZES[0] / 2


def test_several_fits_keep_what_is_gone_and_without_the_callback_all_is_free():
    made, pruning = small(), npr.Pruning(0.9, every=2)
    fit(made, pruning)
    fit(made, pruning)
    assert nonzeros(made) == LEFT
    fit(made, npr.KeepPruned())
    assert nonzeros(made) == LEFT
    fit(made)
    assert nonzeros(made) > LEFT


def test_pruning_goes_on_from_a_pruned_model():
    made = npr.prune(small(), 0.5)
    watch = EveryStep()
    fit(made, npr.Pruning(0.9, every=2), watch)
    assert all(n <= size / 2 for n, size in zip(watch.seen[0], SIZES, strict=True))
    assert nonzeros(made) == LEFT


def test_begin_and_end_are_shares_of_the_training():
    made, watch = small(), EveryStep()
    fit(made, npr.Pruning(0.9, begin=0.5, end=0.75, every=1), watch, epochs=4)  # of 32 steps
    full = max(watch.seen[:15])
    assert all(seen == full for seen in watch.seen[:15])
    assert watch.seen[23] == LEFT
    assert watch.seen[20] > LEFT


@pytest.mark.parametrize("method", ["weight/oneshot", "weight/iterative", "global/gradual"])
def test_every_schedule_ends_at_the_sparsity(method):
    made = small()
    history = fit(made, npr.Pruning(0.9, method, every=2))
    assert history.history["sparsity"][-1] == pytest.approx(0.9, abs=0.001)
    assert sum(nonzeros(made)) == pytest.approx(0.1 * sum(SIZES), abs=2)


def test_a_criterion_that_looks_at_data_while_training():
    made = small()
    fit(made, npr.Pruning(0.8, "weight/gradient/gradual", every=4, data=examples(32)))
    assert sum(nonzeros(made)) == pytest.approx(0.2 * sum(SIZES), abs=2)


def test_units_go_while_training_and_can_be_removed():
    keras.utils.set_random_seed(0)
    made = randomized(mixed())
    made.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(32, 8, 8, 2)).astype("float32")
    made.fit(
        x,
        np.arange(32) % 3,
        batch_size=8,
        epochs=2,
        verbose=0,
        callbacks=[npr.Pruning(0.5, "unit/gradual", every=1)],
    )
    smaller = npr.shrink(made)
    assert smaller.get_layer("stem").filters == 3
    np.testing.assert_allclose(*outputs_of(smaller, x), *outputs_of(made, x), atol=1e-5)


def test_nothing_of_ours_is_saved_while_training_nor_after(tmp_path):
    """Neither in checkpoints nor in the model, which plain Keras goes on with."""
    made = small()
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fit(made, npr.Pruning(0.9, every=2), checkpoint)
    made.save(tmp_path / "end.keras")
    plain = len(small().optimizer.variables)
    for name in ("1", "2", "end"):
        loaded = keras.models.load_model(tmp_path / f"{name}.keras")
        assert loaded.get_config()["name"] == made.name
        assert len(loaded.weights) == 6
        assert len(loaded.optimizer.variables) in (plain, 8)
        fit(loaded, epochs=1)
    assert nonzeros(keras.models.load_model(tmp_path / "end.keras")) == LEFT


class Killed(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


def test_a_training_that_was_killed_resumes_where_the_schedule_was(tmp_path):
    def callbacks():
        return npr.Pruning(0.9, every=1), keras.callbacks.BackupAndRestore(tmp_path / "backup")

    made = small()
    with pytest.raises(KeyboardInterrupt):
        fit(made, *callbacks(), Killed(), epochs=4)
    again, watch = small(), EveryStep()
    history = fit(again, *callbacks(), watch, epochs=4)
    assert len(history.history["sparsity"]) == 2
    assert sum(watch.seen[0]) < 0.3 * sum(SIZES)  # half way, along the cube
    assert nonzeros(again) == LEFT


def test_zeros_of_a_layer_that_has_not_learned_yet_are_not_pruned():
    made = small()
    made.layers[1].kernel.assign(np.zeros(made.layers[1].kernel.shape))
    made.layers[1].bias.assign(np.full(16, 0.1))  # or a ReLU would pass no gradient
    fit(made, npr.Pruning(0.5, begin=0.5))
    assert nonzeros(made)[1] == SIZES[1] / 2


def test_kept_units_keep_their_biases_at_zero():
    made = npr.prune(small(), 0.5, "unit")
    fit(made, npr.KeepPruned())
    for layer in made.layers[:2]:
        kernel, bias = layer.get_weights()
        dead = ~kernel.any(axis=0)
        assert dead.sum() == len(bias) / 2
        assert not bias[dead].any()
        assert bias[~dead].all()


def test_every_counts_steps_and_not_executions():
    if BACKEND == "torch":
        pytest.skip("Keras has no steps_per_execution on PyTorch")
    made, watch = small(steps_per_execution=4), EveryStep()
    fit(made, npr.Pruning(0.9, every=4, end=1.0), watch, batch_size=16)  # 16 steps, twice
    assert len(set(watch.seen)) == 8


def test_data_of_unknown_length():
    def batches():
        while True:
            yield tuple(part[:32] for part in examples())

    made = small()
    made.fit(batches(), steps_per_epoch=8, epochs=2, verbose=0, callbacks=[npr.Pruning(0.9)])
    assert nonzeros(made) == LEFT

    def eight():
        for _ in range(8):
            yield tuple(part[:32] for part in examples())

    made = small()
    with pytest.warns(UserWarning, match="ended with 0 % of the weights pruned"):
        made.fit(eight(), epochs=1, verbose=0, callbacks=[npr.Pruning(0.9, every=2)])


def test_a_training_that_ends_early_says_so():
    with pytest.warns(UserWarning, match="before pruning was complete"):
        fit(small(), npr.Pruning(0.9, every=2), Stopped())


class Stopped(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


BAD = [
    ({"sparsity": 90}, "did you mean 0.9"),
    ({"begin": 0.8, "end": 0.5}, "begin: 0.8 is after end"),
    ({"every": 0}, "every: 0"),
    ({"end": 7}, "end: 7 is not a share of the training .* divide a number of steps"),
    ({"begin": -1}, "begin: -1 is not a fraction"),
    ({"method": "gradually"}, "^method: 'gradually'"),
    ({"method": "weight/gradual/finetune"}, "names a recovery"),
    ({"method": "weight/reconstruct"}, "give it to network_pruning.prune instead"),
]


def test_what_names_no_schedule_is_gradual():
    assert npr.Pruning(0.5, "unit").method.name == "unit/gradual"
    assert npr.Pruning(0.5, "unit/oneshot").method.name == "unit"


def test_few_prunings_are_warned_of():
    with pytest.warns(UserWarning, match="every 100 steps, but .* there are only 12"):
        fit(small(), npr.Pruning(0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(small(), npr.Pruning(0.5, "weight/oneshot"))


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (
            "2:4",
            r"2:4/gradual cannot reach 90 %: its pattern removes at most 50.00 % of the hidden",
        ),
        ("global/oneshot", r"weight/global removes the whole layer dense\w* at 90 %"),
    ],
)
def test_what_is_not_done_as_asked_is_warned_of_at_the_end(method, sentence):
    made = small()
    second = made.layers[1]
    second.kernel.assign(1e-6 * np.array(second.kernel))  # first to go, whatever is learned
    made.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match=sentence) as seen:
        fit(made, npr.Pruning(0.9, method, every=2))
    (warning,) = (one for one in seen if " 90 %" in str(one.message))
    assert warning.filename.endswith("small_fits.py")  # where `fit` is called


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_bad_arguments_end_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        npr.Pruning(**{"sparsity": 0.5, **arguments})


def test_a_model_that_is_pruned_as_far_already():
    made = npr.prune(small(), 0.9)
    with pytest.warns(UserWarning, match="nothing to do: 89.93 % of the weights were zero") as seen:
        fit(made, npr.Pruning(0.5, every=2))
    (warning,) = (one for one in seen if "nothing to do" in str(one.message))
    assert warning.filename.endswith("small_fits.py")  # where `fit` is called
    assert nonzeros(made) == LEFT


@pytest.mark.parametrize(
    ("before", "callback"),
    [
        ((0.9, "weight"), lambda: npr.Pruning(0.95, every=2)),
        ((0.9, "weight"), lambda: npr.Pruning(0.5, "unit", every=2)),
        ((0.0, "weight"), lambda: npr.Pruning(0.0, every=2)),
    ],
    ids=["further", "whole units", "a control"],
)
def test_a_model_of_which_more_is_to_be_pruned_is_not_warned_of(before, callback):
    made, pruning = npr.prune(small(), *before), callback()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit(made, pruning)
        fit(made, pruning)  # and for the second time


def test_sequences_stay_pruned_and_are_saved(tmp_path):
    """Recurrent layers and attention, pruned in training and after it."""
    inputs = keras.Input((4, 3))
    x = keras.layers.LSTM(6, return_sequences=True, name="memory")(inputs)
    x = keras.layers.MultiHeadAttention(2, 3, name="heads")(x, x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    made = randomized(keras.Model(inputs, keras.layers.Dense(2, name="out")(x)))
    made.compile("adam", "mse")
    x, y = np.ones((32, 4, 3), np.float32), np.zeros((32, 2), np.float32)
    pruning = npr.Pruning(0.5, every=2)
    made.fit(x, y, epochs=2, batch_size=4, verbose=0, callbacks=[pruning])
    shares = npr.measure(made).layer_sparsity
    assert {"memory/kernel", "memory/recurrent_kernel", "query"} <= set(shares)
    assert all(share == pytest.approx(0.5, abs=0.03) for share in shares.values())
    pruned = npr.prune(made, 0.5, "unit")
    pruned.fit(x, y, epochs=1, verbose=0, callbacks=[npr.KeepPruned()])
    smaller = npr.shrink(pruned)
    assert smaller.get_layer("memory").units == 3
    assert smaller.get_layer("heads").num_heads == 1
    smaller.save(tmp_path / "smaller.keras")
    again = keras.saving.load_model(tmp_path / "smaller.keras")
    expected = outputs_of(pruned, x)[0]
    np.testing.assert_allclose(outputs_of(again, x)[0], expected, atol=1e-5)
    npr.save(pruned, tmp_path / "smaller.npk")
    loaded = npr.load(tmp_path / "smaller.npk")
    np.testing.assert_allclose(outputs_of(loaded, x)[0], expected, atol=1e-5)
