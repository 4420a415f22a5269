"""Pruned, re-fitted and quantized models, of which `compress` chooses one."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import keras

from ..models.copies import copy_of_model
from ..models.kernels import zero
from ..pruning.examples import Examples
from ..reconstruction.distill import affordable
from ..reconstruction.lessons import is_coarse
from ..reconstruction.prune import parsed_method, prune
from ..training.masks import present_masks
from ..utils import echo, percent
from .closeness import Closeness
from .fitted_levels import fitted_to_levels
from .limits import Needs, Timer, needs_of
from .npk import to_bytes
from .quantized_distillation import distilled_to_levels
from .sketches import without_dead_units

Train = Callable[[keras.Model], object]


@dataclass(frozen=True)
class Candidate:
    """A compressed model.

    Attributes:
        method: how it was pruned.
        sparsity: that was asked for, of the layers that are pruned; rounding makes more zeros.
        bits: per weight; None for a model that is not quantized.
        needs: its `Needs`.
        error: of its outputs on held-out examples: the squared difference from those of the given
            model, as a share of their variance.
        quality: accuracy, the value of the metric, or how close it is, on the same.
        model: an ordinary Keras model without dead units; None of a candidate that was not chosen.
        content: the bytes of its file; None if it is not quantized and they are not limited, too.
        notes: warnings that were given when it was made.
    """

    method: str
    sparsity: float
    bits: int | None
    needs: Needs
    error: float
    quality: float
    model: keras.Model | None = field(repr=False)
    content: bytes | None = field(repr=False)
    notes: tuple[str, ...] = field(repr=False, default=())

    def __str__(self) -> str:
        bits = f", {self.bits} bits" if self.bits else ""
        return f"{self.method} at {percent(round(self.sparsity, 4))}{bits}: {self.needs}"

    @property
    def row(self) -> "Candidate":
        """The same without what takes memory."""
        return replace(self, model=None, content=None)


class Maker:
    """Makes the candidates of one method.

    Args:
        dense: the model that is pruned.
        method: as for `prune`.
        limits: that a candidate is to keep.
        examples: that candidates are fitted to.
        few: those of them with which models are pruned; all, if time is no matter.
        closeness: measures them.
        train, timer, bits, seed, verbose: as for `compress`.

    Attributes:
        prunes_units: whether the method prunes units.
        distills: whether the method trains, on the levels of the bits too.
    """

    def __init__(
        self,
        dense: keras.Model,
        method: str,
        limits: Needs,
        examples: Examples,
        few: Examples,
        closeness: Closeness,
        train: Train | None,
        timer: Timer | None,
        bits: Sequence[int],
        seed: int,
        verbose: int,
    ) -> None:
        self.dense, self.method, self.limits = dense, method, limits
        self.examples, self.few = examples, few
        self.closeness, self.train = closeness, train
        self.timer, self.bits, self.seed, self.verbose = timer, bits, seed, verbose
        parsed = parsed_method(method)
        self.prunes_units, self.distills = parsed.by_unit, parsed.recovery == "distill"
        # The last one.
        self._pruned: tuple[float, keras.Model, tuple[str, ...]] | None = None

    def made(self, density: float, bits: int | None) -> Candidate:
        """The candidate with a share of its weights or units.

        Its warnings are noted: only those of the chosen one are given.
        """
        density = float(density)
        model, earlier = self._refitted(density)
        options = [model] if bits is None else self._quantized(model, bits)
        with _noted() as notes:
            found = [self._candidate(density, bits, each, earlier) for each in options]
        # With few examples or steps, training may end worse than it could begin.
        best = min(found, key=lambda each: (bool(each.needs.exceeding(self.limits)), each.error))
        if self.verbose:
            quality = f"{self.closeness.name} {best.quality:.4f}"
            echo(f"{best}; error {best.error:.4f}, {quality}")
        return replace(best, notes=tuple(dict.fromkeys([*best.notes, *notes])))

    def _candidate(self, density, bits, model, notes):
        is_written = bits is not None or self.limits.bytes is not None
        content = to_bytes(model) if is_written else None
        needs = self.needs_of(model, None if content is None else len(content))
        error, quality = self.closeness(model)
        return Candidate(
            *(self.method, 1 - density, bits, needs, error, quality, model, content), tuple(notes)
        )

    def needs_of(self, model: keras.Model, size: float | None = None) -> Needs:
        """What a model needs; see `limits.needs_of`."""
        return needs_of(model, self.limits, size, self.timer)

    def _quantized(self, model, bits):
        """The model on its levels, in one way or two, one after the other."""
        yield fitted_to_levels(model, bits, self.examples, self.seed)
        if self.distills and not is_coarse(model):
            examples = self.examples
            if self.few is not examples:
                examples = affordable(model, examples, self.seed) or self.few
            yield distilled_to_levels(model, self.dense, bits, examples, self.seed, self.verbose)

    def _refitted(self, density):
        if self._pruned is None or self._pruned[0] != density:
            with _noted() as notes:
                model = self._new(density)
            self._pruned = density, model, tuple(notes)
        return self._pruned[1:]

    def _new(self, density):
        if density == 1:
            pruned = copy_of_model(self.dense)
        else:
            pruned = prune(
                self.dense,
                1 - density,
                self.method,
                data=self.few,
                seed=self.seed,
                verbose=self.verbose,
            )
        if self.train is not None:
            masks = present_masks(pruned)
            self.train(pruned)
            for variable, mask in masks:
                zero(variable, mask)
        return without_dead_units(pruned)


@contextlib.contextmanager
def _noted() -> Iterator[list[str]]:
    """Within the block, warnings for the user are not given; afterwards their texts are listed."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", UserWarning)
        yield notes
    notes += [str(each.message) for each in given if issubclass(each.category, UserWarning)]
