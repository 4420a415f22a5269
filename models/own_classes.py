"""Methods of a user's model class that copies must not lose silently."""

import inspect
from collections.abc import Iterable

import keras

from ..utils import warn_user

CALL_METHODS = ("call", "__call__")
TRAINING_METHODS = (
    *("fit", "evaluate", "predict", "train_step", "test_step", "predict_step"),
    *("compute_loss", "compute_metrics", "make_train_function"),
)


def own_methods(model: keras.Model, names: Iterable[str]) -> list[str]:
    """Those of these methods that a model's class overrides."""
    methods = {name: getattr(type(model), name, None) for name in names}
    return [name for name, method in methods.items() if method and not _is_of_keras(method)]


def _is_of_keras(value):
    return (getattr(value, "__module__", None) or "").partition(".")[0] == "keras"


def is_own_graph(model: keras.Model) -> bool:
    """Whether a model is a functional or sequential one of the user's class."""
    is_graph = isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth")
    return is_graph and not _is_of_keras(type(model))


def has_own_config(model: keras.Model) -> bool:
    """Whether a model's class defines how it is made from a config."""
    return bool(own_methods(model, ("get_config", "from_config")))


def class_for(model: keras.Model, base: type) -> type:
    """The class for a rewritten model: that of the original, or `base` if that is impossible.

    Args:
        model: a functional or sequential model.
        base: `keras.Model` or `keras.Sequential`, whose arguments the class must take.
    """
    kind = type(model)
    is_like = issubclass(kind, keras.Sequential) == (base is keras.Sequential)
    return kind if is_own_graph(model) and is_like and _takes_arguments_of(kind, base) else base


def _takes_arguments_of(kind, base):
    """Whether a class takes the same constructor arguments as a Keras class."""
    wanted = ["layers", "trainable", "name"] if base is keras.Sequential else ["inputs", "outputs"]
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    kinds = {p.kind for p in parameters}
    takes_all = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds
    needs_more = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    fits = positional[: len(wanted)] == wanted or (takes_all and not positional)
    return fits and not needs_more


def check_keeps_call(model: keras.Model, copy: keras.Model) -> None:
    """Makes sure that a copy has not lost an overridden `call`.

    Raises:
        ValueError: if it has.
    """
    lost = own_methods(model, CALL_METHODS)
    if lost and type(copy) is not type(model):
        raise ValueError(
            f"{model.name!r} ({type(model).__name__}) cannot be copied with its own `{lost[0]}`; "
            "the class needs `get_config` and `from_config`, as for saving."
        )


def warn_of_lost_methods(model: keras.Model, copy: keras.Model) -> None:
    """Warns if a copy is a plain Keras model without the original's own training methods."""
    lost = own_methods(model, TRAINING_METHODS)
    if lost and type(copy) is not type(model):
        listed = ", ".join(f"`{name}`" for name in lost)
        warn_user(
            f"The returned model is a plain Keras model without the {listed} of "
            f"{type(model).__name__}. To keep the class, give it `get_config` and `from_config`, "
            "or a constructor that takes inputs and outputs."
        )
