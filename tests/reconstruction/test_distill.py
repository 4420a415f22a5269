"""`prune` with the recovery `distill`, and with the scope `budget`."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras import layers
from keras_models import outputs_of, randomized
from network_pruning.reconstruction import distill as module
from network_pruning.utils import UsageError

pytestmark = pytest.mark.backends

METHOD = "weight/activation/global/distill"


@pytest.fixture(autouse=True)
def _few_epochs(monkeypatch):
    """Enough to learn small models."""
    for name, value in (("STEPS", 2), ("EPOCHS", 3), ("LAST_EPOCHS", 8), ("LEARNING_RATE", 0.01)):
        monkeypatch.setattr(module, name, value)


def inputs(number=400, size=8):
    return np.random.default_rng(0).standard_normal((number, size)).astype(np.float32)


def classifier(last="softmax", trainable=True):
    """With layers of all kinds that behave differently while a model trains."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(24, activation="relu", name="first", trainable=trainable),
            layers.BatchNormalization(trainable=trainable),
            layers.Dropout(0.5),
            layers.Dense(16, activation="relu", name="second"),
            layers.Dense(4, activation=last, name="last"),
        ]
    )
    from_logits = last is None
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile("adam", loss, metrics=["accuracy"])
    return randomized(model)


def kernels_by_name(model):
    return {
        layer.name: np.asarray(layer.get_weights()[0])
        for layer in model.layers
        if isinstance(layer, layers.Dense)
    }


def error(model, dense, x):
    pairs = zip(outputs_of(model, x), outputs_of(dense, x), strict=True)
    return sum(np.square(one - other).mean() for one, other in pairs)


