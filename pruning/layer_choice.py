"""Which layers of a Keras model users mean: by name, pattern, function or the layer itself, with
all layers within them."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras

from ..models.layer_names import Level, layers_in_order, levels_of_layers
from ..utils import UsageError, one_line

if TYPE_CHECKING:
    from ..models.kernels import Kernel

# A name, a path such as `encoder/block_3`, or a pattern of these such as `block1_*`; a compiled
# regular expression, found anywhere in a name; a layer, or a class of layers; a function that is
# true of a layer.
Meant: TypeAlias = "str | re.Pattern | keras.Layer | type | Callable[[keras.Layer], bool]"
Excluded: TypeAlias = "Meant | Sequence[Meant]"


def in_copy(given: Any, model: keras.Model, copy: keras.Model) -> Any:
    """What is meant in a model, alone, in a list, or as keys, with the layers of its copy."""
    pairs = zip(layers_in_order(model), layers_in_order(copy), strict=True)
    own = {id(layer): other for layer, other in pairs}
    if isinstance(given, Mapping):
        return {own.get(id(meant), meant): value for meant, value in given.items()}
    if is_list(given):
        return [own.get(id(meant), meant) for meant in given]
    return own.get(id(given), given)


def is_list(given: Any) -> bool:
    """Whether several are given, rather than one that can be meant."""
    return isinstance(given, Iterable) and not can_be_meant(given)


def can_be_meant(given: Any) -> bool:
    """Whether layers can be meant by this, of whatever model."""
    return isinstance(given, (str, re.Pattern)) or callable(given)


class LayerChoice:
    """Finds layers by what users give.

    Args:
        model: the Keras model.
        kernels: its `Kernel`s, whose names may be given too.
    """

    def __init__(self, model: keras.Model, kernels: "Sequence[Kernel]") -> None:
        self.model, self.levels = model, levels_of_layers(model)
        self.names_of_kernels = {kernel.name for kernel in kernels}

    def distance(self, kernel: "Kernel", meant: Meant) -> float | None:
        """How many levels above a kernel's layer the layer is that is meant: 0 for the layer
        itself, half a level more if not by its name; None if it does not contain it."""
        levels = self.levels.get(id(kernel.layer), [])
        own = Level({kernel.name, *(levels[0].names if levels else ())}, [kernel.layer])
        for number, level in enumerate([own, *levels[1:]]):
            if _is_in(level, meant):
                by_name = isinstance(meant, keras.Layer) or meant in level.names
                return number if by_name else number + 0.5
        return None

    def checked(self, exclude: "Excluded | None") -> tuple[Meant, ...]:
        """What is meant by `exclude`, as a tuple.

        Raises:
            UsageError: if it is anything else, or a name, a pattern or a layer is not in the model.
        """
        if exclude is None:
            return ()
        several: Any = exclude if is_list(exclude) else (exclude,)
        found = tuple(several)
        for meant in found:
            self._check(meant)
        return found

    def _check(self, meant):
        if not can_be_meant(meant):
            raise UsageError(
                f"exclude: {meant!r} is not the name of a layer; give names or patterns, such as "
                "'block1_*', layers, their classes, or functions of a layer."
            )
        if callable(meant) and not isinstance(meant, keras.Layer):
            return
        every = [level for levels in self.levels.values() for level in levels]
        if any(_is_in(level, meant) for level in [Level(self.names_of_kernels), *every]):
            return
        if isinstance(meant, keras.Layer):
            raise UsageError(f"exclude: the layer {meant.name!r} is not in {self.model.name!r}.")
        text = meant if isinstance(meant, str) else meant.pattern
        raise UsageError(f"exclude: {text!r} matches no layer of {self.model.name!r}.")

    def is_meant(self, layer: keras.Layer, every: Iterable["Meant"], *names: str) -> bool:
        """Whether a layer, or a layer or model that contains it, is among what is meant.

        Args:
            layer: the layer.
            every: from `checked`.
            names: further names of the layer.
        """
        levels = [Level({*names}), *self.levels.get(id(layer), ())]
        return any(_is_in(level, meant) for meant in every for level in levels)


def _is_in(level: Level, meant):
    """Whether one of the layers of a level is meant."""
    if isinstance(meant, keras.Layer):
        return any(layer is meant for layer in level.layers)
    if isinstance(meant, re.Pattern):
        return any(meant.search(name) for name in level.names)
    if isinstance(meant, str):
        return any(name == meant or fnmatch.fnmatchcase(name, meant) for name in level.names)
    if isinstance(meant, type):
        return any(isinstance(layer, meant) for layer in level.layers)
    return any(_is_true_of(meant, layer) for layer in level.layers)


def _is_true_of(function, layer):
    try:
        return function(layer)
    except Exception as error:  # of the user's function: anything
        raise UsageError(
            f"The function that chooses layers fails for {layer.name!r} ({type(layer).__name__}): "
            f"{one_line(error, 100)}."
        ) from error
