"""Copies of Keras layers and models, including those with the user's own code."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from ..utils import UsageError, one_line
from .lora import enable_as_in
from .own_classes import check_keeps_call, has_own_config, is_own_graph
from .vocabularies import with_vocabularies


@contextlib.contextmanager
def custom_objects_of(model: keras.Model) -> Iterator[None]:
    """Within the block, Keras finds the classes and functions that a model uses, and configs hold
    vocabularies.

    To copy a layer, Keras looks them up by name; without this it finds registered ones only.

    Raises:
        ValueError: if two have the same name.
    """
    with keras.saving.CustomObjectScope(_unregistered(model)), with_vocabularies(model):
        yield


def _unregistered(model):
    """The classes and functions of a model that are not registered with Keras, by name."""
    values = [*_values(model), *_compiled_with(model)]
    for layer in model._flatten_layers(include_self=False):
        values += _values(layer)
    by_name = {}
    for each in (each for value in values for each in (value, type(value))):
        if inspect.isfunction(each) or inspect.isclass(each):
            by_name.setdefault(each.__name__, set()).add(each)
    # Lambdas are not looked up by name.
    own = {
        name: {each for each in kinds if not _is_known(each)}
        for name, kinds in by_name.items()
        if name != "<lambda>"
    }
    clashing = [name for name, kinds in own.items() if kinds and len(by_name[name]) > 1]
    if clashing:
        raise ValueError(
            f"{model.name!r} cannot be copied: two of the classes and functions that it uses are "
            f"called {clashing[0]!r}; decorate your own with "
            "keras.saving.register_keras_serializable(), or rename it."
        )
    return {name: kinds.pop() for name, kinds in own.items() if kinds}


def _values(layer):
    """A layer and its callable attributes, except methods: Keras wraps each layer's `build`."""
    values = (value for value in vars(layer).values() if callable(value))
    return [layer, *(value for value in values if not _is_method_of(layer, value))]


def _is_method_of(layer, value):
    return getattr(inspect.unwrap(value), "__self__", None) is layer


def _compiled_with(model):
    """Loss, metrics and so on: all arguments of `compile`, flattened."""
    if not model.compiled or not hasattr(model, "_compile_config"):
        return []
    return keras.tree.flatten(model._compile_config.config)


def _is_known(kind):
    """Whether a class or function is of Keras or Python, or has been registered with Keras."""
    is_built_in = (kind.__module__ or "builtins").partition(".")[0] in (
        "keras",
        "builtins",
        "functools",
    )
    return is_built_in or keras.saving.get_registered_name(kind) != kind.__name__


def copy_of_layer(layer: keras.Layer, config: dict[str, Any] | None = None) -> keras.Layer:
    """A new layer of the same kind, without weights.

    Args:
        layer: any Keras layer.
        config: of the new layer; by default that of `layer`.

    Raises:
        ValueError: if it cannot be copied.
    """
    if isinstance(layer, keras.layers.Lambda):
        # Its config holds code, which Keras runs in unsafe mode only.
        return keras.layers.Lambda(
            layer.function,
            output_shape=layer._output_shape,
            mask=layer.mask,
            arguments=layer.arguments,
            name=layer.name,
            dtype=layer.dtype_policy,
        )
    config = config_of(layer) if config is None else config
    with _explained(layer):
        return type(layer).from_config(config)


def config_of(layer: keras.Layer) -> dict[str, Any]:
    """A layer's config.

    Raises:
        ValueError: if it has none.
    """
    with _explained(layer):
        return layer.get_config()


class CannotCopyError(ValueError):
    """A layer or model cannot be copied; the message says why."""


@contextlib.contextmanager
def _explained(original):
    """Makes one sentence of Keras' errors when a layer or model cannot be copied."""
    try:
        yield
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        if isinstance(error, ValueError) and "cannot be copied" in str(error):
            raise
        raise CannotCopyError(
            f"{original.name!r} ({type(original).__name__}) cannot be copied "
            f"({one_line(error, 200)}); your own class needs `get_config` and `from_config`, as "
            "for saving."
        ) from error


def check_built(model: Any, argument: str = "model") -> None:
    """Makes sure that a value is a built Keras model.

    Args:
        model: anything.
        argument: its name in messages.

    Raises:
        UsageError: (a ValueError) if it is not a Keras model.
        ValueError: if it is not built.
    """
    if not isinstance(model, keras.Model):
        raise UsageError(
            f"{argument}: {type(model).__name__} is not a Keras model; build one, or load it with "
            "keras.saving.load_model(path)."
        )
    if not model.built:
        raise ValueError(
            f"{model.name!r} has no weights yet; build it first, for example by calling it on a "
            "batch of data."
        )


def copy_of_model(model: keras.Model) -> keras.Model:
    """A model of the same architecture with the same weights, compiled in the same way.

    A functional or sequential model of the user's class keeps that class if possible, and is a
    plain one otherwise.

    Raises:
        ValueError: if it cannot be copied, such as a subclassed model without `get_config`.
    """
    with custom_objects_of(model), _explained(model):
        copy = _of_own_class(model) or _clone(model)
        check_keeps_call(model, copy)
        if not copy.built:
            copy.build_from_config(model.get_build_config())
        enable_as_in(model, copy)
        for variable, own in zip(copy.weights, in_order_of(copy.weights, model), strict=True):
            # A copy: JAX arrays would be shared, and `predict` deletes some.
            variable.assign(keras.ops.copy(own.value))
    refresh(copy)
    return copy


def _of_own_class(model):
    """A new model from its config, if it is of the user's class, which Keras would clone as a plain
    model; None if it is not, or that fails."""
    if not is_own_graph(model) or not (
        has_own_config(model) or isinstance(model, keras.Sequential)
    ):
        return None
    try:
        copy = type(model).from_config(model.get_config())
        enable_as_in(model, copy)
        if [v.shape for v in copy.weights] != [v.shape for v in model.weights]:
            return None
        if model.compiled:
            copy.compile_from_config(model.get_compile_config())
    except Exception:  # anything, from the user's class; Keras clones the graph instead
        return None
    return copy


def _clone(model):
    layers = model._flatten_layers(include_self=False)
    has_code = any(isinstance(layer, keras.layers.Lambda) for layer in layers)
    # Only if needed: subclassed models take no function.
    how = {"clone_function": copy_of_layer, "recursive": True} if has_code else {}
    return keras.models.clone_model(model, **how)


def in_order_of(variables: Sequence[keras.Variable], model: keras.Model) -> list[keras.Variable]:
    """The weights of a model in the order of those of a model made from its config.

    The two orders may differ for layers that Keras has quantized after they were built.
    """
    paths = [variable.path for variable in variables]
    by_path = {variable.path: variable for variable in model.weights}
    is_clear = len(by_path) == len(paths) and {*paths} == {*by_path}
    return [by_path[path] for path in paths] if is_clear else model.weights


def refresh(model: keras.Model) -> None:
    """Makes layers use weights that have been assigned: `Normalization` holds copies of them.
    (Other layers with `adapt` would lose their state.)"""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
