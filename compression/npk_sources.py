"""What a config in an `.npk` file may be built of: layers of Keras' that compute with tensors and
nothing else, and what the user has registered. Whoever wrote the file decides what is in it."""

import contextlib
import functools
import inspect
from typing import Any

import keras

# Where Keras defines what only computes. Outside are downloads, files, models of other programs.
SAFE = (
    "activations",
    "constraints",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "models.functional",
    "models.model",
    "models.sequential",
    "ops",
    "quantizers",
    "random.seed_generator",
    "regularizers",
)
# They run any function that they are given.
UNSAFE = (keras.layers.Lambda,)
# Where Keras looks for functions that it calls built in.
BUILT_IN = ("activations", "constraints", "initializers", "losses", "regularizers")
# What Keras makes of `class_name`s that are no classes. Lambdas and types of TensorFlow's are not
# among them.
VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__slice__", "__ellipsis__")
INTEGERS = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64"
NUMBERS = f"{INTEGERS} bfloat16 float16 float32 float64".split()


def check_sources(config: Any) -> None:
    """Makes sure that a config, with all that is nested in it, names nothing but safe parts of
    Keras and what has been registered with `keras.saving.register_keras_serializable`.

    Raises:
        ValueError: names what else it needs.
    """
    waiting = [config]  # no recursion: configs may be nested as deep as their author likes
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if "class_name" in each:
                _check_source(each)
            waiting += each.values()
        elif isinstance(each, (list, tuple)):
            waiting += each


def _check_source(config):
    kind, inner = config["class_name"], config.get("config")
    if kind in VALUES:
        _check_value(kind, inner)
        return
    # As Keras does: functions are called as in `config`.
    name = inner if kind == "function" else kind
    registered = name if kind == "function" else config.get("registered_name", kind)
    if not isinstance(name, str) or name.startswith("__") or "module" not in config:
        raise ValueError(f"it needs {name}, of which it does not say where it is from")
    if isinstance(registered, str) and keras.saving.get_registered_object(registered) is not None:
        return
    module = config["module"] or ""  # Keras names none of what a script or a notebook defines
    if not isinstance(module, str) or module.partition(".")[0] not in ("keras", "builtins"):
        raise ValueError(
            f"it needs {registered or name}, which is not registered with "
            "keras.saving.register_keras_serializable"
        )
    if not _is_safe(_found(kind, module, name)):
        raise ValueError(
            f"it needs {module}.{name}, which is none of Keras' layers that only compute; register "
            "what you trust with keras.saving.register_keras_serializable"
        )
    if isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
        raise ValueError(f"{name} reads its vocabulary from a file, {inner['vocabulary']!r}")


def _check_value(kind, inner):
    """Arrays may hold numbers only: texts of a given length may claim any number of bytes."""
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if kind in ("__tensor__", "__numpy__") and dtype not in NUMBERS:
        raise ValueError(f"it has an array of {dtype} in its config")


def _found(kind, module, name):
    """What Keras has under a name; None if there is nothing."""
    paths = [module.split(".")[1:]]
    if module == "builtins":  # which Keras says of its own functions
        paths = [[part] for part in BUILT_IN if kind == "function"]
    for path in paths:
        with contextlib.suppress(AttributeError):
            return functools.reduce(getattr, [*path, name], keras)
    return None


def _is_safe(found):
    """Whether something is a class or function that only computes."""
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return False
    if inspect.isclass(found) and issubclass(found, UNSAFE):
        return False
    places = (f"keras.src.{safe}" for safe in SAFE)
    return any(f"{found.__module__}.".startswith(f"{place}.") for place in places)
