"""Half of the units of well-known models pruned and removed.

The models have random weights, batch normalization random statistics, so that equal answers mean
something. Before and after are timed in turn, in a process that has plain Keras only. The table
goes to `docs/library.md`: `python benchmarks/applications.py`, ten minutes alone on the machine.
"""

import json
import os
import re
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import date
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
PAGE = PACKAGE / "docs" / "library.md"
START, END = "<!-- applications: start -->\n", "<!-- applications: end -->\n"
NAMES = (
    *("VGG16", "ResNet50", "ResNet50V2", "MobileNetV2", "MobileNetV3Small"),
    *("EfficientNetB0", "DenseNet121", "Xception", "InceptionV3", "ConvNeXtTiny"),
)
SIZE, BATCHES, ROUNDS = 224, (1, 32), 5
HEAD = """\
| model | parameters (M) | multiply-adds (G) | batch 1 (ms) | batch 32 (ms) | prune + shrink (s) |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


def main():
    """Measures all models, or those named, and writes the table if it is of all."""
    if "--time" in sys.argv:
        print(json.dumps(times(*sys.argv[-2:], BATCHES)))
        return
    names = [name for name in sys.argv[1:] if name in NAMES] or NAMES
    rows, remarks = zip(*map(measured, names), strict=True)
    table = HEAD + "".join(rows) + "\n" + "".join(filter(None, remarks))
    print(table)
    if tuple(names) == NAMES:
        from run import put_into_page

        put_into_page(described() + table, PAGE, START, END)


def measured(name):
    """A row of the table for one model, and what could not be removed."""
    import keras
    import network_pruning as npr
    import numpy as np

    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    shape = SIZE, SIZE, 3
    model = getattr(keras.applications, name)(weights=None, input_shape=shape, classes=1000)
    with_statistics(model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        begun = time.perf_counter()
        pruned = npr.prune(model, 0.5, "unit")
        small = npr.shrink(pruned)
        seconds = time.perf_counter() - begun
    remarks = "".join(str(warning.message) for warning in said)
    reasons = sorted(set(re.findall(r"because of [^(]+\((\w+)\)", remarks)))
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    expected, answers = (m.predict(images, verbose=0) for m in (pruned, small))
    np.testing.assert_allclose(answers, expected, atol=1e-5 * np.abs(expected).max())
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{which}.keras") for which in ("model", "small")]
        for each, file in zip((pruned, small), files, strict=True):
            each.save(file)
        command = [sys.executable, __file__, "--time", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["difference"] < 1e-5, found
    parameters = [m.count_params() / 1e6 for m in (model, small)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = [npr.measure(m) for m in (model, small)]
    macs = [total(size) / 1e9 for size in sizes]
    cells = [
        pair(*parameters),
        pair(*macs),
        *(pair(*(1000 * s for s in found[str(batch)])) for batch in BATCHES),
        f"{seconds:.0f}",
    ]
    row = f"| {name} | {' | '.join(cells)} |\n"
    print(row, end="", flush=True)
    whole = remarks.count("because of")
    remark = f"- {name}: {whole} layers are left whole, because of {', '.join(reasons)}.\n"
    return row, remark if reasons else ""


def total(size):
    """Multiply-adds if nothing was zero."""
    return sum(layer.dense_multiply_adds for layer in size.layers)


def pair(before, after):
    """ "25.6 → 7.1, 3.6×"."""
    shown = [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in (before, after)]
    return f"{' → '.join(shown)}, {before / after:.2f}×"


def with_statistics(model):
    """Gives batch normalizations other numbers than those they begin with."""
    import numpy as np

    generator = np.random.default_rng(1)
    for variable in model.weights:
        kind = variable.path.split("/")[-1]
        if kind in ("gamma", "moving_variance"):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif kind in ("beta", "moving_mean"):
            variable.assign(generator.normal(0, 0.1, variable.shape))


def times(before, after, batches):
    """Median seconds of two saved models for each size of batch, and how much their answers
    differ."""
    import keras
    import numpy as np

    models = [keras.models.load_model(file) for file in (before, after)]
    shape = models[0].input_shape[1:]
    generator = np.random.default_rng(2)
    found = {}
    for batch in batches:
        images = generator.normal(size=(batch, *shape)).astype("float32")
        answers = [model.predict_on_batch(images) for model in models]
        seconds = [[], []]
        for _ in range(ROUNDS if batch > 1 else 5 * ROUNDS):
            for model, taken in zip(models, seconds, strict=True):
                begun = time.perf_counter()
                model.predict_on_batch(images)
                taken.append(time.perf_counter() - begun)
        found[batch] = [statistics.median(taken) for taken in seconds]
        found["difference"] = float(
            np.abs(answers[0] - answers[1]).max() / np.abs(answers[0]).max()
        )
    return found


def described():
    """When, on what and how it was measured."""
    from importlib.metadata import version

    from run import processor

    versions = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras"))
    return (
        f"Measured on {date.today()} on {processor()}, {os.cpu_count()} cores, {versions}; "
        f"{SIZE}×{SIZE} images, `predict_on_batch`, medians of runs that alternate.\n\n"
    )


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "--time" not in sys.argv:
        runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    main()
