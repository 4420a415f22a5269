"""The kernels of a Keras model: which weights can be pruned, and each as a matrix.

Every kernel is treated as a matrix of shape (inputs, units): axes that are summed over come first,
output axes last. Works on every backend of Keras.
"""

import contextlib
import math
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ..utils import pluralize
from .arrays import Array, is_whole, local_value, namespace, to_numpy
from .layer_names import unique_names
from .recurrent import CELLS, KERNEL, RECURRENT_KERNEL, at_path, cells_of, sequences_of

# The kernels of each kind of layer, by attribute, with the axes of their units.
_LAST, _LAST_BUT_ONE, _LAST_TWO = (-1,), (-2,), (-2, -1)
CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
KERNELS = (
    (keras.layers.Dense, {"kernel": _LAST}),
    (TRANSPOSED, {"kernel": _LAST_BUT_ONE}),  # before convolutions: some are subclasses
    (CONVOLUTIONS, {"kernel": _LAST}),
    (DEPTHWISE, {"kernel": _LAST_TWO}),
    (SEPARABLE, {"depthwise_kernel": _LAST_TWO, "pointwise_kernel": _LAST}),
    (CELLS, {KERNEL: _LAST, RECURRENT_KERNEL: _LAST}),
)
# Layers that are never pruned: they have few weights, or look up single ones.
NEVER_PRUNED = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
    keras.layers.SpectralNormalization,
    keras.layers.Normalization,
    keras.layers.Embedding,
    keras.layers.PReLU,
)
# Kernels with fewer weights in all, for each of their shapes, are faster in NumPy.
LARGE = 2**22


@dataclass(frozen=True)
class Kernel:
    """A kernel of a layer.

    Attributes:
        name: of the layer; if it has several kernels, of layer and kernel, as in
            `sepconv/pointwise_kernel`.
        layer: the Keras layer; of a cell, the recurrent layer around it.
        variable: the Keras variable.
        units: the axes of the variable that number the units, in order.
        attribute: the path from the layer to the variable, as in `cell.recurrent_kernel`.
    """

    name: str
    layer: keras.Layer
    variable: keras.Variable = field(repr=False)
    units: tuple[int, ...]
    attribute: str = KERNEL

    @property
    def inputs(self) -> tuple[int, ...]:
        """The axes of the variable that are summed over, in order."""
        return tuple(axis for axis in range(len(self.variable.shape)) if axis not in self.units)

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix: (inputs, units)."""
        sizes = self.variable.shape
        return tuple(math.prod(sizes[a] for a in axes) for axes in (self.inputs, self.units))

    @property
    def size(self) -> int:
        """The number of weights."""
        return math.prod(self.variable.shape)

    @property
    def bias(self) -> keras.Variable | None:
        """The bias of the layer or cell that it is a kernel of."""
        bias = getattr(self.owner, "bias", None)
        return bias if isinstance(bias, keras.Variable) else None

    @property
    def owner(self) -> keras.Layer:
        """What has the variable: the layer, or its cell."""
        return at_path(self.layer, _parent(self.attribute))

    @property
    def is_in_cell(self) -> bool:
        """Whether it is a kernel of a recurrent cell, with several columns for each unit."""
        return isinstance(self.layer, CELLS) or bool(cells_of(self.layer))

    @property
    def is_recurrent(self) -> bool:
        """Whether it is multiplied with the state of a cell."""
        return self.attribute.endswith(RECURRENT_KERNEL)

    @property
    def is_depthwise(self) -> bool:
        """Whether each unit reads one channel: in a depthwise convolution, or the depthwise part of
        a separable one."""
        return isinstance(self.layer, (*DEPTHWISE, *SEPARABLE)) and len(self.units) == 2

    def matrix(self, array: Array | None = None) -> Array:
        """The weights as an array of NumPy, or an array of their shape, as a matrix of shape
        (inputs, units)."""
        array, xp = (value_of(self.variable), np) if array is None else (array, namespace(array))
        return xp.reshape(xp.transpose(array, (*self.inputs, *self.units)), self.shape)

    def array(self, matrix: Array) -> Array:
        """A matrix of shape (inputs, units) as an array of the variable's shape."""
        axes, xp = (*self.inputs, *self.units), namespace(matrix)
        array = xp.reshape(matrix, [self.variable.shape[axis] for axis in axes])
        return xp.transpose(array, np.argsort(axes).tolist())


