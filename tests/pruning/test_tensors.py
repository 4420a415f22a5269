"""Masks computed where a model is: tensors of the processor stand for those of an accelerator."""

import keras
import network_pruning as npr
import numpy as np
import pytest
from keras_models import attention, branches, kernels_of, mixed, randomized
from network_pruning.models import arrays, kernels
from network_pruning.pruning.arguments import checked_method
from network_pruning.pruning.prune import Pruner
from small_fits import LEFT, EveryStep, fit, nonzeros, small

pytestmark = pytest.mark.backends

METHODS = (
    "weight",
    "weight/global",
    "weight/erk",
    "weight/output",
    "weight/gradient/global",
    "weight/activation/output",
    "weight/lamp/global",
    "weight/random",
    "2:4",
    "1:3/global",
    "3x2",
    "2x2/obd/global",
)


@pytest.fixture
def on_accelerator(monkeypatch):
    """After `on_accelerator()`, tensors count as those of an accelerator, and models as large."""

    def on_accelerator():
        monkeypatch.setattr(arrays, "is_on_accelerator", lambda _tensor: True)
        monkeypatch.setattr(kernels, "LARGE", 0)

    return on_accelerator


def examples(model):
    random = np.random.default_rng(1)
    x = random.normal(size=(20, *model.inputs[0].shape[1:])).astype("float32")
    return x, random.normal(size=(20, *model.outputs[0].shape[1:])).astype("float32")


@pytest.mark.parametrize("method", [*METHODS, "unit", "unit_in_out/global", "unit/obd"])
def test_what_is_pruned_is_the_same(method, on_accelerator):
    model = randomized(attention() if method in ("weight", "2:4", "unit") else mixed())
    model.compile("sgd", "mse")
    data = examples(model)
    expected = npr.prune(model, 0.6, method, data=data)
    on_accelerator()
    pruned = npr.prune(model, 0.6, method, data=data)
    for one, other in zip(kernels_of(pruned), kernels_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_masks_of_single_weights_stay_there(on_accelerator):
    on_accelerator()
    model = randomized(mixed())
    for method in METHODS:
        pruner = Pruner(model, checked_method(method, oneshot=True), 0.6, examples(model), (), 0)
        model.compile("sgd", "mse")
        stays = pruner.method.takes_tensors and not method.startswith(("2x2", "3x2"))
        # Patterns of convolutions are padded, if need be, as arrays of NumPy.
        assert {keras.ops.is_tensor(mask) for mask in pruner.masks().values()} >= {stays}, method


def test_they_nest_and_units_too(on_accelerator):
    on_accelerator()
    model = randomized(mixed())
    for method in ("weight/global", "2:4", "weight/output", "unit"):
        pruner = Pruner(model, checked_method(method, oneshot=True), 0.5, None, (), 0)
        few = pruner.masks(lambda share: share / 2)
        many = pruner.masks(previous=few)
        for name in few:
            assert not (arrays.to_numpy(many[name]) & ~arrays.to_numpy(few[name])).any()
        assert pruner.sparsity(many) > pruner.sparsity(few)


def test_training_is_the_same(on_accelerator):
    expected, steps = small(), EveryStep()
    fit(expected, npr.Pruning(0.9, every=3), steps)
    on_accelerator()
    made, own = small(), EveryStep()
    fit(made, npr.Pruning(0.9, every=3), own)
    assert own.seen == steps.seen
    assert nonzeros(made) == LEFT
    fit(made, npr.KeepPruned())
    assert nonzeros(made) == LEFT


def test_a_recovery_without_labels(on_accelerator):
    # JAX compiles every operation for every shape.
    model = randomized(branches() if keras.backend.backend() == "jax" else mixed())
    x, _ = examples(model)
    expected = npr.prune(model, 0.5, "weight/reconstruct", data=x, verbose=0)
    on_accelerator()
    pruned = npr.prune(model, 0.5, "weight/reconstruct", data=x, verbose=0)
    for one, other in zip(kernels_of(pruned), kernels_of(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    for kernel in kernels_of(npr.prune(model, 0.9, "weight/distill", data=x, verbose=0))[:-1]:
        assert np.count_nonzero(kernel) == kernel.size - int(0.9 * kernel.size)


@pytest.mark.usefixtures("registries")
def test_criteria_of_plugins_get_arrays_of_numpy(on_accelerator):
    kinds = []

    @npr.register_criterion("test_kind")
    def kind(layer):
        kinds.append(type(layer.kernel))
        return np.abs(layer.kernel)

    on_accelerator()
    npr.prune(randomized(mixed()), 0.5, "weight/test_kind")
    assert set(kinds) == {np.ndarray}
