"""Files for other runtimes, by Keras' own export and by the quantizers of these runtimes."""

import contextlib
import functools
import importlib
import io
import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np

from ..models.backend import tf
from ..settings.export import SUFFIXES
from ..utils import UsageError, one_line, quiet_stderr

Files = Mapping[str, bytes]  # by suffix

# The runtimes of formats, as tables name them.
NAMES = {
    "litert": "LiteRT",
    "litert_int8": "LiteRT int8",
    "onnx": "ONNX Runtime",
    "onnx_int8": "ONNX Runtime int8",
    "openvino": "OpenVINO",
    "torch": "PyTorch",
}
# With weights and activations of eight bits: they answer differently from the model.
INT8 = ("litert_int8", "onnx_int8")
# What has to be installed, and the extra that does.
ONNX = (("tf2onnx", "onnx", "onnxruntime"), "onnx")
NEEDS = {
    "onnx": ONNX,
    "onnx_int8": ONNX,
    "openvino": (("openvino",), "openvino"),
    "torch": (("torch",), "torch"),
}


def check_installed(format_name: str) -> None:
    """
    Raises:
        UsageError: if a package is missing that writes or runs this format.
    """
    modules, extra = NEEDS.get(format_name, ((), ""))
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UsageError(
                f"The format {format_name} needs the package {module} ({one_line(error, 80)}); "
                f'install it with: pip install "network-pruning[{extra}]"'
            ) from error


def converted(model: keras.Model, format_name: str, examples: np.ndarray | None = None) -> Files:
    """A model as the files of a format, by suffix.

    Args:
        model: a Keras model.
        format_name: one of `NAMES`.
        examples: of shape (n, …), a few hundred, of training data: formats in `INT8` choose the
            ranges of activations by them.

    Raises:
        ValueError: if it cannot be converted; the message says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet(), contextlib.redirect_stdout(io.StringIO()):
                model(_zeros(model), training=False)  # Keras knows the inputs after a call
                file = Path(folder, f"model.{SUFFIXES[format_name][0]}")
                of_int8 = (examples,) if format_name in INT8 else ()
                _WRITERS[format_name](model, file, *of_int8)
        except Exception as error:  # the converters may raise anything
            raise ValueError(one_line(error, 160)) from error
        return {each: Path(folder, f"model.{each}").read_bytes() for each in SUFFIXES[format_name]}


def _zeros(model):
    return [np.zeros([size or 1 for size in t.shape], t.dtype) for t in model.inputs]


def _litert(model, file, **options):
    model.export(str(file), format="litert", verbose=False, **options)


def _litert_int8(model, file, examples):
    """By TensorFlow's post-training quantization; inputs and outputs stay float32."""
    options = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": lambda: ([x] for x in _singles(model, examples)),
    }
    _litert(model, file, **options)


def _onnx(model, file):
    _teach_erfc()
    model.export(str(file), format="onnx", verbose=False)


def _onnx_int8(model, file, examples):
    """By ONNX Runtime's static quantization, each column or filter with its own scale."""
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    exact = file.with_name("exact.onnx")
    _onnx(model, exact)
    (taken,) = onnxruntime.InferenceSession(exact).get_inputs()

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.inputs = ({taken.name: x} for x in _singles(model, examples))

        def get_next(self):
            return next(self.inputs, None)

    quantize_static(exact, file, Reader(), per_channel=True)


def _openvino(model, file):
    model.export(str(file), format="openvino", verbose=False)


def _torch(model, file):
    """By another process, which knows no classes of plugins: Keras writes this format on PyTorch
    only."""
    kept = file.with_name("model.keras")
    model.save(kept)
    command = [sys.executable, "-c", _IN_PYTORCH, str(kept), str(file)]
    settings = {"KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        errors = re.findall(r"^\w*Error: .*", done.stderr, re.M)
        raise ValueError(errors[-1] if errors else f"Python ended with {done.returncode}")


_IN_PYTORCH = """
import sys, keras, torch
model = keras.saving.load_model(sys.argv[1], compile=False)
shapes = {0: torch.export.Dim.DYNAMIC}
model.export(sys.argv[2], format="torch", dynamic_shapes=shapes, verbose=False)
"""
_WRITERS: dict[str, Callable[..., None]] = {
    "litert": _litert,
    "litert_int8": _litert_int8,
    "onnx": _onnx,
    "onnx_int8": _onnx_int8,
    "openvino": _openvino,
    "torch": _torch,
}


def _singles(model, examples):
    dtype = model.inputs[0].dtype
    return (examples[i : i + 1].astype(dtype) for i in range(len(examples)))


@functools.cache
def _teach_erfc():
    """Has tf2onnx convert 1 - erf(x), with which TensorFlow computes `gelu`."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class _Erfc:
        @classmethod
        def version_9(cls, graph, node, **_):
            erf = graph.make_node("Erf", [node.input[0]], shapes=node.output_shapes)
            dtypes, shapes, outputs = node.output_dtypes, node.output_shapes, node.output
            one = graph.make_const(f"{node.name}/one", np.array(1, np.float32))
            graph.remove_node(node.name)
            inputs = [one.output[0], erf.output[0]]
            graph.make_node(
                "Sub", inputs, name=node.name, outputs=outputs, dtypes=dtypes, shapes=shapes
            )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings and messages of converters, which are not about the model."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # ONNX Runtime's quantizer
    try:
        with warnings.catch_warnings(), quiet_stderr():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.root.setLevel(level)
