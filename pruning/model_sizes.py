"""What `measure` returns: the sizes of a Keras model and of its kernels, printed as a table."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSize:
    """The size of one kernel.

    Attributes:
        name: of the layer, or of the layer and the kernel.
        shape: of the kernel.
        weights: the number of its weights.
        nonzero: how many of them are not zero.
        living: how many are live: not zero, and with an influence on the outputs; None for
            subclassed models, where the connections between layers are unknown.
        prunable: whether its weights may be pruned; an output layer's may not.
        multiply_adds: one for each live weight at each position of the output, per example; None
            if the number of positions is not known.
        dense_multiply_adds: the same if no weight were zero.
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
    """The size of a Keras model. Printed, it is a table.

    Attributes:
        layers: the `LayerSize` of every kernel.
        parameters: the number of all parameters: kernels, biases, normalizations, embeddings, and
            others.
        nonzero: how many of them are not zero.
        living: the number of effective parameters, which have an influence on the outputs as far as
            is known: the live weights of kernels, and all other parameters but those of dead units.
        baseline: the `ModelSize` that ratios are relative to; None for the model itself, as if none
            of its weights were zero.
    """

    layers: tuple[LayerSize, ...]
    parameters: int
    nonzero: int
    living: int
    baseline: "ModelSize | None" = None

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
        """All parameters of the baseline over the effective ones of this model; infinite if there
        are none."""
        return _ratio((self.baseline or self).parameters, self.living)

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of all kernels per example; None if some are not known."""
        return self._total("multiply_adds")

    @property
    def speedup(self) -> float | None:
        """The theoretical speed-up: multiply-adds of the baseline, as if nothing were zero, over
        those of this model. None if either is not known."""
        dense = (self.baseline or self)._total("dense_multiply_adds")
        if dense is None or self.multiply_adds is None:
            return None
        return _ratio(dense, self.multiply_adds)

    def _share(self, what):
        prunable = [layer for layer in self.layers if layer.prunable]
        size = sum(layer.weights for layer in prunable)
        return sum(getattr(layer, what) for layer in prunable) / size if size else 1.0

    def _total(self, what):
        values = [getattr(layer, what) for layer in self.layers]
        return None if None in values else sum(values)

    def __str__(self) -> str:
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
            f"{self.nonzero:,} of {self.parameters:,} parameters are not zero, {self.living:,} "
            f"effective{self._compared(self.compression_ratio, 'smaller')}"
        )
        if self.multiply_adds is not None:
            yield f"{self.multiply_adds:,} multiply-adds{self._compared(self.speedup, 'fewer')}"
        elif all(layer.multiply_adds is None for layer in self.layers):
            yield "multiply-adds depend on sizes that are open: measure(model, input_shape=…)"

    def _compared(self, ratio, than):
        """A ratio in words; nothing where it is 1 and there is no baseline."""
        if ratio is None or (self.baseline is None and f"{ratio:.3g}" == "1"):
            return ""
        return f": {ratio:.3g}× {than}" + (" than the baseline" if self.baseline else "")


COLUMNS = (
    *("sparsity", "layer_sparsity", "effective_sparsity", "nonzero", "living"),
    *("compression_ratio", "multiply_adds", "speedup"),
)


def columns(size: ModelSize) -> dict:
    """The columns of a size in tables of networks; `layer_sparsity` by layer name."""
    return {name: getattr(size, name) for name in COLUMNS}


def _ratio(whole, part):
    if not part:
        return math.inf if whole else 1.0
    return whole / part


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
