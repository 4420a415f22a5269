"""Configs of Keras models in `.npk` files: written without defaults, and built again safely."""

import contextlib
import copy
import inspect
from typing import Any

import keras
from keras.src.backend.common import global_state

from ..models.copies import in_order_of
from ..models.lora import has_adapters
from ..models.vocabularies import with_vocabularies
from . import npk_file
from .npk_sources import check_sources
from .quantization import is_quantized

MERGE_ADAPTERS = (
    "LoRA adapters within layers such as attention are not told by their configs. Keras merges "
    "them into the kernels when it saves and loads a model: save what model.save and "
    "keras.saving.load_model return."
)


def plain_config(model: keras.Model) -> dict[str, Any]:
    """The config of a Keras model without default values."""
    with with_vocabularies(model):
        return _plain(keras.saving.serialize_keras_object(model))


def built(config: dict[str, Any]) -> keras.Model:
    """The Keras model of a config.

    Raises:
        ValueError: if it needs classes that are not allowed, or is not of a built model.
    """
    check_sources(config)
    config = copy.deepcopy(config)  # Keras changes it
    model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    if not isinstance(model, keras.Model) or not model.built:
        raise ValueError("it is not of a built model")
    return model


def variables(config: dict[str, Any]) -> list[keras.Variable]:
    """The weights of a config's model, without memory for them: a config may claim any size."""
    with _without_memory():
        return built(config).weights


def check_loadable(model: keras.Model) -> None:
    """Makes sure that a model can be loaded again after it is saved.

    Raises:
        ValueError: if not; the message says why.
    """
    try:
        config = plain_config(model)
        found = variables(config)
    except Exception as error:  # Keras and the user's classes may raise anything
        raise ValueError(
            f"The model could not be loaded again: {npk_file.reason(error)}."
        ) from error
    weights = in_order_of(found, model) if is_quantized(model) else model.weights
    if [tuple(each.shape) for each in found] != [tuple(each.shape) for each in weights]:
        raise ValueError(
            "The model could not be loaded again: it would have other weights"
            + (f". {MERGE_ADAPTERS}" if has_adapters(model) else ".")
        )


@contextlib.contextmanager
def _without_memory():
    """A context in which models have shapes of weights but no weights."""
    waiting = "uninitialized_variables"  # initialized at the end of a scope, in memory
    before = list(global_state.get_global_attribute(waiting) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(waiting, before)


def _plain(config):
    """A Keras config without default values, and without what only training needs."""
    if isinstance(config, (list, tuple)):
        return [_plain(each) for each in config]
    if not isinstance(config, dict):
        return config
    config = {key: _plain(value) for key, value in config.items()}
    if config.get("registered_name", "") is None:
        del config["registered_name"]
    config.pop("compile_config", None)
    if str(config.get("module", "")).startswith("keras"):
        config.pop("build_config", None)
        config["config"] = _without_defaults(config)
    return config


def _without_defaults(config):
    """The arguments of a config's class without initializers and those at their defaults; all
    arguments if the class cannot be made without these."""
    defaults = _defaults(config)
    fewer = {
        key: value
        for key, value in config["config"].items()
        if not (key in defaults and (key.endswith("_initializer") or value == defaults[key]))
    }
    return fewer if not defaults or _suffices(config, fewer) else config["config"]


def _suffices(config, arguments):
    """Whether a layer can be made of these arguments: some classes require all of them."""
    kind = getattr(keras.layers, config["class_name"])
    if kind.from_config.__func__ is keras.Layer.from_config.__func__:
        return True  # which only calls the class
    try:
        kind.from_config(copy.deepcopy(arguments))
    except Exception:  # Keras and unknown classes may raise anything
        return False
    return True


def _defaults(config):
    """The default arguments of a config's class, if it is a Keras layer."""
    kind = getattr(keras.layers, config["class_name"], None)
    if kind is None or config["module"] != "keras.layers":
        return {}
    parameters = inspect.signature(kind.__init__).parameters.values()
    defaults = {each.name: each.default for each in parameters} | {"trainable": True}
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()
    }
