"""Keras' own `fit`, plain or with the callback `Pruning`: prints the seconds of its epochs.

`fit.py plain` or `fit.py pruning`; the reference network on the digits, masks made every 100 steps,
up to 90 % sparsity.
"""

import json
import os
import runpy
import sys
import time
from pathlib import Path

EPOCHS = 4


def main():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    root = Path(__file__).resolve().parent.parent
    runpy.run_path(str(root / "__main__.py"))["load_package"]()
    import keras
    import network_pruning as npr
    from network_pruning.data import registry
    from network_pruning.models.model import build

    begun, ended = [], []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: begun.append(time.perf_counter()),
        on_epoch_end=lambda *_: ended.append(time.perf_counter()),
    )
    digits = registry.load("digits", None, 10_000).train
    callbacks = [clock, *([npr.Pruning(0.9, every=100)] if "pruning" in sys.argv else [])]
    build().fit(digits.images, digits.labels, 128, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    print(json.dumps({"epochs": [end - begin for begin, end in zip(begun, ended, strict=True)]}))


if __name__ == "__main__":
    main()
