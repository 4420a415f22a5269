"""Measures the library on whatever device Keras runs on, without TensorFlow:

    KERAS_BACKEND=jax python benchmarks/accelerator.py [--quick] [--only=prune,…]

Seconds of each thing, and ratios of two that ran in turn; a table in Markdown at the end. Five
minutes on a GPU, a minute with `--quick`, which takes smaller models and fewer images; so does a
machine without an accelerator. Nothing is read or written but temporary files.
"""

import argparse
import os
import platform
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
runpy.run_path(str(Path(__file__).resolve().parents[1] / "__main__.py"))["load_package"]()

import keras  # noqa: E402
import network_pruning as npr  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

RANDOM = np.random.default_rng(0)


def transformer(blocks, width=1024):
    """Blocks of attention and two dense layers: 12 · width² weights each."""
    x = inputs = keras.Input((16, width))
    for _ in range(blocks):
        x = x + layers.MultiHeadAttention(16, width // 16, use_bias=False)(x, x)
        x = x + layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(x))
    return keras.Model(inputs, layers.Dense(10)(x))


def resnet(pixels):
    return keras.applications.ResNet50(weights=None, input_shape=(pixels, pixels, 3))


def cnn(**compiled):
    """A small network for images of 28 × 28 pixels."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, **compiled)
    return model


def finish(model):
    """Waits until what was started on the device is done."""
    keras.ops.convert_to_numpy(keras.ops.sum(model.weights[-1].value))


def seconds(function, *arguments, **options):
    """What a call returns, and how long it takes."""
    begun = time.perf_counter()
    result = function(*arguments, **options)
    if isinstance(result, keras.Model):
        finish(result)
    return result, time.perf_counter() - begun


class Epochs(keras.callbacks.Callback):
    """The seconds of every epoch."""

    def on_train_begin(self, logs=None):  # noqa: ARG002
        self.seconds = []

    def on_epoch_begin(self, _epoch, logs=None):  # noqa: ARG002
        self.begun = time.perf_counter()

    def on_epoch_end(self, _epoch, logs=None):  # noqa: ARG002
        self.seconds.append(time.perf_counter() - self.begun)


def fit(size):
    """Training with the callback as a share of training without it: whole, and without the first
    epoch, in which it is compiled."""
    images = RANDOM.random((size, 28, 28, 1), np.float32)
    labels = RANDOM.integers(0, 10, size)
    variants = {"": {}}
    if keras.backend.backend() == "jax":
        variants["steps_per_execution=16"] = {"steps_per_execution": 16}
    for name, compiled in variants.items():
        whole, later = [], []
        for _ in range(2):
            found = []
            for callbacks in ([], [npr.Pruning(0.9, every=100)]):
                epochs, model = Epochs(), cnn(**compiled)
                options = {"epochs": 6, "batch_size": 128, "verbose": 0}
                _, taken = seconds(
                    model.fit, images, labels, callbacks=[*callbacks, epochs], **options
                )
                found.append((taken, statistics.median(epochs.seconds[1:])))
            (plain, plain_epoch), (own, own_epoch) = found
            whole.append(own / plain)
            later.append(own_epoch / plain_epoch)
        title = " ".join(filter(None, (f"`fit` with `Pruning`, small CNN, {size:,} images", name)))
        yield f"{title}, 6 epochs with compilation", f"{min(whole):.2f}× plain"
        yield f"{title}, epochs 2 to 6", f"{min(later):.2f}× plain"


def prune(blocks):
    """One-shot pruning of a large transformer."""
    model = transformer(blocks)
    number = model.count_params()
    for method in ("weight", "2:4", "weight/magnitude/global", "unit"):
        for attempt in ("first", "second"):
            pruned, taken = seconds(npr.prune, model, 0.5, method)
            yield f"`prune(…, {method!r})`, transformer, {number:,} weights, {attempt} call", taken
    small, taken = seconds(npr.shrink, pruned)
    yield f"`shrink` of it to {small.count_params():,} weights", taken


def convolutions(pixels, batch):
    """Half of the units of ResNet50."""
    model = resnet(pixels)
    pruned, taken = seconds(npr.prune, model, 0.5, "unit")
    yield f"`prune(…, 'unit')`, ResNet50 at {pixels} px", taken
    small, taken = seconds(npr.shrink, pruned)
    yield f"`shrink` of it to {small.count_params():,} weights", taken
    images = RANDOM.random((batch, pixels, pixels, 3), np.float32)
    latencies = []
    for each in (model, small):
        each.predict_on_batch(images)
        latencies.append(min(seconds(each.predict_on_batch, images)[1] for _ in range(5)))
    yield f"`predict_on_batch` of {batch} images, dense", latencies[0]
    yield "the same, shrunk", f"{latencies[0] / latencies[1]:.2f}× as fast"


def files(pixels):
    """ResNet50 in a small file."""
    model = resnet(pixels)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.npk"))
        yield "`save(…, bits=4)`, ResNet50, unpruned", seconds(npr.save, model, path, bits=4)[1]
        yield "`load` of it", seconds(npr.load, path)[1]


def reconstruct(pixels, images):
    """ResNet50, re-fitted without labels."""
    model, x = resnet(pixels), RANDOM.random((images, pixels, pixels, 3), np.float32)
    method = "weight/activation/reconstruct"
    _, taken = seconds(npr.prune, model, 0.8, method, data=x, verbose=0)
    yield f"`prune(…, {method!r})`, ResNet50 at {pixels} px, {images} images", taken


# The functions that measure, with their arguments for `--quick` and without it.
STAGES = {
    "fit": (fit, (2500,), (20_000,)),
    "prune": (prune, (4,), (32,)),
    "convolutions": (convolutions, (64, 16), (224, 256)),
    "files": (files, (64,), (224,)),
    "reconstruct": (reconstruct, (64, 32), (224, 256)),
}


def device():
    """The device and the versions."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        name, version = jax.devices()[0].device_kind, jax.__version__
    elif backend == "torch":
        import torch

        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
        version = torch.__version__
    else:
        name, version = "cpu", ""
    if name == "cpu":
        name = f"{os.cpu_count()} cores of {platform.machine()}"
    versions = f"Keras {keras.__version__}, {backend} {version}, Python {platform.python_version()}"
    return f"{name}; {versions}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller models, fewer images")
    parser.add_argument("--only", help="names of stages, separated by commas")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(STAGES)
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        parser.error(f"--only: {unknown[0]} is none of {', '.join(STAGES)}")
    rows = []
    for name in names:
        function, few, many = STAGES[name]
        arguments = few if options.quick else many
        for what, measured in function(*arguments):
            shown = measured if isinstance(measured, str) else f"{measured:.2f} s"
            rows.append(f"| {what} | {shown} |")
            print(rows[-1], file=sys.stderr, flush=True)
    print(f"\n{device()}\n\n| what | measured |\n| --- | --- |", *rows, sep="\n")


if __name__ == "__main__":
    main()
