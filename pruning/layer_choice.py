"""Which layers of a Keras model a name refers to: those of that name, and all within them."""

import fnmatch
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..models.layer_names import names_of_layers
from ..utils import UsageError

if TYPE_CHECKING:
    import keras

    from ..models.kernels import Kernel


class LayerChoice:
    """Finds layers by the names that users give.

    Args:
        model: the Keras model.
        kernels: its `Kernel`s, whose names may be given too.
    """

    def __init__(self, model: "keras.Model", kernels: "Sequence[Kernel]") -> None:
        self.model = model
        self.names = names_of_layers(model)
        self.names_of_kernels = {kernel.name for kernel in kernels}

    def distance(self, kernel: "Kernel", name: str) -> int | None:
        """How many levels above a kernel's layer the layer of this name is: 0 for the layer itself;
        None if it does not contain it."""
        if name == kernel.name:
            return 0
        levels = enumerate(self.names.get(id(kernel.layer), ()))
        return next((number for number, names in levels if name in names), None)

    def patterns(self, exclude: str | Iterable[str]) -> tuple[str, ...]:
        """The layers to exclude, as a tuple of names or patterns.

        Raises:
            UsageError: if it is anything else, or one matches no layer.
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
                raise UsageError(f"exclude: {pattern!r} matches no layer of {self.model.name!r}.")
        return patterns

    def is_meant(self, layer: "keras.Layer", patterns: Iterable[str], *names: str) -> bool:
        """Whether one of these patterns matches a layer, or a layer or model that contains it.

        Args:
            layer: the layer.
            patterns: names or patterns.
            names: further names of the layer.
        """
        all_names = set(names).union(*self.names.get(id(layer), ()))
        return any(_matches(name, pattern) for name in all_names for pattern in patterns)


def _matches(name, pattern):
    return name == pattern or fnmatch.fnmatchcase(name, pattern)
