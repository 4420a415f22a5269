"""Copies of Keras layers and models, also of those that are made with code of the user's own."""

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from ..utils import UsageError, one_line
from .own_classes import check_answers_alike, has_own_config, is_own_graph
from .vocabularies import with_vocabularies


@contextlib.contextmanager
def knowing(model: keras.Model) -> Iterator[None]:
    """While it lasts, Keras finds the classes and functions that a model is made with, and configs
    hold vocabularies.

    To copy a layer Keras looks them up by name, which only those find that are registered.

    Raises:
        ValueError: if two go by one name, so that one would stand in for the other.
    """
    with keras.saving.CustomObjectScope(_unregistered(model)), with_vocabularies(model):
        yield


def _unregistered(model):
    """The classes and functions of a model that neither Keras nor its register knows, by name."""
    values = [*_values(model), *_compiled_with(model)]
    for layer in model._flatten_layers(include_self=False):
        values += _values(layer)
    by_name = {}
    for each in (each for value in values for each in (value, type(value))):
        if inspect.isfunction(each) or inspect.isclass(each):
            by_name.setdefault(each.__name__, set()).add(each)
    # Functions without a name of their own are not looked up.
    own = {
        name: {each for each in kinds if not _is_known(each)}
        for name, kinds in by_name.items()
        if name != "<lambda>"
    }
    clashing = [name for name, kinds in own.items() if kinds and len(by_name[name]) > 1]
    if clashing:
        raise ValueError(
            f"{model.name!r} cannot be copied: two of the classes and functions that it is made "
            f"with are called {clashing[0]!r}; decorate your own with "
            "keras.saving.register_keras_serializable(), or rename it."
        )
    return {name: kinds.pop() for name, kinds in own.items() if kinds}


def _values(layer):
    """A layer and what it calls, but for its own methods: Keras wraps `build` of every layer."""
    values = (value for value in vars(layer).values() if callable(value))
    return [layer, *(value for value in values if not _is_method_of(layer, value))]


def _is_method_of(layer, value):
    return getattr(inspect.unwrap(value), "__self__", None) is layer


def _compiled_with(model):
    """Loss, metrics and the like, wherever they are in what was given to `compile`."""
    if not model.compiled or not hasattr(model, "_compile_config"):
        return []
    return keras.tree.flatten(model._compile_config.config)


def _is_known(kind):
    """Whether Keras or Python bring it, or it has been registered with Keras."""
    brought = (kind.__module__ or "builtins").partition(".")[0] in (
        "keras",
        "builtins",
        "functools",
    )
    return brought or keras.saving.get_registered_name(kind) != kind.__name__


def copy_of_layer(layer: keras.Layer, config: dict[str, Any] | None = None) -> keras.Layer:
    """A new layer of the same kind, without weights.

    Args:
        layer: any Keras layer.
        config: what it is made with, if not as `layer` was.

    Raises:
        ValueError: if that cannot be.
    """
    if isinstance(layer, keras.layers.Lambda):
        # Its config holds code, which Keras does not run without being asked to.
        return keras.layers.Lambda(
            layer.function,
            output_shape=layer._output_shape,
            mask=layer.mask,
            arguments=layer.arguments,
            name=layer.name,
            dtype=layer.dtype_policy,
        )
    with _explained(layer):
        return type(layer).from_config(layer.get_config() if config is None else config)


@contextlib.contextmanager
def _explained(thing):
    """Makes one sentence of what Keras says where a layer or model cannot be copied."""
    try:
        yield
    except (NotImplementedError, TypeError, ValueError) as error:
        if isinstance(error, ValueError) and "cannot be copied" in str(error):
            raise
        raise ValueError(
            f"{thing.name!r} ({type(thing).__name__}) cannot be copied ({one_line(error, 200)}); a "
            "class of your own needs `get_config` and `from_config`, as for saving it."
        ) from error


def check_built(model: Any, argument: str = "model") -> None:
    """Makes sure that something is a Keras model with weights.

    Args:
        model: anything.
        argument: what the user calls it.

    Raises:
        UsageError: (a ValueError) if it is none.
        ValueError: if it has no weights yet.
    """
    if not isinstance(model, keras.Model):
        raise UsageError(
            f"{argument}: {type(model).__name__} is no Keras model; build one, or load it with "
            "keras.saving.load_model(path)."
        )
    if not model.built:
        raise ValueError(
            f"{model.name!r} has no weights yet: build it first, for example by calling it on a "
            "batch of data."
        )


def copy_of_model(model: keras.Model) -> keras.Model:
    """A model of the same architecture with the same weights, compiled as the other one is.

    A functional or sequential model of a class of the user's is of that class again where that can
    be, and else a plain one.

    Raises:
        ValueError: if that cannot be, as with a subclassed model without `get_config`.
    """
    with knowing(model), _explained(model):
        copy = _of_own_class(model) or _clone(model)
        check_answers_alike(model, copy)
        if not copy.built:
            copy.build_from_config(model.get_build_config())
        weights = in_order_of(copy.weights, model)
        # As NumPy arrays: those of JAX would be shared, and some are deleted by `predict`.
        copy.set_weights([keras.ops.convert_to_numpy(variable.value) for variable in weights])
    refresh(copy)
    return copy


def _of_own_class(model):
    """A new model from its config, for a class of the user's that Keras would clone as a plain one;
    None where that is no matter or does not succeed."""
    if not is_own_graph(model) or not (
        has_own_config(model) or isinstance(model, keras.Sequential)
    ):
        return None
    try:
        copy = type(model).from_config(model.get_config())
        if [v.shape for v in copy.weights] != [v.shape for v in model.weights]:
            return None
        if model.compiled:
            copy.compile_from_config(model.get_compile_config())
    except Exception:  # of the user's class: anything; Keras clones the graph without it
        return None
    return copy


def _clone(model):
    layers = model._flatten_layers(include_self=False)
    has_code = any(isinstance(layer, keras.layers.Lambda) for layer in layers)
    # Only where it is needed: subclassed models take no function.
    how = {"clone_function": copy_of_layer, "recursive": True} if has_code else {}
    return keras.models.clone_model(model, **how)


def in_order_of(variables: Sequence[keras.Variable], model: keras.Model) -> list[keras.Variable]:
    """The weights of a model in the order of those of another one that was made of its config.

    That of layers that Keras has quantized after their weights were made may be another.
    """
    paths = [variable.path for variable in variables]
    by_path = {variable.path: variable for variable in model.weights}
    is_clear = len(by_path) == len(paths) and {*paths} == {*by_path}
    return [by_path[path] for path in paths] if is_clear else model.weights


def refresh(model: keras.Model) -> None:
    """Makes layers compute with the weights that they have been given: `Normalization` holds copies
    of them. (Other layers that are adapted would forget what they learned.)"""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
