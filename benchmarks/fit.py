"""Keras' own `fit`, in turn plain and with the callback `Pruning`, on the backend that
KERAS_BACKEND names: prints the seconds of epochs.

The reference network on the digits, masks made every 100 steps, up to 90 % sparsity. Of each call
of `fit` the first epoch, in which everything is compiled, does not count.
"""

import itertools
import json
import os
import runpy
import time
from pathlib import Path

EPOCHS, ROUNDS = 3, 4


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root = Path(__file__).resolve().parent.parent
    runpy.run_path(str(root / "__main__.py"))["load_package"]()
    import keras
    import network_pruning as npr
    from keras import layers
    from network_pruning.data import registry

    def network():
        keras.utils.set_random_seed(0)
        sizes = (1000, 1000, 500, 200)
        hidden = [layers.Dense(size, activation="relu", use_bias=False) for size in sizes]
        output = layers.Dense(10, activation="softmax", use_bias=False)
        model = keras.Sequential([keras.Input((784,)), *hidden, output])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def epochs(*callbacks):
        times = []
        clock = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: times.append(time.perf_counter())
        )
        # The clock comes last: what callbacks do at the end of an epoch belongs to it.
        fit = {"batch_size": 128, "epochs": EPOCHS, "verbose": 0}
        network().fit(images, digits.labels, callbacks=[*callbacks, clock], **fit)
        return [end - begin for begin, end in itertools.pairwise(times)]

    digits = registry.load("digits", None, 10_000).train
    images = digits.images
    seconds = {"plain": [], "pruning": []}
    for _ in range(ROUNDS):
        seconds["plain"] += epochs()
        seconds["pruning"] += epochs(npr.Pruning(0.9, every=100, end=1.0))
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
