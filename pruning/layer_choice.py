"""Which layers of a Keras model a name means: those that are called so, and all within them."""

import fnmatch
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..models.layer_names import names_of_layers
from ..utils import UsageError

if TYPE_CHECKING:
    import keras

    from ..models.kernels import Kernel


class LayerChoice:
    """Names of layers, as the user gives them.

    Args:
        model: the Keras model.
        kernels: its `Kernel`s, whose names count too.
    """

    def __init__(self, model: "keras.Model", kernels: "Sequence[Kernel]") -> None:
        self.model = model
        self.names = names_of_layers(model)
        self.names_of_kernels = {kernel.name for kernel in kernels}

    def distance(self, kernel: "Kernel", name: str) -> int | None:
        """How many layers around a kernel's layer the one of this name is: 0 for the layer itself;
        None if it is none of them."""
        if name == kernel.name:
            return 0
        levels = enumerate(self.names.get(id(kernel.layer), ()))
        return next((number for number, names in levels if name in names), None)

    def patterns(self, exclude: str | Iterable[str]) -> tuple[str, ...]:
        """What is not to be pruned, as a tuple of names or patterns.

        Raises:
            UsageError: if it is anything else, or one is that of no layer.
        """
        if exclude is None:
            return ()
        is_list = isinstance(exclude, Iterable) and not isinstance(exclude, str)
        patterns: tuple[Any, ...] = tuple(exclude) if is_list else (exclude,)
        names = self.names_of_kernels.union(*(n for levels in self.names.values() for n in levels))
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise UsageError(
                    f"exclude: {pattern!r} is not the name of a layer; give names or patterns, such"
                    " as 'block1_*'."
                )
            if not any(_matches(name, pattern) for name in names):
                raise UsageError(
                    f"exclude: {pattern!r} is the name of no layer of {self.model.name!r}."
                )
        return patterns

    def is_meant(self, layer: "keras.Layer", patterns: Iterable[str], *names: str) -> bool:
        """Whether one of these patterns means a layer, or what it is in.

        Args:
            layer: the layer.
            patterns: names or patterns.
            names: further names by which it goes.
        """
        all_names = set(names).union(*self.names.get(id(layer), ()))
        return any(_matches(name, pattern) for name in all_names for pattern in patterns)


def _matches(name, pattern):
    return name == pattern or fnmatch.fnmatchcase(name, pattern)
