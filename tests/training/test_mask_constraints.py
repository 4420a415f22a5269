"""Masks leave nothing behind: a model that trains with them can be saved and exported."""

import copy

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from network_pruning.models.kernels import value_of
from small_fits import LEFT, SIZES, EveryStep, examples, fit, nonzeros, small

pytestmark = pytest.mark.backends
BACKEND = keras.backend.backend()


def saved_model(made, folder):
    import tensorflow as tf

    made.export(folder, verbose=False)
    loaded = tf.saved_model.load(str(folder))
    answers = loaded.serve(examples()[0])
    expected = keras.ops.convert_to_numpy(made(examples()[0]))
    np.testing.assert_allclose(np.asarray(answers), expected, atol=1e-5)


def litert(made, folder):
    made.export(str(folder / "model.tflite"), format="litert", verbose=False)


def tensorflow_saved_model(made, folder):
    import tensorflow as tf

    tf.saved_model.save(made, str(folder))


def checkpoint(made, folder):
    import tensorflow as tf

    path = tf.train.Checkpoint(model=made).save(str(folder / "checkpoint"))
    is_restored(made, lambda other: tf.train.Checkpoint(model=other).restore(path))


def checkpoint_manager(made, folder):
    import tensorflow as tf

    def manager(model):
        return tf.train.CheckpointManager(tf.train.Checkpoint(model=model), str(folder), 3)

    manager(made).save()
    is_restored(made, lambda other: manager(other).restore_or_initialize())


def torch_export(made, folder):
    made.export(folder / "model.pt2", format="torch", verbose=False)


def whole_model(made, folder):
    made.save(folder / "model.keras")
    are_alike(made, keras.models.load_model(folder / "model.keras"))


def weights_only(made, folder):
    made.save_weights(folder / "model.weights.h5")
    is_restored(made, lambda other: other.load_weights(folder / "model.weights.h5"))


def deep_copy(made, folder):
    are_alike(made, copy.deepcopy(made))


def is_restored(made, restore):
    """Whether another model that is restored has the numbers of this one."""
    other = small()
    other.optimizer.build(other.trainable_variables)
    restore(other)
    are_alike(made, other)


def are_alike(made, other):
    """Whether another model has the weights of this one, and its optimizer the variables."""
    mine, theirs = ([*m.variables, *m.optimizer.variables] for m in (made, other))
    for one, its in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(value_of(one), value_of(its), one.path)


WAYS_TO_KEEP = {
    "tensorflow": [saved_model, litert, tensorflow_saved_model, checkpoint, checkpoint_manager],
    "jax": [saved_model],
    "torch": [torch_export],
}
WAYS_TO_KEEP = [*WAYS_TO_KEEP[BACKEND], whole_model, weights_only, deep_copy]


class AtEpochEnd(keras.callbacks.Callback):
    """Does something with the model when the first epoch ends."""

    def __init__(self, action):
        super().__init__()
        self.action = action

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.action(self.model)


def test_a_model_can_be_saved_and_exported_while_and_after_it_trains(tmp_path):
    """On TensorFlow, an optimizer from whose list a variable was taken cannot be."""
    made, done = small(), []

    def check(model):
        for keep in WAYS_TO_KEEP:
            folder = tmp_path / f"{keep.__name__}-{len(done)}"
            folder.mkdir()
            keep(model, folder)
        done.append(nonzeros(model))

    fit(made, npr.Pruning(0.9, every=2), epochs=1)
    fit(made, npr.KeepPruned(), AtEpochEnd(check), epochs=1)
    check(made)
    assert done == [LEFT, LEFT]


def test_orbax_keeps_a_model_that_is_being_pruned(tmp_path):
    if not hasattr(keras.callbacks, "OrbaxCheckpoint"):
        pytest.skip("this version of Keras has no OrbaxCheckpoint")
    pytest.importorskip("orbax.checkpoint")

    def orbax(name):
        return keras.callbacks.OrbaxCheckpoint(str(tmp_path / name))

    made = small()
    fit(made, npr.Pruning(0.9, every=2), orbax("first"))
    fit(made, npr.KeepPruned(), orbax("second"))
    assert nonzeros(made) == LEFT


def state_of(made):
    """All that a training could leave in a model and its optimizer."""
    variables = [id(variable) for variable in made.optimizer.variables]
    constraints = [variable.constraint for variable in made.variables]
    patched = [name for name in ("fit", "train_step") if name in vars(made)]
    return variables, constraints, sorted(vars(made.optimizer)), patched


@pytest.mark.parametrize("callback", [npr.KeepPruned, lambda: npr.Pruning(0.9, every=2)])
def test_the_optimizer_is_the_same_while_and_after_it_trains(callback):
    made, seen = small(), []
    fit(made, epochs=1)
    before = state_of(made)
    watch = AtEpochEnd(lambda model: seen.append(state_of(model)))
    fit(made, callback(), watch)
    assert seen[0][0] == before[0]
    assert seen[0][2] == before[2]
    attached = [constraint for constraint in seen[0][1] if constraint is not None]
    assert attached  # of the class that Keras demands
    assert all(isinstance(one, keras.constraints.Constraint) for one in attached)
    assert state_of(made) == before


