"""What `compress` returns: a model, a report, and the file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras

from ..pruning.model_sizes import ModelSize
from ..utils import atomic_path
from .candidates import Candidate
from .limits import Needs
from .npk import save

NAMES = {
    "bytes": "bytes",
    "parameters": "nonzero parameters",
    "multiply_adds": "multiply-adds, with those of zeros",
    "latency": "latency (ms)",
}


@dataclass(frozen=True)
class Report:
    """How a model was compressed. Printed, it is a table.

    Attributes:
        limits: what was asked for, in absolute numbers.
        before: what the given model needs; bytes are those of its weights in memory.
        after: what the compressed model needs.
        quality: the name of what is compared on held-out examples, and how many these are.
        quality_before: of the given model.
        quality_limit: what `max_drop` allows; None if it is not given.
        chosen: the `Candidate` that was chosen; its `quality` is that of the compressed model.
        candidates: all that were made, in their order, without their models.
        size: the `ModelSize` of the compressed model, layer by layer, against the given one.
    """

    limits: Needs
    before: Needs
    after: Needs
    quality: str
    quality_before: float
    quality_limit: float | None
    chosen: Candidate
    candidates: Sequence[Candidate]
    size: ModelSize

    def __str__(self) -> str:
        before, after, limits = (n.known() for n in (self.before, self.after, self.limits))
        rows = [("", "before", "after", "limit")]
        for name in after:
            cells = (_number(part.get(name)) for part in (before, after, limits))
            rows.append((NAMES[name], *cells))
        qualities = self.quality_before, self.chosen.quality, self.quality_limit
        rows.append((self.quality, *map(_number, qualities)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = (_line(row, widths) for row in rows)
        return "\n".join([str(self.chosen), "", *table, "", str(self.size)])


@dataclass(frozen=True)
class Compressed:
    """A compressed model.

    Attributes:
        model: an ordinary Keras model.
        report: how it was compressed.
        content: the bytes of its file; None if bytes were not limited, and it is not quantized.
    """

    model: keras.Model
    report: Report
    content: bytes | None = field(repr=False)

    def save(self, path: str | os.PathLike) -> int:
        """Writes the model to an `.npk` file, which `load` reads; returns its size in bytes. A
        model that is not quantized is written exactly.

        Raises:
            RunError: if it cannot be written.
            ValueError: if it cannot be written as such a file.
        """
        if self.content is None:
            return save(self.model, path)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(self.content)
        return len(self.content)


def _line(row, widths):
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(w) for cell, w in others)]).rstrip()


def _number(value):
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
