"""Functions that run files for other runtimes, on one thread.

Such a function takes examples of shape (n, …) and returns outputs of shape (n, classes).
"""

import io
from collections.abc import Callable

import numpy as np

from ..models.backend import tf
from ..settings.export import SUFFIXES
from .formats import Files, quiet

Run = Callable[[np.ndarray], np.ndarray]


def run_of(files: Files, format_name: str) -> Run:
    """A function that runs the files of a format."""
    return _RUNS[format_name](*(files[suffix] for suffix in SUFFIXES[format_name]))


def _litert(content):
    with quiet():
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


def _torch(content):
    import torch

    torch.set_num_threads(1)
    with quiet():
        program = torch.export.load(io.BytesIO(content))
    model, (name,) = program.module(), program.graph_signature.user_inputs
    dtype = next(node.meta["val"].dtype for node in program.graph.nodes if node.name == name)

    @torch.no_grad()
    def run(x):
        return model(torch.from_numpy(np.ascontiguousarray(x)).to(dtype)).numpy()

    return run


_RUNS: dict[str, Callable[..., Run]] = {
    "litert": _litert,
    "litert_int8": _litert,
    "onnx": _onnx,
    "onnx_int8": _onnx,
    "openvino": _openvino,
    "torch": _torch,
}
