"""The names of a model's layers: each goes by its own, its path, and those of what it is in."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def names_of_layers(model: "keras.Model") -> dict[int, list[set[str]]]:
    """What every layer within a model may be called, from itself to the layers around it.

    Args:
        model: any Keras model.

    Returns:
        For each layer, by id, a list of sets of names: its own, those with the layers around it, as
        in `block/dense`, and Keras' path; then those of the layer or nested model that it is in,
        and so on. A layer in several places has all of theirs.
    """
    found = {}
    for chain in _chains(model):
        levels = found.setdefault(id(chain[0]), [])
        levels += [set() for _ in range(len(chain) - len(levels))]
        for number, layer in enumerate(chain):
            levels[number] |= {layer.name, layer.path, _long_name(chain[number:])} - {None}
    return found


def unique_names(model: "keras.Model", layers: "Sequence[keras.Layer]") -> dict[int, str]:
    """A name for each of these layers, by id: its own; where several have that, one with the names
    of the layers around it, which is the same in a copy of the model, as Keras' path is not.

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
    """All layers within a model, in the order in which they have been added, also in others."""
    return [chain[0] for chain in _chains(model)]


def _long_name(chain):
    return "/".join(layer.name for layer in reversed(chain))


def _chains(layer, around=()):
    """Every layer within a layer, with those around it, the innermost first."""
    for inner in layer._layers:
        if not any(inner is each for each in around):
            chain = (inner, *around)
            yield chain
            yield from _chains(inner, chain)