def matrices_of(found: Sequence[Kernel], on_host: bool = False) -> dict[str, Array]:
    """The weights of kernels as matrices by name: as tensors where they are, if that is an
    accelerator and they are large enough, else, or with `on_host`, as arrays of NumPy."""
    # JAX compiles every operation for every shape.
    shapes = {k.variable.shape for k in found} if keras.backend.backend() == "jax" else {()}
    known = all(keras.backend.standardize_dtype(k.variable.dtype) != "float64" for k in found)
    if on_host or not known or sum(k.size for k in found) < LARGE * len(shapes):
        return {k.name: k.matrix() for k in found}
    return {k.name: k.matrix(local_value(k.variable)) for k in found}


def value_of(variable: keras.Variable) -> np.ndarray:
    """A Keras variable's value as a NumPy array, on every backend and device."""
    return to_numpy(variable.value)


def zero(variable: keras.Variable, mask: Array) -> None:
    """Sets the weights that a mask prunes to exactly 0.0."""
    if not is_whole(mask):
        variable.assign(masked(variable.value, mask))


def masked(value: Any, mask: Any) -> Any:
    """A tensor that is exactly 0.0 where a mask, a tensor or an array of booleans, is False."""
    return keras.ops.where(mask, value, 0)


def own_variable(layer: keras.Layer, name: str) -> keras.Variable:
    """A layer's variable of this name, or path such as `cell.kernel`: `kernel` may be a property
    that is computed from it."""
    layer, name = at_path(layer, _parent(name)), name.rpartition(".")[-1]
    variable = getattr(layer, f"_{name}", None)
    return variable if isinstance(variable, keras.Variable) else getattr(layer, name)


def _parent(path):
    return path.rpartition(".")[0]


def all_kernels(model: keras.Model) -> list[Kernel]:
    """The `Kernel`s of a built model, in layer order, each once, including those of nested models
    and shared layers.

    Raises:
        ValueError: if the model has not been built.
    """
    layers = leaves(model)
    names = unique_names(model, layers)
    found = []
    for layer in layers:
        axes = kernel_axes(layer)
        for attribute, units in axes.items():
            own = attribute.removeprefix("cell.").replace(".", "/")
            name = names[id(layer)] if len(axes) == 1 else f"{names[id(layer)]}/{own}"
            found.append(Kernel(name, layer, own_variable(layer, attribute), units, attribute))
    return found


def leaves(model: keras.Model) -> list[keras.Layer]:
    """All layers of a model that have their own weights, each once, outer layers first. The weights
    of cells count as those of the recurrent layers around them.

    Raises:
        ValueError: if the model has not been built.
    """
    layers = [model, *model._flatten_layers(include_self=False, recursive=True)]
    unbuilt = [layer.name for layer in layers if not layer.built and kernel_axes(layer)]
    if unbuilt or not model.built:
        name = unbuilt[0] if unbuilt else model.name
        raise ValueError(
            f"The layer {name!r} has no weights yet; build the model first, for example by calling "
            "it on a batch of data."
        )
    cells = {id(cell) for layer in layers for cell in cells_of(layer).values()}
    found = {id(layer): layer for layer in layers if _own_variables(layer)}
    return [layer for layer in found.values() if id(layer) not in cells]


def unknown_layers(model: keras.Model) -> list[keras.Layer]:
    """Layers with trainable weights of a kind that this program cannot prune."""
    return [
        layer
        for layer in leaves(model)
        if not kernel_axes(layer)
        and not isinstance(layer, NEVER_PRUNED)
        and not _is_normalization(layer)
        and any(variable.trainable for variable in _own_variables(layer))
    ]


def _is_normalization(layer):
    """Whether a layer has nothing but vectors and says that it normalizes, as those of KerasHub."""
    vectors = all(len(variable.shape) <= 1 for variable in _own_variables(layer))
    return vectors and "norm" in type(layer).__name__.lower()