class Interrupted(keras.callbacks.Callback):
    """Ends a training as Ctrl-C does."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 5:
            raise KeyboardInterrupt


def interrupted():
    made = npr.prune(small(), 0.9)
    with pytest.raises(KeyboardInterrupt):
        fit(made, npr.KeepPruned(), Interrupted())
    return made


def test_after_an_interruption_a_fit_without_a_callback_is_free():
    made = interrupted()
    variables = len(made.optimizer.variables)
    fit(made)
    assert all(now > pruned for now, pruned in zip(nonzeros(made), LEFT, strict=True))
    _, constraints, _, patched = state_of(made)
    assert set(constraints) == {None}
    assert patched == []
    assert len(made.optimizer.variables) == variables


def test_after_an_interruption_a_model_can_be_exported_and_pruned_further(tmp_path):
    made = interrupted()
    WAYS_TO_KEEP[0](made, tmp_path)
    fit(made, npr.Pruning(0.95, every=2))
    assert nonzeros(made)[0] == SIZES[0] * 0.05


def test_a_train_step_put_into_the_model_is_there_again():
    made = small()
    step, calls = made.train_step, []

    def counting(*arguments):
        calls.append(arguments)
        return step(*arguments)

    made.train_step = counting
    fit(made, npr.Pruning(0.9, every=2))
    assert made.train_step is counting
    assert calls
    assert nonzeros(made) == LEFT


def test_two_callbacks_prune_different_layers_of_one_model():
    made, watch = small(), EveryStep()
    first, second = (layer.name for layer in made.layers[:2])
    callbacks = [npr.Pruning({name: 0.9}, every=2) for name in (first, second)]
    fit(made, *callbacks, watch, npr.KeepPruned())
    assert nonzeros(made) == LEFT
    assert watch.seen[-1] == LEFT
    assert {variable.constraint for variable in made.variables} == {None}


def test_several_optimizers_and_their_averages():
    """Each keeps averages of its own variables, which take their place when training ends."""
    if not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip("this version of Keras has no MultiOptimizer")
    made = small()
    adam = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.01))
    parts[made.layers[0].kernel.path] = adam
    made.compile(keras.optimizers.MultiOptimizer(parts), "sparse_categorical_crossentropy")
    fit(made, npr.Pruning(0.9, every=2))
    assert nonzeros(made) == LEFT


def test_averages_in_mixed_precision():
    made = small(optimizer={"use_ema": True, "ema_momentum": 0.9})
    scaled = keras.optimizers.LossScaleOptimizer(made.optimizer)
    made.compile(scaled, "sparse_categorical_crossentropy")
    fit(made, npr.Pruning(0.9, every=2))
    assert nonzeros(made) == LEFT


def test_models_with_optimizers_of_one_class_do_not_mix():
    one, other = small(), small()
    fit(one, AtEpochEnd(lambda model: fit(other, npr.Pruning(0.5, every=2))), npr.Pruning(0.9))
    assert nonzeros(one) == LEFT
    assert nonzeros(other) == tuple(size / 2 for size in SIZES)


@pytest.mark.parametrize("callback", [npr.Pruning(0.9, every=2), npr.KeepPruned()])
def test_kernels_that_lora_freezes(callback):
    """They are pruned, or keep their zeros, while the adapters learn."""
    made = small() if isinstance(callback, npr.Pruning) else npr.prune(small(), 0.9)
    for layer in made.layers:
        layer.enable_lora(2)
        layer.bias.trainable = False  # nothing is trained that has a mask
    made.compile("sgd", "sparse_categorical_crossentropy")
    fit(made, callback)
    own = [value_of(layer._kernel) for layer in made.layers[:2]]
    assert tuple(np.count_nonzero(kernel) for kernel in own) == LEFT
    assert np.count_nonzero(value_of(made.layers[0].lora_kernel_b)) > 0


def test_float8():
    """Its scales are no kernels, whatever their names say."""
    made = small()
    made.quantize("float8", filters=[layer.name for layer in made.layers])
    made.compile("sgd", "sparse_categorical_crossentropy")
    fit(made, npr.Pruning(0.9, every=2))
    fit(made, npr.KeepPruned())
    kernels = [value_of(layer.kernel) for layer in made.layers[:2]]
    assert tuple(np.count_nonzero(kernel) for kernel in kernels) == LEFT


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_nested_shared_and_own_layers(policy, tmp_path):
    """What was trained is saved, loaded and goes on training; an own layer defines `build`."""
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(policy)
    try:
        inputs = keras.Input((20,))
        inner = keras.Sequential([keras.Input((32,)), layers.Dense(32, activation="relu")])
        x = layers.Dense(32, activation="relu", name="one")(inputs)
        x = inner(inner(Scaled()(x)))
        made = keras.Model(inputs, layers.Dense(3, activation="softmax", dtype="float32")(x))
        made.compile("adam", "sparse_categorical_crossentropy")
        with pytest.warns(UserWarning, match="Not pruned: scaled"):
            fit(made, npr.Pruning(0.75, every=2))
        made.save(tmp_path / "model.keras")
        if BACKEND != "torch":
            made.export(tmp_path / "export", verbose=False)
        loaded = keras.models.load_model(tmp_path / "model.keras", {"Scaled": Scaled})
        fit(loaded, npr.KeepPruned(), epochs=1)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for model in (made, loaded):
        assert nonzeros(model) == (20 * 32 / 4, 32 * 32 / 4)


class Scaled(layers.Layer):
    """A layer of the user's."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.scale
