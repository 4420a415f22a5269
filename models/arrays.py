"""Arrays where they are: NumPy's in the memory of the processor, tensors on an accelerator.

What is written with `namespace` works on both, so that nothing that is large leaves an accelerator.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

Array = Any  # a NumPy array, or a tensor of Keras' backend


def is_numpy(array: Array) -> bool:
    """Whether an array is one of NumPy."""
    return isinstance(array, (np.ndarray, np.generic))


def namespace(array: Array) -> Any:
    """The module with the functions for an array: `numpy`, or `keras.ops` for a tensor."""
    if is_numpy(array):
        return np
    import keras

    return keras.ops


def to_numpy(array: Array) -> np.ndarray:
    """An array as one of NumPy."""
    if is_numpy(array):
        return array
    import keras

    return np.asarray(keras.ops.convert_to_numpy(array))


def local_value(variable: "keras.Variable") -> Array:
    """The value of a Keras variable where it is: a tensor on an accelerator, else as a NumPy
    array."""
    if not is_on_accelerator(variable.value):
        return to_numpy(variable.value)
    import keras

    return keras.ops.stop_gradient(variable.value)


def local_in_float32(tensor: Any) -> Array:
    """A tensor in float32 where it is: on an accelerator, if that knows float64, else as a NumPy
    array."""
    import keras

    if not is_on_accelerator(tensor) or getattr(tensor.device, "type", "") == "mps":
        return to_numpy(tensor).astype(np.float32, copy=False)
    return keras.ops.cast(keras.ops.stop_gradient(tensor), "float32")


@contextlib.contextmanager
def in_float64(array: Array) -> Iterator[None]:
    """Within the block, there are tensors of float64: JAX has none otherwise. For NumPy arrays it
    does nothing."""
    if is_numpy(array) or _backend() != "jax":
        yield
        return
    import jax
    from jax import experimental

    is_new = hasattr(jax, "enable_x64")  # elsewhere in older versions
    enable: Any = jax.enable_x64 if is_new else experimental.enable_x64  # type: ignore[attr-defined]
    with enable(True):
        yield


def is_on_accelerator(tensor: Any) -> bool:
    """Whether a tensor is in the memory of an accelerator, such as a GPU."""
    backend = _backend()
    if backend == "jax":
        return any(device.platform != "cpu" for device in tensor.devices())
    if backend == "torch":
        return tensor.device.type != "cpu"
    return backend == "tensorflow" and "CPU" not in tensor.device


def _backend():
    import keras

    return keras.backend.backend()


def size_of(array: Array) -> int:
    """The number of its entries."""
    return math.prod(array.shape)


def count(mask: Array) -> int:
    """The number of entries that are True."""
    return int(namespace(mask).count_nonzero(mask))


def is_whole(mask: Array) -> bool:
    """Whether all entries are True."""
    return bool(namespace(mask).all(mask))


def placed_like(array: Array, other: Array) -> Array:
    """An array where another one is."""
    if is_numpy(other):
        return to_numpy(array)
    return namespace(other).convert_to_tensor(array)


def rows_in(array: Array, mask: np.ndarray) -> Array:
    """The entries along the first axis that a mask, an array of booleans, keeps."""
    return namespace(array).take(array, np.flatnonzero(mask), axis=0)


def type_of(array: Array) -> str:
    """The name of its type, such as `float32`."""
    if is_numpy(array):
        return array.dtype.name
    import keras

    return keras.backend.standardize_dtype(array.dtype)


def in_type(array: Array, dtype: str) -> Array:
    """An array in another type, copied only if needed."""
    if is_numpy(array):
        return array.astype(dtype, copy=False)
    return namespace(array).cast(array, dtype)


def in_float32(array: Array) -> Array:
    """An array of floating-point numbers or booleans, in float32 if its type is smaller: squares of
    float16 overflow, and NumPy does not know bfloat16."""
    if is_numpy(array):
        return array if array.itemsize >= 4 else array.astype(np.float32)
    return array if type_of(array) in ("float32", "float64") else in_type(array, "float32")
