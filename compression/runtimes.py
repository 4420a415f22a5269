"""The latency of a model on several runtimes, on this machine.

A runtime is a function of a Keras model. It returns a function of examples of shape (n, …) that
returns outputs of shape (n, classes); if it cannot run the model, it returns None or raises.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np

from ..models.backend import tf
from ..models.kernels import value_of
from . import npk_reader
from .format_runs import Run, run_of
from .formats import INT8, NAMES, Files, converted
from .npk import plain_config

WARM_UPS, MOST_ROUNDS, SECONDS, QUICKLY = 3, 500, 2.5, 0.5
OTHER_BYTES = 2**24
# Runtimes compute in different orders; a larger difference is an error.
TOLERANCE = 1e-4


def keras_predict(model: keras.Model) -> Run:
    """Keras' own `predict`, as most people call it."""
    return lambda x: model.predict(x, batch_size=len(x), verbose=0)


def keras_compiled(model: keras.Model) -> Run:
    """The model compiled to a TensorFlow graph."""
    call = tf.function(partial(model, training=False))
    return lambda x: call(tf.constant(x)).numpy()


def on(format_name: str, model: keras.Model) -> Run:
    """The runtime of a format, on one thread: LiteRT (once called TensorFlow Lite), ONNX Runtime,
    OpenVINO."""
    return run_of(converted(model, format_name), format_name)


def numpy_dense(model: keras.Model) -> Run:
    """NumPy, by the reader of `.npk` files, for simple networks."""
    config = plain_config(model)
    arrays = [value_of(variable) for variable in model.weights]
    return partial(npk_reader.run, config, arrays)


def scipy_sparse(model: keras.Model) -> Run | None:
    """SciPy's compressed sparse rows, for chains of dense layers."""
    from scipy.sparse import csr_array

    kinds = (keras.layers.Dense, keras.layers.Flatten, keras.layers.Dropout)
    known = isinstance(model, keras.Sequential) and all(isinstance(m, kinds) for m in model.layers)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    if not known or not all(layer.activation in _ACTIVATIONS for layer in dense):
        return None
    steps = [
        (
            csr_array(value_of(layer.kernel).astype(np.float32).T),
            value_of(layer.bias).astype(np.float32)[:, None] if layer.use_bias else 0,
            _ACTIVATIONS[layer.activation],
        )
        for layer in dense
    ]

    def run(x):
        columns = x.reshape(len(x), -1).T
        for kernel, bias, activation in steps:
            columns = activation(kernel @ columns + bias)
        return columns.T

    return run


def _softmax(columns):
    powers = np.exp(columns - columns.max(axis=0))
    return powers / powers.sum(axis=0)


_ACTIVATIONS = {
    keras.activations.linear: lambda columns: columns,
    keras.activations.relu: lambda columns: np.maximum(columns, 0),
    keras.activations.softmax: _softmax,
}

RUNTIMES: dict[str, Callable[[keras.Model], Run | None]] = {
    "Keras predict": keras_predict,
    "Keras compiled": keras_compiled,
    **{NAMES[name]: partial(on, name) for name in ("litert", "onnx", "openvino")},
    "NumPy": numpy_dense,
    "SciPy sparse": scipy_sparse,
}


def started(
    model: keras.Model, x: np.ndarray, files: Mapping[str, Files] | None = None
) -> dict[str, Run]:
    """Functions that run a model, by the name of the runtime, of those that agree with Keras on
    some examples up to rounding; those with eight bits need not agree.

    Args:
        model: a Keras model.
        x: a few examples, of shape (n, …).
        files: of the model, by format, if it has been converted already.
    """
    expected, found = keras_predict(model)(x), {}
    there = {NAMES[name]: name for name in files or {} if name in NAMES}
    for name in dict.fromkeys((*RUNTIMES, *there)):
        try:
            if name in there:
                run = run_of((files or {})[there[name]], there[name])
            else:
                run = RUNTIMES[name](model)
            if run is not None and (there.get(name) in INT8 or agree(run(x), expected)):
                found[name] = run
        except Exception:
            continue  # a runtime that cannot run the model may raise anything
    return found


def deployed_latency(model: keras.Model, x: np.ndarray) -> float:
    """The `cold_latency` of LiteRT on one thread or, where that cannot run the model, of compiled
    Keras.

    Args:
        model: a Keras model.
        x: an example, of shape (1, ...).
    """
    try:
        run = on("litert", model)
        run(x)
    except Exception:  # a runtime that cannot run the model may raise anything
        run = keras_compiled(model)
    return cold_latency(run, x)


def cold_latency(run: Run, x: np.ndarray) -> float:
    """The median milliseconds of calls between which the processor's caches are filled with
    something else, as by other work.

    Args:
        run: takes examples.
        x: an example, of shape (1, ...).
    """
    other = np.zeros(OTHER_BYTES, np.uint8)
    return 1000 * latencies({True: run, False: lambda _: other.sum()}, x, QUICKLY)[True]


def agree(outputs: np.ndarray, expected: np.ndarray) -> bool:
    """Whether outputs are equal up to rounding, relative to their size."""
    if outputs.shape != expected.shape:
        return False
    return bool(np.abs(outputs - expected).max() <= TOLERANCE * max(1, np.abs(expected).max()))


def latencies(
    functions: Mapping[Any, Run],
    x: np.ndarray,
    seconds: float = SECONDS,
) -> dict[Any, float]:
    """The median latency in seconds, by name.

    After a few warm-up calls all take turns, so that the machine's other work affects all of them.

    Args:
        functions: take examples, by name.
        x: the examples, of shape (n, …).
        seconds: how long to measure, in total.
    """
    for run in functions.values():
        for _ in range(WARM_UPS):
            run(x)
    found = {name: [] for name in functions}
    end = time.perf_counter() + seconds
    for _ in range(MOST_ROUNDS):
        for name, run in functions.items():
            begun = time.perf_counter()
            run(x)
            found[name].append(time.perf_counter() - begun)
        if time.perf_counter() > end:
            break
    return {name: statistics.median(times) for name, times in found.items()}
