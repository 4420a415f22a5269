"""Half of 100 million weights pruned, on the backend that KERAS_BACKEND names, in turn with NumPy's
selection of the median of the same numbers: prints the seconds of each.
"""

import json
import os
import runpy
import time
from pathlib import Path

WIDTH, LAYERS, ROUNDS = 5000, 4, 3


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root = Path(__file__).resolve().parent.parent
    runpy.run_path(str(root / "__main__.py"))["load_package"]()
    import keras
    import network_pruning as npr
    import numpy as np
    from keras import layers

    hidden = [layers.Dense(WIDTH, use_bias=False) for _ in range(LAYERS)]
    model = keras.Sequential([keras.Input((WIDTH,)), *hidden, layers.Dense(1)])
    kernels = [np.array(layer.get_weights()[0]) for layer in hidden]

    def partition():
        for kernel in kernels:
            np.partition(np.abs(kernel).ravel(), kernel.size // 2)

    seconds = {"prune": [], "partition": []}
    for _ in range(ROUNDS):
        for name, call in (("prune", lambda: npr.prune(model, 0.5)), ("partition", partition)):
            begun = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - begun)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
