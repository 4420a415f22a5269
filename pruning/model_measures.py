"""How small is a Keras model: sparsity, compression, multiply-adds: `network_pruning.measure`."""

import math
import warnings
from dataclasses import dataclass

import keras
import numpy as np

from ..compression.graph import function_of
from ..compression.life import Living
from ..models import kernels
from ..models.kernels import value_of
from .prunables import hidden_kernels


@dataclass(frozen=True)
class LayerSize:
    """How much is left of one kernel.

    Attributes:
        name: of the layer, or of the layer and the kernel.
        shape: of the kernel.
        weights: how many it has.
        nonzero: how many of them are not zero.
        living: how many are not zero and have an influence on the answers; None where nobody
            knows how layers are connected, in subclassed models.
        prunable: whether pruning may remove some; an output layer's may not.
        multiply_adds: one for each living weight at each position of the output, per example; None
            where it is not known how many positions there are.
        dense_multiply_adds: the same if nothing was zero.
    """

    name: str
    shape: tuple[int, ...]
    weights: int
    nonzero: int
    living: int | None
    prunable: bool
    multiply_adds: int | None
    dense_multiply_adds: int | None

    @property
    def sparsity(self) -> float:
        """The share of the weights that are zero."""
        return 1 - self.nonzero / self.weights


