"""One example of zeros, in the shapes that a model takes."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import keras

from ..utils import UsageError, pluralize


def zeros_for(model: keras.Model, shapes: Any = None) -> Any:
    """A batch of one example of zeros; None if sizes are open or inputs are texts.

    Args:
        model: a built Keras model.
        shapes: the shape of one example, such as (224, 224, 3), for sizes that the model leaves
            open; for a model with several inputs a list of shapes, or a dictionary by the names of
            the inputs.

    Raises:
        UsageError: if these are not shapes, or the model does not take them.
    """
    # A model that overrides `call` has known inputs, too.
    graph = model._functional if isinstance(model, keras.Sequential) else model
    if not hasattr(graph, "_inputs_struct"):
        return _zeros_for_subclassed(model, shapes)
    tensors = graph.inputs
    sizes = [tuple(tensor.shape[1:]) for tensor in tensors]
    if shapes is not None:
        sizes = _checked_sizes(tensors, sizes, _by_input(tensors, shapes))
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
            raise _does_not_fit(shapes, f"the model's input of {shape}")
        return keras.ops.zeros((1, *shape))
    if shapes is None:
        return None
    if isinstance(shapes, Mapping):
        return {name: keras.ops.zeros((1, *_sizes(shape))) for name, shape in shapes.items()}
    if _are_several(shapes):
        return [keras.ops.zeros((1, *_sizes(shape))) for shape in shapes]
    return keras.ops.zeros((1, *_sizes(shapes)))


def _by_input(tensors, shapes):
    """The given shape of each input of a model, or None."""
    if isinstance(shapes, Mapping):
        names = [tensor.name for tensor in tensors]
        for name in shapes:
            if name not in names:
                listed = ", ".join(names)
                raise UsageError(f"input_shape: no input is called {name!r}, but {listed}.")
        return [shapes.get(name) for name in names]
    found = list(shapes) if _are_several(shapes) else [shapes]
    if len(found) != len(tensors):
        raise UsageError(
            f"input_shape: {shapes!r} is for {pluralize(len(found), 'input')}, but the model has "
            f"{len(tensors)}; give a list with a shape for each, or a dictionary by name."
        )
    return found


def _are_several(shapes):
    return isinstance(shapes, (list, tuple)) and any(isinstance(s, (list, tuple)) for s in shapes)


def _checked_sizes(tensors, known, given):
    """The sizes of each input: the given ones, or else the known ones."""
    found = []
    for tensor, shape, other in zip(tensors, known, given, strict=True):
        sizes = shape if other is None else _sizes(other)
        same = len(sizes) == len(shape) and all(
            one in (None, two) for one, two in zip(shape, sizes, strict=True)
        )
        if not same:
            raise _does_not_fit(other, f"the model's input {tensor.name!r} of {shape}")
        found.append(sizes)
    return found


def _sizes(shape):
    """A shape as a tuple of whole numbers.

    Raises:
        UsageError: if it is not a shape.
    """
    is_shape = isinstance(shape, (list, tuple)) and all(
        isinstance(size, Integral) and not isinstance(size, bool) and size > 0 for size in shape
    )
    if not is_shape:
        raise UsageError(
            f"input_shape: {shape!r} is not the shape of an example, such as (224, 224, 3)."
        )
    return tuple(map(int, shape))


def _does_not_fit(shape, what):
    return UsageError(f"input_shape: {tuple(shape)} does not fit {what}.")
