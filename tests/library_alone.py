"""The library on JAX, where nothing can be imported but what it declares: run by itself."""

import builtins
import os
import runpy
import sys
from pathlib import Path

import bare

bare.refuse()
os.environ["KERAS_BACKEND"] = "jax"
# What it declares, and the backend of this test.
OURS = ("network_pruning", "keras", "numpy", "constriction", "jax")


def importing(name, globals=None, locals=None, fromlist=(), level=0):
    """`__import__`, by which our own modules get their own packages only."""
    importer = (globals or {}).get("__name__", "").partition(".")[0]
    package = name.partition(".")[0]
    if importer == "network_pruning" and not level:
        assert package in sys.stdlib_module_names or package in OURS, name
    return import_module(name, globals, locals, fromlist, level)


import_module, builtins.__import__ = builtins.__import__, importing
npr = runpy.run_path(str(Path(__file__).parent.parent / "__main__.py"))["load_package"]()

for name in npr.__all__:
    getattr(npr, name)

import keras  # noqa: E402
import numpy as np  # noqa: E402


def net():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


assert keras.backend.backend() == "jax"
x, y = np.ones((4, 6), np.float32), np.arange(4) % 3
model = net()
for method in ("weight", "unit", "weight/gradient", "weight/activation/global", "2:4", "lamp"):
    pruned = npr.prune(model, 0.5, method, data=(x, y))
    assert abs(npr.measure(pruned).sparsity - 0.5) < 0.2, method
net().fit(x, y, verbose=0, callbacks=[npr.Pruning(0.5, every=1)])
pruned.fit(x, y, verbose=0, callbacks=[npr.KeepPruned()])
small = npr.shrink(npr.prune(model, 0.5, "unit"))
assert small.count_params() < model.count_params()
for options in ({}, {"bits": 4}, {"data": (x, y), "max_accuracy_drop": 1}):
    npr.save(pruned, sys.argv[1], **options)
    assert npr.load(sys.argv[1]).count_params() <= model.count_params()
print("all of it")