@dataclass(frozen=True)
class ModelSize:
    """How much is left of a Keras model. Printed, it is a table.

    Attributes:
        layers: the `LayerSize` of every kernel.
        parameters: numbers of all kinds that the model holds: kernels, biases, normalizations,
            embeddings, and others.
        nonzero: how many of them are not zero.
    """

    layers: tuple[LayerSize, ...]
    parameters: int
    nonzero: int

    @property
    def sparsity(self) -> float:
        """The share of the prunable weights that are zero."""
        return 1 - self._share("nonzero")

    @property
    def layer_sparsity(self) -> dict[str, float]:
        """The share of zeros in every prunable kernel, by name."""
        return {layer.name: layer.sparsity for layer in self.layers if layer.prunable}

    @property
    def effective_sparsity(self) -> float | None:
        """The share of the prunable weights that are zero or without any influence (Vysogorets &
        Kempe, 2021, arXiv:2107.02306); None for a subclassed model."""
        known = all(layer.living is not None for layer in self.layers)
        return 1 - self._share("living") if known else None

    @property
    def compression_ratio(self) -> float:
        """All numbers of the model over those that live; infinite if none does."""
        return self.parameters / self.living if self.living else math.inf

    @property
    def living(self) -> int:
        """How many numbers are not zero and, as far as is known, have an influence."""
        lost = (layer.nonzero - layer.living for layer in self.layers if layer.living is not None)
        return self.nonzero - sum(lost)

    @property
    def multiply_adds(self) -> int | None:
        """Per example, of all kernels; None if that of some is not known."""
        return self._total("multiply_adds")

    @property
    def speedup(self) -> float | None:
        """Multiply-adds if nothing was zero over those; theoretical."""
        dense, left = self._total("dense_multiply_adds"), self.multiply_adds
        if dense is None or left is None:
            return None
        return dense / left if left else math.inf

    def _share(self, what):
        prunable = [layer for layer in self.layers if layer.prunable]
        size = sum(layer.weights for layer in prunable)
        return sum(getattr(layer, what) for layer in prunable) / size if size else 1.0

    def _total(self, what):
        values = [getattr(layer, what) for layer in self.layers]
        return None if None in values else sum(values)

    def __str__(self):
        """A table with a line for each kernel and the sums below."""
        rows = [_HEAD, *map(_row, self.layers)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = [_line(row, widths) for row in rows]
        lines.insert(1, "-" * len(lines[0]))
        return "\n".join([*lines, "", *self._sums()])

    def _sums(self):
        yield f"sparsity {_percent(self.sparsity)} of the prunable weights"
        if self.effective_sparsity is not None:
            yield f"effective sparsity {_percent(self.effective_sparsity)}: zero, or no influence"
        yield (
            f"{self.nonzero:,} of {self.parameters:,} parameters are not zero, "
            f"{self.living:,} live: {self.compression_ratio:.3g}× smaller"
        )
        if self.speedup is not None:
            yield f"{self.multiply_adds:,} multiply-adds: {self.speedup:.3g}× fewer"


_HEAD = ("layer", "shape", "weights", "nonzero", "sparsity", "multiply-adds")


def _row(layer):
    macs = "" if layer.multiply_adds is None else f"{layer.multiply_adds:,}"
    sparsity = _percent(layer.sparsity) if layer.prunable else "(output)"
    shape = "×".join(map(str, layer.shape))
    return layer.name, shape, f"{layer.weights:,}", f"{layer.nonzero:,}", sparsity, macs


def _line(row, widths):
    first, *others = (
        cell.ljust(width) if number < 2 else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()


def _percent(share):
    return f"{100 * share:.2f} %"


def measure(model: keras.Model, input_shape: tuple[int, ...] | None = None) -> ModelSize:
    """How much is left of a Keras model.

    Args:
        model: any built Keras model; its weights are looked at, nothing is computed with data.
        input_shape: of one example, such as (224, 224, 3): to count the multiply-adds of a model
            with one input that leaves its sizes open.

    Returns:
        A `ModelSize`: sparsity (in total, per layer, effective), nonzero parameters, compression
        ratio and multiply-adds; `print` shows it as a table.

    Raises:
        ValueError: if the model is not built, or takes no examples of `input_shape`.

    Warns:
        UserWarning: names layers with weights that are of no kind that can be pruned.
    """
    unknown = kernels.unknown_layers(model)
    if unknown:
        listed = ", ".join(map(kernels.describe, unknown))
        warnings.warn(f"Counted, but never pruned: {listed}.", stacklevel=2)
    return size_of(model, input_shape)


def size_of(model, input_shape=None):
    """The same without a warning."""
    found = kernels.all_kernels(model)
    prunable = {kernel.name for kernel in hidden_kernels(model)}
    life, positions = Living.of(model), _positions(model, found, input_shape)
    layers = tuple(
        _layer_size(kernel, kernel.name in prunable, life, positions.get(kernel.name))
        for kernel in found
    )
    values = [value_of(variable) for variable in model.weights]
    return ModelSize(
        layers, sum(v.size for v in values), sum(int(np.count_nonzero(v)) for v in values)
    )


def multiply_adds(model):
    """Those of a model's kernels for one example if nothing is zero; their weights where sizes are
    open."""
    found = kernels.all_kernels(model)
    positions = _positions(model, found)
    return sum(positions.get(kernel.name, 1) * kernel.size for kernel in found)


def _layer_size(kernel, prunable, life, positions):
    present = kernel.matrix() != 0
    living = life and int(np.count_nonzero(life.of_kernel(kernel, present)))
    nonzero, size = int(np.count_nonzero(present)), kernel.size
    left = nonzero if living is None else living
    return LayerSize(
        kernel.name,
        tuple(kernel.variable.shape),
        size,
        nonzero,
        living,
        prunable,
        positions and positions * left,
        positions and positions * size,
    )


def _positions(model, found, input_shape=None):
    """At how many positions each kernel is used for one example, by name: seen by showing the
    model zeros. Empty where sizes are left open."""
    inputs = _zeros_for(model)
    if inputs is None and input_shape is not None:
        inputs = keras.ops.zeros((1, *input_shape))
    if inputs is None:
        return {}
    total = {}

    def add(kernel, inputs, outputs):
        total[kernel.name] = total.get(kernel.name, 0) + _places(kernel, inputs, outputs)

    with kernels.watched(found, add):
        model(inputs, training=False)
    return total


def _places(kernel, inputs, outputs):
    """At how many positions a kernel is used in one call: of the output, but of the input for a
    transposed convolution."""
    if isinstance(kernel.layer, kernels.TRANSPOSED):
        return math.prod(inputs.shape[1:]) // kernel.variable.shape[-1]
    if isinstance(kernel.layer, kernels.SEPARABLE):
        return math.prod(outputs.shape[1:]) // kernel.layer.filters
    return math.prod(outputs.shape[1:]) // kernel.shape[1]


def _zeros_for(model):
    """One example of zeros; None where sizes are open."""
    function = function_of(model)
    if function is None:
        shape = (model.get_build_config() or {}).get("input_shape")
        if not isinstance(shape, (tuple, list)) or None in keras.tree.flatten(shape[1:]):
            return None
        return keras.ops.zeros((1, *shape[1:]))
    if any(None in tensor.shape[1:] for tensor in function.inputs):
        return None
    return keras.tree.map_structure(
        lambda tensor: keras.ops.zeros((1, *tensor.shape[1:]), tensor.dtype),
        function._inputs_struct,
    )
