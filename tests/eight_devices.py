"""Run by `test_distribution.py` with the kind of distribution: a model on eight devices of JAX."""

import os
import runpy
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
ROOT = Path(__file__).resolve().parent.parent
npr = runpy.run_path(str(ROOT / "__main__.py"))["load_package"]()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import distribution, layers  # noqa: E402
from network_pruning.models import arrays, kernels  # noqa: E402

SIZES, SHARES = (16 * 32, 32 * 16), ("P(None, 'model')", "P('model',)")


def distribute(kind):
    if kind == "data":
        return distribution.set_distribution(distribution.DataParallel())
    places = distribution.LayoutMap(distribution.DeviceMesh((2, 4), ["batch", "model"]))
    places[".*hidden.*kernel"], places[".*hidden.*bias"] = (None, "model"), ("model",)
    return distribution.set_distribution(
        distribution.ModelParallel(layout_map=places, batch_dim_name="batch")
    )


def new_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(32, "relu", name="hidden_1"),
            layers.Dense(16, "relu", name="hidden_2"),
            layers.Dense(8, "softmax", name="out"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def check_pruned(model, pruned, kind):
    """The smaller half of each kernel's weights is zero, and the others are as they were."""
    for kernel, before in zip(pruned.weights[:4:2], model.weights[:4:2], strict=True):
        before = np.array(before.value)
        kept = np.where(np.abs(before) > np.median(np.abs(before)), before, 0)
        np.testing.assert_array_equal(np.array(kernel.value), kept)
    check(pruned, 0.5, kind)


def check_file(model, path, kind, x, y):
    """What is written has the same answers; it is read where nothing is divided, for without its
    units a layer may have a width that cannot be."""
    npr.save(model, path, bits=4)
    npr.save(model, path, data=(x[:50], y[:50]), max_accuracy_drop=0.2)
    npr.save(model, path)
    check_places(model, kind)
    expected, distributed = model.predict(x, verbose=0), distribution.distribution()
    distribution.set_distribution(None)
    np.testing.assert_allclose(npr.load(path).predict(x, verbose=0), expected, atol=1e-5)
    distribution.set_distribution(distributed)


def check(model, share, kind):
    """As many weights are zero, and every variable is where it was."""
    for kernel, size in zip(model.weights[:4:2], SIZES, strict=True):
        assert np.count_nonzero(np.array(kernel.value)) == size - int(share * size)
    check_places(model, kind)


def check_places(model, kind):
    for variable in model.weights:
        assert len(variable.value.devices()) == 8
    if kind == "model":
        for variable in model.weights[:4]:
            expected = SHARES[len(variable.shape) == 1]
            assert str(variable.value.sharding.spec) == expected, variable.path


def main(kind):
    distribute(kind)
    x = np.random.default_rng(0).normal(size=(256, 16)).astype("float32")
    y = x[:, :3].argmax(axis=1)
    settings = {"batch_size": 32, "epochs": 2, "verbose": 0}
    model = new_model()
    for _ in ("in NumPy", "where the weights are"):
        check_pruned(model, npr.prune(model, 0.5), kind)
        trained = npr.prune(model, 0.0)
        trained.fit(x, y, callbacks=[npr.Pruning(0.75, every=2)], **settings)
        check(trained, 0.75, kind)
        trained.fit(x, y, callbacks=[npr.KeepPruned()], **settings)
        check(trained, 0.75, kind)
        arrays.is_on_accelerator, kernels.LARGE = (lambda _: True), 0
    masks = npr.Masks(trained)
    trained.fit(x, y, **settings)
    masks.apply()
    check(trained, 0.75, kind)
    for variable, mask in masks._masks:
        assert mask.value.sharding == variable.value.sharding
    check_places(npr.shrink(npr.prune(model, 0.5, "unit")), kind)
    check_file(npr.prune(model, 0.4, "unit"), sys.argv[2], kind, x, y)  # widths of 20 and 10
    recovery = "distill" if kind == "data" else "reconstruct"  # each compiles for long
    method = f"weight/activation/{recovery}"
    check(npr.prune(model, 0.75, method, data=x[:210], verbose=0), 0.75, kind)


if __name__ == "__main__":
    main(sys.argv[1])
