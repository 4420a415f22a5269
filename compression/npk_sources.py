"""The classes that a config in an `.npk` file may name: layers of Keras and KerasHub that only
compute with tensors, and what the user has registered. Configs are untrusted."""

import contextlib
import functools
import inspect
import sys
from typing import Any

import keras

# The modules of Keras that only compute. Others download, read files, or load foreign models.
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
# Classes that run any given function.
UNSAFE = (keras.layers.Lambda,)
# Where KerasHub's classes are, and which of its functions only compute.
KERAS_HUB, HUB_FUNCTIONS = "keras_hub.", ("gelu_approximate",)
# The modules where Keras looks up functions of "builtins".
BUILT_IN = ("activations", "constraints", "initializers", "losses", "regularizers")
# Values of `class_name` that are not classes. Lambdas and TensorFlow's types are not allowed.
VALUES = ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__slice__", "__ellipsis__")
INTEGERS = "bool uint8 uint16 uint32 uint64 int8 int16 int32 int64"
NUMBERS = f"{INTEGERS} bfloat16 float16 float32 float64".split()


def check_sources(config: Any) -> None:
    """Makes sure that a config, with everything nested in it, names only safe parts of Keras and
    what has been registered with `keras.saving.register_keras_serializable`.

    Raises:
        ValueError: if it names anything else.
    """
    waiting = [config]  # no recursion: configs may be nested arbitrarily deep
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
    # As in Keras: the name of a function is in `config`.
    name = inner if kind == "function" else kind
    registered = name if kind == "function" else config.get("registered_name", kind)
    if not isinstance(name, str) or name.startswith("__") or "module" not in config:
        raise ValueError(f"it needs {name}, without naming its module")
    module = config["module"] or ""  # empty for classes of scripts and notebooks
    own = keras.saving.get_registered_object(registered) if isinstance(registered, str) else None
    if own is not None and not own.__module__.startswith(KERAS_HUB):
        return  # the user's
    if own is None and _is_of_keras_hub(module):
        own = getattr(sys.modules.get(module), name, None)
    if own is not None:
        if not _only_computes(own):
            raise ValueError(
                f"it needs {registered or name} of KerasHub, which is not a layer or model that "
                "only computes"
            )
        return
    if _is_of_keras_hub(module):
        raise ValueError(f"it needs {name} of KerasHub; import keras_hub before you load it")
    if not isinstance(module, str) or module.partition(".")[0] not in ("keras", "builtins"):
        raise ValueError(
            f"it needs {registered or name}, which is not registered with "
            "keras.saving.register_keras_serializable"
        )
    if not _is_safe(_found(kind, module, name)):
        raise ValueError(
            f"it needs {module}.{name}, which is not a Keras layer that only computes; register "
            "classes that you trust with keras.saving.register_keras_serializable"
        )
    if isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
        raise ValueError(f"{name} reads its vocabulary from a file, {inner['vocabulary']!r}")


def _is_of_keras_hub(module):
    return isinstance(module, str) and module.startswith(KERAS_HUB)


def _only_computes(found):
    """Whether an object of KerasHub, which the user has imported, is a layer or model that reads no
    files, as tokenizers and the like do, or an activation. Not all layers are registered, but Keras
    finds them by their modules."""
    if inspect.isclass(found) and issubclass(found, keras.Layer):
        return not any("preprocessing" in each.__module__ for each in found.__mro__)
    return getattr(found, "__name__", None) in HUB_FUNCTIONS


def _check_value(kind, inner):
    """Arrays may have numbers only: texts of a given length may claim any number of bytes."""
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if kind in ("__tensor__", "__numpy__") and dtype not in NUMBERS:
        raise ValueError(f"it has an array of {dtype} in its config")


def _found(kind, module, name):
    """The object of Keras with this name; None if there is none."""
    paths = [module.split(".")[1:]]
    if module == "builtins":  # which Keras writes for its own functions
        paths = [[part] for part in BUILT_IN if kind == "function"]
    for path in paths:
        with contextlib.suppress(AttributeError):
            return functools.reduce(getattr, [*path, name], keras)
    return None


def _is_safe(found):
    """Whether an object is a class or function that only computes."""
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        return False
    if inspect.isclass(found) and issubclass(found, UNSAFE):
        return False
    places = (f"keras.src.{safe}" for safe in SAFE)
    return any(f"{found.__module__}.".startswith(f"{place}.") for place in places)
