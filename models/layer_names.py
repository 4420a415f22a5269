"""The names of a model's layers: each goes by its own, its path, and those of what it is in."""

from collections import Counter


def names_of_layers(model):
    """What every layer within a model may be called, from itself to the layers around it.

    Args:
        model: any Keras model.

    Returns:
        For each layer, by id, a list of sets of names: its own name and path, then those of the
        layer or nested model that it is in, and so on. A layer in several places has all of theirs.
    """
    found = {}
    for chain in _chains(model):
        levels = found.setdefault(id(chain[0]), [])
        levels += [set() for _ in range(len(chain) - len(levels))]
        for level, layer in zip(levels, chain, strict=False):
            level |= {layer.name, layer.path} - {None}
    return found


def unique_names(model, layers):
    """A name for each of these layers, by id: its own; where several have that, its path; where
    several have that too, as in nested functional models, one with the names around it.

    Args:
        model: the Keras model that the layers are in.
        layers: a list of them.
    """
    chains = {
        id(chain[0]): "/".join(layer.name for layer in chain[::-1]) for chain in _chains(model)
    }
    kinds = [
        {id(layer): layer.name for layer in layers},
        {id(layer): layer.path or layer.name for layer in layers},
        {id(layer): chains.get(id(layer), layer.name) for layer in layers},
    ]
    counts = [Counter(names.values()) for names in kinds]
    found = {}
    for each in (id(layer) for layer in layers):
        fitting = (n[each] for n, count in zip(kinds, counts, strict=True) if count[n[each]] == 1)
        found[each] = next(fitting, None) or _numbered(kinds[-1][each], found.values())
    return found


def _numbered(name, taken):
    number = 2
    longer = name
    while longer in taken:
        longer, number = f"{name}#{number}", number + 1
    return longer


def _chains(layer, around=()):
    """Every layer within a layer, with those around it, the innermost first."""
    for inner in layer._layers:
        if not any(inner is each for each in around):
            chain = (inner, *around)
            yield chain
            yield from _chains(inner, chain)
