"""Mixtures of examples, from whose outputs a model learns more than from a few examples' alone.

Labels are not needed for it, as the dense model answers for mixtures, too (mixup: Zhang et al.,
2018, arXiv:1710.09412; in distillation: Beyer et al., 2022, arXiv:2106.05237).
"""

from typing import Any

import keras
import numpy as np

# So many for each example, as long as their inputs are no more numbers than these together.
NUMBER, MOST_NUMBERS, CHUNK = 2, 2**27, 1024


def can_be_mixed(model: keras.Model, x: Any) -> bool:
    """Whether the means of inputs are inputs of a model: numbers that are no indices, whose
    statistics it does not keep, and not too large."""
    excluded = keras.layers.Embedding, keras.layers.BatchNormalization
    if any(isinstance(layer, excluded) for layer in model._flatten_layers(include_self=False)):
        return False
    are_floats = all(np.asarray(array[:1]).dtype.kind == "f" for array in keras.tree.flatten(x))
    return are_floats and _times(x) > 0


def mixtures(x: Any, number: int, random: np.random.Generator) -> Any:
    """Weighted means of pairs of examples, with weights between 0 and 1.

    Args:
        x: an array of shape (examples, ...), or several.
        number: how many examples these are.
        random: decides the pairs and their weights.

    Returns:
        The same for the mixtures; `NUMBER` times as many, or fewer if they are too large.
    """
    first, second = (
        np.concatenate([random.permutation(number) for _ in range(_times(x))]) for _ in range(2)
    )
    weights = random.random(len(first))

    def mixed(array):
        array = np.asarray(array)
        found = np.empty((len(first), *array.shape[1:]), array.dtype)
        shares = weights.astype(array.dtype).reshape(-1, *[1] * (array.ndim - 1))
        for start in range(0, len(first), CHUNK):
            chunk = slice(start, start + CHUNK)
            one, other, share = array[first[chunk]], array[second[chunk]], shares[chunk]
            found[chunk] = share * one + (1 - share) * other
        return found

    return keras.tree.map_structure(mixed, x)


def _times(x):
    return min(NUMBER, MOST_NUMBERS // max(1, sum(map(np.size, keras.tree.flatten(x)))))
