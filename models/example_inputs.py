"""One example of zeros, as a model takes it."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import keras

from ..utils import UsageError


def zeros_for(model: keras.Model, shapes: Any = None) -> Any:
    """A batch of one example of zeros; None where sizes are open, or texts are taken.

    Args:
        model: a built Keras model.
        shapes: the shape of one example, such as (224, 224, 3), for sizes that the model leaves
            open; of a model with several inputs a list of shapes, or a dictionary by the names of
            the inputs.

    Raises:
        UsageError: if these are no shapes, or not those that the model takes.
    """
    # Also of a model with a `call` of its own, whose inputs are known all the same.
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(graph, "_inputs_struct"):
        return _zeros_for_subclassed(model, shapes)
    tensors = graph.inputs
    sizes = [tuple(tensor.shape[1:]) for tensor in tensors]
    if shapes is not None:
        sizes = _agreed(tensors, sizes, _by_input(tensors, shapes))
    if any(None in shape for shape in sizes) or any(t.dtype == "string" for t in tensors):
        return None
    zeros = [
        keras.ops.zeros((1, *shape), tensor.dtype)
        for shape, tensor in zip(sizes, tensors, strict=True)
    ]
    return keras.tree.pack_sequence_as(graph._inputs_struct, zeros)


def _zeros_for_subclassed(model, shapes):
    known = (model.get_build_config() or {}).get("input_shape")
    if isinstance(known, (tuple, list)) and None not in keras.tree.flatten(known[1:]):
        shape = tuple(known[1:])
        if shapes is not None and tuple(_sizes(shapes)) != shape:
            raise _not_taken(shapes, f"the model's input of {shape}")
        return keras.ops.zeros((1, *shape))
    if shapes is None:
        return None
    if isinstance(shapes, Mapping):
        return {name: keras.ops.zeros((1, *_sizes(shape))) for name, shape in shapes.items()}
    if _are_several(shapes):
        return [keras.ops.zeros((1, *_sizes(shape))) for shape in shapes]
    return keras.ops.zeros((1, *_sizes(shapes)))


def _by_input(tensors, shapes):
    """The shape for each input of a model; None for those without."""
    if isinstance(shapes, Mapping):
        names = [tensor.name for tensor in tensors]
        for name in shapes:
            if name not in names:
                listed = ", ".join(names)
                raise UsageError(f"input_shape: {name!r} is no input of the model: {listed}.")
        return [shapes.get(name) for name in names]
    found = list(shapes) if _are_several(shapes) else [shapes]
    if len(found) != len(tensors):
        raise UsageError(
            f"input_shape: {shapes!r} is of {len(found)}, but the model has {len(tensors)} inputs; "
            "give a list with a shape for each, or a dictionary by name."
        )
    return found


def _are_several(shapes):
    return isinstance(shapes, (list, tuple)) and any(isinstance(s, (list, tuple)) for s in shapes)


def _agreed(tensors, known, given):
    """The sizes of each input, known or given."""
    found = []
    for tensor, shape, other in zip(tensors, known, given, strict=True):
        sizes = shape if other is None else _sizes(other)
        same = len(sizes) == len(shape) and all(
            one in (None, two) for one, two in zip(shape, sizes, strict=True)
        )
        if not same:
            raise _not_taken(other, f"the model's input {tensor.name!r} of {shape}")
        found.append(sizes)
    return found


def _sizes(shape):
    """A shape as a tuple of whole numbers.

    Raises:
        UsageError: if it is none.
    """
    is_shape = isinstance(shape, (list, tuple)) and all(
        isinstance(size, Integral) and not isinstance(size, bool) and size > 0 for size in shape
    )
    if not is_shape:
        raise UsageError(
            f"input_shape: {shape!r} is not the shape of an example, such as (224, 224, 3)."
        )
    return tuple(map(int, shape))


def _not_taken(shape, what):
    return UsageError(f"input_shape: {tuple(shape)} does not fit {what}.")
