"""Files for other runtimes, by Keras' own export, and functions that run them.

Such a function takes examples of shape (n, …) and returns outputs of shape (n, classes), on one
thread.
"""

import contextlib
import functools
import importlib
import io
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from ..models.backend import tf
from ..settings.export import SUFFIXES
from ..utils import UsageError, one_line, quiet_stderr

Files = Mapping[str, bytes]  # by suffix
Run = Callable[[np.ndarray], np.ndarray]

# What has to be installed, and the extra that does.
NEEDS = {
    "onnx": (("tf2onnx", "onnx", "onnxruntime"), "onnx"),
    "openvino": (("openvino",), "openvino"),
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


def converted(model: keras.Model, format_name: str) -> Files:
    """A model as the files of a format, litert, onnx or openvino, by suffix.

    Raises:
        ValueError: if it cannot be converted; the message says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"model.{SUFFIXES[format_name][0]}")
        try:
            with _quiet(), contextlib.redirect_stdout(io.StringIO()):
                _export(model, file, format_name)
        except Exception as error:  # the converters may raise anything
            raise ValueError(one_line(error, 160)) from error
        return {each: file.with_suffix(f".{each}").read_bytes() for each in SUFFIXES[format_name]}


def _export(model, file, format_name):
    model(_zeros(model), training=False)  # Keras knows the inputs of a model that has been called
    if format_name == "onnx":
        _teach_erfc()
    model.export(str(file), format=format_name, verbose=False)


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


def _zeros(model):
    return [np.zeros([size or 1 for size in t.shape], t.dtype) for t in model.inputs]


def run_of(files: Files, format_name: str) -> Run:
    """A function that runs the files of a format."""
    return _RUNS[format_name](*(files[suffix] for suffix in SUFFIXES[format_name]))


def _litert(content):
    with _quiet():
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


def _onnx(content):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    dtype = np.dtype(_DTYPES.get(taken.type, "float32"))
    return lambda x: session.run(None, {taken.name: x.astype(dtype, copy=False)})[0]


_DTYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64"}


def _openvino(structure, weights):
    import openvino

    core = openvino.Core()
    model = core.compile_model(core.read_model(structure, weights), "CPU", _OPENVINO)
    dtype = model.input(0).get_element_type().to_dtype()
    request = model.create_infer_request()
    return lambda x: request.infer([x.astype(dtype, copy=False)])[0].copy()


# By itself it computes in bfloat16 on processors that can.
_OPENVINO = {
    "INFERENCE_NUM_THREADS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
}
_RUNS: dict[str, Callable[..., Run]] = {"litert": _litert, "onnx": _onnx, "openvino": _openvino}


@contextlib.contextmanager
def _quiet():
    """Without the warnings and messages of converters, which are not about the model."""
    with warnings.catch_warnings(), quiet_stderr():
        warnings.simplefilter("ignore")
        yield
