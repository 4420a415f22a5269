"""The latency of a model on several runtimes, on this machine.

A runtime is a function of a Keras model. It returns a function of examples of shape (n, …) that
returns outputs of shape (n, classes); if it cannot run the model, it returns None or raises.
"""

import contextlib
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..models.backend import tf
from ..models.kernels import value_of
from ..utils import one_line, quiet_stderr
from . import npk_reader
from .npk import plain_config

WARM_UPS, MOST_ROUNDS, SECONDS, QUICKLY = 3, 500, 2.5, 0.5
OTHER_BYTES = 2**24
# Runtimes compute in different orders; a larger difference is an error.
TOLERANCE = 1e-4


def keras_predict(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Keras' own `predict`, as most people call it."""
    return lambda x: model.predict(x, batch_size=len(x), verbose=0)


def keras_compiled(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """The model compiled to a TensorFlow graph."""
    call = tf.function(partial(model, training=False))
    return lambda x: call(tf.constant(x)).numpy()


def litert(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """LiteRT's interpreter, once called TensorFlow Lite, on one thread."""
    return interpreter(litert_bytes(model))


def numpy_dense(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """NumPy, by the reader of `.npk` files, for simple networks."""
    config = plain_config(model)
    arrays = [value_of(variable) for variable in model.weights]
    return partial(npk_reader.run, config, arrays)


def scipy_sparse(model: keras.Model) -> Callable[[np.ndarray], np.ndarray] | None:
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

RUNTIMES = {
    "Keras predict": keras_predict,
    "Keras compiled": keras_compiled,
    "LiteRT": litert,
    "NumPy": numpy_dense,
    "SciPy sparse": scipy_sparse,
}


def litert_bytes(model: keras.Model) -> bytes:
    """A model as a LiteRT file, by Keras' own export.

    Raises:
        ValueError: if it cannot be converted; the message says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.tflite")
        try:
            # TensorFlow's output during conversion is not about the model.
            with quiet_stderr(), contextlib.redirect_stdout(io.StringIO()):
                model.export(str(file), format="litert", verbose=False)
        except Exception as error:  # the converter may raise anything
            raise ValueError(one_line(error, 160)) from error
        return file.read_bytes()


def interpreter(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A function of examples that runs the bytes of a LiteRT file."""
    with warnings.catch_warnings(), quiet_stderr():
        warnings.simplefilter("ignore")  # TensorFlow's, that it will move to another package
        model = tf.lite.Interpreter(model_content=content, num_threads=1)
        model.allocate_tensors()
    (taken,), (given,) = model.get_input_details(), model.get_output_details()
    shape = None

    def run(x):
        nonlocal shape
        if x.shape != shape:
            model.resize_tensor_input(taken["index"], x.shape)
            model.allocate_tensors()
            shape = x.shape
        model.set_tensor(taken["index"], x.astype(taken["dtype"], copy=False))
        model.invoke()
        return model.get_tensor(given["index"])

    return run


def started(model: keras.Model, x: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Functions that run a model, by the name of the runtime, of those that agree with Keras on
    some examples up to rounding.

    Args:
        model: a Keras model.
        x: a few examples, of shape (n, …).
    """
    expected, found = keras_predict(model)(x), {}
    for name, start in RUNTIMES.items():
        try:
            run = start(model)
            if run is not None and agree(run(x), expected):
                found[name] = run
        except Exception:
            continue  # a runtime that cannot run the model may raise anything
    return found


def deployed_latency(model: keras.Model, x: np.ndarray) -> float:
    """The median milliseconds of LiteRT on one thread or, where that cannot run the model, of
    compiled Keras; between two calls the processor's caches are filled with something else, as by
    other work.

    Args:
        model: a Keras model.
        x: an example, of shape (1, ...).
    """
    try:
        run = litert(model)
        run(x)
    except Exception:  # a runtime that cannot run the model may raise anything
        run = keras_compiled(model)
    other = np.zeros(OTHER_BYTES, np.uint8)
    return 1000 * latencies({True: run, False: lambda _: other.sum()}, x, QUICKLY)[True]


def agree(outputs: np.ndarray, expected: np.ndarray) -> bool:
    """Whether outputs are equal up to rounding, relative to their size."""
    if outputs.shape != expected.shape:
        return False
    return bool(np.abs(outputs - expected).max() <= TOLERANCE * max(1, np.abs(expected).max()))


def latencies(
    functions: Mapping[Any, Callable[[np.ndarray], np.ndarray]],
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