def describe(layer: keras.Layer) -> str:
    """A layer for a message, such as "lstm (LSTM, 1,024 weights)"."""
    number = sum(math.prod(variable.shape) for variable in layer.weights)
    return f"{layer.name} ({type(layer).__name__}, {pluralize(number, 'weight')})"


@contextlib.contextmanager
def watched(
    found: Sequence[Kernel], on_call: Callable[[Kernel, Any, Any], object]
) -> Iterator[None]:
    """Within the block, `on_call(kernel, inputs, outputs)` is called at every call of these
    `Kernel`s' layers. Of a recurrent layer these are the sequences that the kernel reads, and the
    states of its cell.

    Works only outside of `fit` and `predict`, whose steps are compiled.
    """

    def watching(kernels, call):
        def watched_call(inputs, *args, **kwargs):
            outputs = call(inputs, *args, **kwargs)
            for kernel, *tensors in _seen(kernels, (inputs, *args), kwargs, outputs):
                on_call(kernel, *tensors)
            return outputs

        return watched_call

    by_layer = {}
    for kernel in found:
        by_layer.setdefault(id(kernel.layer), []).append(kernel)
    layers = [kernels[0].layer for kernels in by_layer.values()]
    try:
        for layer in layers:
            layer.call = watching(by_layer[id(layer)], layer.call)
        yield
    finally:
        for layer in layers:
            del layer.call  # restores the method of its class


def _seen(kernels, args, kwargs, outputs):
    """Of each kernel of a layer what it reads in a call, and what is computed with it."""
    layer = kernels[0].layer
    if not cells_of(layer):
        is_cell = isinstance(layer, CELLS)
        for kernel in kernels:
            read = keras.tree.flatten(args[1:] or kwargs)[0] if kernel.is_recurrent else args[0]
            yield kernel, read, outputs[0] if is_cell else outputs
        return
    known = ("sequences", "initial_state", "mask")
    seen = sequences_of(layer, *args, **{n: v for n, v in kwargs.items() if n in known})
    for kernel in kernels:
        cell = seen[_parent(kernel.attribute)]
        yield kernel, cell.states if kernel.is_recurrent else cell.inputs, cell.states


def kernel_axes(layer: keras.Layer) -> dict[str, tuple[int, ...]]:
    """The axes of the units, as numbers from 0, of each of a layer's kernels by attribute."""
    if isinstance(layer, keras.layers.EinsumDense):
        return {"kernel": einsum_units(layer)} if layer.built else {"kernel": ()}
    cells = [f"{path}." for path in cells_of(layer)]
    found: dict = {path + name: _LAST for path in cells for name in (KERNEL, RECURRENT_KERNEL)}
    for kind, kernels in KERNELS:
        if not found and isinstance(layer, kind):
            found = kernels
    return {
        name: tuple(sorted(axis + _rank(layer, name) for axis in axes))
        for name, axes in found.items()
    }


def _rank(layer, name):
    return len(own_variable(layer, name).shape) if layer.built else 2


def einsum_units(layer: keras.Layer) -> tuple[int, ...]:
    """The axes of an EinsumDense's kernel that appear in its output."""
    operands, result = layer.equation.replace(" ", "").split("->")
    kernel = operands.split(",")[1]
    return tuple(axis for axis, letter in enumerate(kernel) if letter in result)


def _own_variables(layer):
    """The variables of a layer without those of its sublayers, but for cells."""
    found = [*layer._trainable_variables, *layer._non_trainable_variables]
    for cell in cells_of(layer).values():
        found += _own_variables(cell)
    return found


def einsum_letters(layer: keras.Layer, rank: int) -> tuple[str, str, str]:
    """The letters of an EinsumDense's equation: of its input with `rank` axes, of its kernel and of
    its output, with letters in place of "..."."""
    operands, result = layer.equation.replace(" ", "").split("->")
    read, kernel = operands.split(",")
    free = [letter for letter in string.ascii_letters if letter not in layer.equation]
    spelled = "".join(free[: rank - len(read.replace("...", ""))])
    return read.replace("...", spelled), kernel, result.replace("...", spelled)
