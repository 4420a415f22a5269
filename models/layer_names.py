"""The names of a model's layers: their own, their paths, and those of the layers around them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Level:
    """A layer, or what it is in.

    Attributes:
        names: by which it can be addressed: its own, with the layers around it, as in
            `block/dense`, and Keras' path.
        layers: itself; or, of a layer that is in several places, what it is in there.
    """

    names: set[str] = field(default_factory=set)
    layers: "list[keras.Layer]" = field(default_factory=list, compare=False)


def levels_of_layers(model: "keras.Model") -> dict[int, list[Level]]:
    """For each layer in a model, by id: itself, the layer or nested model that contains it, and so
    on.

    Args:
        model: any Keras model.
    """
    found = {}
    for chain in _chains(model):
        levels = found.setdefault(id(chain[0]), [])
        levels += [Level() for _ in range(len(chain) - len(levels))]
        for level, (number, layer) in zip(levels, enumerate(chain), strict=False):
            names = {layer.name, layer.path, _long_name(chain[number:])} - {None}
            level.names.update(names)
            level.layers.append(layer)
    return found


def unique_names(model: "keras.Model", layers: "Sequence[keras.Layer]") -> dict[int, str]:
    """A unique name for each of these layers, by id: its own, or, if several share that, with the
    names of the layers around it. Unlike Keras' paths, they are the same in a copy of the model.

    Args:
        model: the Keras model that the layers are in.
        layers: a list of them.
    """
    long_names = {}
    for chain in _chains(model):
        long_names.setdefault(id(chain[0]), _long_name(chain))
    counts = Counter(layer.name for layer in layers)
    found, taken = {}, Counter()
    for layer in layers:
        name = layer.name if counts[layer.name] == 1 else long_names.get(id(layer), layer.name)
        taken[name] += 1
        found[id(layer)] = name if taken[name] == 1 else f"{name}#{taken[name]}"
    return found


def layers_in_order(model: "keras.Model") -> "list[keras.Layer]":
    """All layers in a model and its nested models, in the order in which they were added."""
    return [chain[0] for chain in _chains(model)]


def _long_name(chain):
    return "/".join(layer.name for layer in reversed(chain))


def _chains(layer, around=()):
    """Every layer in a layer, with the layers around it, the innermost first."""
    for inner in layer._layers:
        if not any(inner is each for each in around):
            chain = (inner, *around)
            yield chain
            yield from _chains(inner, chain)
