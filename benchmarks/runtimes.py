"""How fast is what is exported: `python benchmarks/runtimes.py [--memory dense|shrunk|NumPy]`.

The exported network of digits in `references/small-digits/model.npk`, and a network of a fifth of
the units, against the dense one; all take turns. Prints milliseconds of every round as JSON, or
with `--memory` answers once with one runtime, for whoever measures what that takes.
"""

import json
import os
import runpy
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
EXPORTED = PACKAGE / "references" / "small-digits" / "model.npk"
UNITS, SHARE = (1000, 1000, 500, 200), 5
ROUNDS, SECONDS = 5, 4.0


def main():
    """Measures, or answers once."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    if "--memory" in sys.argv:
        answer_once(sys.argv[-1])
    else:
        print(json.dumps(milliseconds()))


def milliseconds():
    """Medians of every round, by size of batch, model and runtime."""
    import network_pruning as npr
    import numpy as np
    from network_pruning.compression import runtimes

    models = {"dense": dense(UNITS), "exported": npr.load(EXPORTED)}
    models["fewer units"] = dense([units // SHARE for units in UNITS])
    generator = np.random.default_rng(0)
    x = generator.random((8, 784), np.float32)
    answers = {
        (model, runtime): answer
        for model, network in models.items()
        for runtime, answer in runtimes.started(network, x).items()
    }
    found = {}
    for batch in (1, 256):
        x = generator.random((batch, 784), np.float32)
        rounds = [runtimes.latencies(answers, x, SECONDS) for _ in range(ROUNDS)]
        found[str(batch)] = {
            f"{model}, {runtime}": [1000 * times[model, runtime] for times in rounds]
            for model, runtime in answers
        }
    return found


def dense(units):
    """A network of dense layers with random weights: how long it takes does not depend on them."""
    import keras

    layers = [keras.layers.Dense(n, activation="relu", use_bias=False) for n in units]
    last = keras.layers.Dense(10, activation="softmax", use_bias=False)
    return keras.Sequential([keras.Input((784,)), *layers, last])


def answer_once(which):
    """What somebody does who asks a model in a file once."""
    import numpy as np

    x = np.zeros((256, 784), np.float32)
    if which == "NumPy":
        from network_pruning.compression import npk_reader

        npk_reader.run(*npk_reader.read(EXPORTED.read_bytes()), x)
    else:
        import network_pruning as npr

        model = dense(UNITS) if which == "dense" else npr.load(EXPORTED)
        model.predict(x, verbose=0)


if __name__ == "__main__":
    main()
