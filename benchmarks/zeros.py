"""Does a runtime get faster when weights are zero? `python benchmarks/zeros.py`

A dense and a convolutional network with random weights, against the same with 90 % of the weights
pruned one by one, of the same shape: how often as fast the second one is, for each runtime and
batch; the two take turns, one thread where a runtime has the choice.
"""

import os
import runpy
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
SPARSITY, ROUNDS, SECONDS = 0.9, 3, 2.0


def main():
    """Prints a row for each network, batch and runtime."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    import numpy as np

    for name, model in models().items():
        x = np.random.default_rng(0).random((64, *model.input_shape[1:]), np.float32)
        for batch in (1, 64):
            for runtime, ratios in speedups(model, x[:batch]).items():
                low, *_, high = sorted(ratios)
                middle = sorted(ratios)[len(ratios) // 2]
                print(f"{name}, batch {batch}, {runtime}: {middle:.2f}× ({low:.2f}–{high:.2f})")


def models():
    """Networks by name."""
    import keras

    layers = keras.layers
    wide = [layers.Dense(2048, activation="relu") for _ in range(3)]
    dense = keras.Sequential([keras.Input((2048,)), *wide, layers.Dense(10)])
    filters = [layers.Conv2D(128, 3, padding="same", activation="relu") for _ in range(4)]
    pooled = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    convolutional = keras.Sequential([keras.Input((32, 32, 64)), *filters, *pooled])
    return {"dense": dense, "convolutional": convolutional}


def speedups(model, x):
    """Time of the dense model over that of the sparse one, of every round, by runtime."""
    import network_pruning as npr
    from network_pruning.compression import runtimes

    sparse = npr.prune(model, SPARSITY)
    started = {
        (which, runtime): run
        for which, each in (("dense", model), ("sparse", sparse))
        for runtime, run in runtimes.started(each, x[:1]).items()
    }
    rounds = [runtimes.latencies(started, x, SECONDS) for _ in range(ROUNDS)]
    names = [runtime for which, runtime in started if which == "sparse"]
    return {
        name: [times["dense", name] / times["sparse", name] for times in rounds] for name in names
    }


if __name__ == "__main__":
    main()