def test_it_comes_closer_without_labels_and_leaves_all_else_as_it_was(tmp_path):
    dense, x = classifier(), inputs()
    before = dense.get_weights()
    plain = npr.prune(dense, 0.8, "weight/activation/global", data=(x, None))
    pruned = npr.prune(dense, 0.8, METHOD, data=x, verbose=0)
    unseen = np.random.default_rng(1).standard_normal((200, 8)).astype(np.float32)
    assert error(pruned, dense, unseen) < 0.5 * error(plain, dense, unseen)
    assert npr.measure(pruned).sparsity == pytest.approx(npr.measure(plain).sparsity)
    for old, new in zip(before, dense.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert pruned.layers[-1].activation is keras.activations.softmax
    assert pruned.layers[2].rate == 0.5
    assert isinstance(pruned.optimizer, keras.optimizers.Adam)
    again = npr.prune(dense, 0.8, METHOD, data=(x, np.zeros(len(x))), verbose=0)
    for one, other in zip(pruned.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    # Nothing of the training is left in `predict`, whatever the number of examples.
    for number in (9, 10, 11):
        sums = np.asarray(pruned.predict(x[:number], verbose=0)).sum(axis=1)
        np.testing.assert_allclose(sums, 1, rtol=1e-5)

    zeros = [kernel == 0 for kernel in kernels_by_name(pruned).values()]
    pruned.fit(x, np.zeros(len(x)), epochs=1, verbose=0, callbacks=[npr.KeepPruned()])
    for zero, kernel in zip(zeros, kernels_by_name(pruned).values(), strict=True):
        assert not kernel[zero].any()
    pruned.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(*outputs_of(loaded, x), *outputs_of(pruned, x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("last", ["softmax", None])
def test_probabilities_and_logits(last):
    dense, x = classifier(last), inputs()
    plain = npr.prune(dense, 0.8)
    assert error(npr.prune(dense, 0.8, "weight/distill", data=x, verbose=0), dense, x) < error(
        plain, dense, x
    )


def test_frozen_layers_are_trained_and_stay_frozen():
    dense, x = classifier(trainable=False), inputs()
    pruned = npr.prune(dense, 0.8, "weight/distill", data=x, verbose=0)
    assert [layer.trainable for layer in pruned.layers] == [
        layer.trainable for layer in dense.layers
    ]
    plain = npr.prune(dense, 0.8)
    assert (kernels_by_name(pruned)["first"] != kernels_by_name(plain)["first"]).any()
    # The statistics of a frozen normalization stay.
    for old, new in zip(
        dense.layers[1].get_weights()[2:], pruned.layers[1].get_weights()[2:], strict=True
    ):
        np.testing.assert_array_equal(old, new)


def test_several_outputs_of_which_some_are_values():
    x, y = keras.Input((8,)), None
    hidden = layers.Dense(20, activation="relu", name="hidden")(x)
    y = layers.Dense(20, activation="relu", name="more")(hidden)
    outputs = {
        "kind": layers.Dense(3, activation="softmax", name="kind")(y),
        "value": layers.Dense(1, name="value")(y),
    }
    dense, data = keras.Model(x, outputs), inputs()
    plain = npr.prune(dense, 0.7)
    pruned = npr.prune(dense, 0.7, "weight/distill", data=data, verbose=0)
    assert error(pruned, dense, data) < 0.5 * error(plain, dense, data)


def test_several_inputs_in_a_list():
    inputs_ = [keras.Input((8,)), keras.Input((8,))]
    x = layers.Dense(20, activation="relu")(layers.Concatenate()(inputs_))
    dense, data = keras.Model(inputs_, layers.Dense(3)(x)), [inputs(), inputs()[::-1]]
    pruned = npr.prune(dense, 0.7, "weight/distill", data=data, verbose=0)
    assert error(pruned, dense, data) < error(npr.prune(dense, 0.7), dense, data)


@keras.saving.register_keras_serializable("distill tests")
class Subclassed(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.hidden = layers.Dense(24, activation="relu")
        self.last = layers.Dense(4, activation="softmax")

    def build(self, shape):
        self.hidden.build(shape)
        self.last.build((shape[0], 24))

    def call(self, x):
        return self.last(self.hidden(x))

    def get_config(self):
        return {}


def test_probabilities_of_subclassed_models():
    dense, x = Subclassed(), inputs()
    dense(x[:1])
    plain = npr.prune(dense, 0.8)
    pruned = npr.prune(dense, 0.8, "weight/distill", data=x, verbose=0)
    assert error(pruned, dense, x) < error(plain, dense, x)


def test_units_can_be_removed_afterwards():
    dense, x = classifier(), inputs()
    pruned = npr.prune(dense, 0.5, "unit/distill", data=x, verbose=0)
    small = npr.shrink(pruned)
    assert [layer.units for layer in small.layers if hasattr(layer, "units")] == [12, 8, 4]
    np.testing.assert_allclose(*outputs_of(small, x), *outputs_of(pruned, x), rtol=1e-4, atol=1e-5)


def test_nothing_pruned_is_nothing_changed():
    dense, x = classifier(), inputs()
    same = npr.prune(dense, 0.0, METHOD, data=x, verbose=0)
    for old, new in zip(dense.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def redundant():
    """The first layer has four units that are the same; the second needs all its inputs."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(16, activation="relu", use_bias=False, name="same"),
            layers.Dense(16, activation="relu", use_bias=False, name="other"),
            layers.Dense(16, use_bias=False, name="last"),
        ]
    )
    first = np.tile(np.random.default_rng(0).standard_normal((8, 4)), 4)
    model.layers[0].set_weights([first])
    return model


@pytest.mark.parametrize("method", ["weight/budget", "weight/activation/budget/reconstruct"])
def test_a_budget_is_met_and_beats_the_same_share_of_every_layer(method):
    model, x = redundant(), inputs(2000)
    pruned = npr.prune(model, 0.6, method, data=(x, None), verbose=0)
    kept = {name: int((kernel != 0).sum()) for name, kernel in kernels_by_name(pruned).items()}
    assert kept["same"] + kept["other"] == (8 * 16 + 16 * 16) - int(0.6 * (8 * 16 + 16 * 16))
    if "reconstruct" not in method:
        return
    even = npr.prune(model, 0.6, method.replace("/budget", ""), data=(x, None), verbose=0)
    assert error(pruned, model, x) < error(even, model, x)


def test_a_budget_of_units():
    model, x = redundant(), inputs(2000)
    method = "unit_in_out/activation/budget/reconstruct"
    pruned = npr.prune(model, 0.5, method, data=x, verbose=0)
    removed = {n: int((~kernel.any(axis=0)).sum()) for n, kernel in kernels_by_name(pruned).items()}
    # All but one of each four that are the same go first.
    assert removed["same"] >= 10
    assert removed["same"] + removed["other"] == 16


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("weight/budget", "data: "),
        ("weight/distill", "data: "),
        ("weight/gradual/distill", "prunes without training on labels"),
    ],
)
def test_bad_input_ends_in_a_sentence(method, message):
    with pytest.raises(UsageError, match=message):
        npr.prune(redundant(), 0.5, method)


def test_callbacks_refuse_a_budget():
    with pytest.raises(UsageError, match="measures the model before it is pruned"):
        npr.Pruning(0.5, "weight/budget")
