"""Pruned, re-fitted and quantized models, and the search for the one that a limit allows."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import keras
import numpy as np

from ..graph.shrink import shrink
from ..graph.tracing import function_of
from ..models.copies import copy_of_model, refresh
from ..models.kernels import value_of, zero
from ..pruning.examples import Examples
from ..pruning.prunables import hidden_kernels
from ..pruning.prune import Pruner
from ..pruning.statistics import SAMPLE_SIZE
from ..reconstruction.measurement import measured_errors
from ..reconstruction.prune import parsed_method, prune
from ..settings.export import BITS
from ..training.masks import present_masks
from ..utils import UsageError, echo, percent
from .closeness import Closeness
from .fitted_levels import fitted_to_levels
from .limits import Needs, needs_of
from .npk import to_bytes
from .quantization import quantized

# Shares of the weights or units that are kept, most first: where a limit says how many, and where
# only closeness does, which takes a re-fit each.
DENSITIES = np.geomspace(1, 0.002, 256)
FEW_DENSITIES = np.geomspace(1, 0.004, 14)
# With so many bits the search begins; others are tried as long as the error is no larger than so
# many times the least. And with so many it is only about pruning.
FIRST_BITS, WORSE, MANY_BITS = 4, 1.2, 6
# How often a model that needs too much is made again with less, and by how much it is to miss.
TRIES, MARGIN = 6, 1.003

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
        content: the bytes of its file; None if it is not quantized, too.
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


class Search:
    """The candidates of one method.

    Args:
        dense: the model that is pruned.
        method: as for `prune`.
        limits: that a candidate is to keep.
        examples: that candidates are fitted to.
        closeness: measures them.
        train, seed, verbose: as for `compress`.

    Attributes:
        rows: all candidates that were made, without their models.
    """

    def __init__(
        self,
        dense: keras.Model,
        method: str,
        limits: Needs,
        examples: Examples,
        closeness: Closeness,
        train: Train | None,
        seed: int,
        verbose: int,
    ) -> None:
        self.dense, self.method, self.limits = dense, method, limits
        self.examples, self.closeness, self.train = examples, closeness, train
        self.seed, self.verbose = seed, verbose
        self.rows: list[Candidate] = []
        can_be_pruned = bool(hidden_kernels(dense))
        self._densities = DENSITIES if can_be_pruned else DENSITIES[:1]
        self._few_densities = FEW_DENSITIES if can_be_pruned else FEW_DENSITIES[:1]
        # The last of each, and what sketches need.
        self._pruned: tuple[float, keras.Model, tuple[str, ...]] | None = None
        self._sketched_model: tuple[float, keras.Model] | None = None
        self._sketched: dict[tuple[float, int | None], Needs] = {}
        # Of what candidates need to what sketches do, by name: by bits, and of the last one.
        self._ratios: dict[int | None, dict[str, float]] = {}
        self._last_ratios: dict[str, float] = {}

    def closest(self) -> Candidate:
        """The one that is closest to the dense model, of those that keep the limits.

        Raises:
            UsageError: if none does; the message says what the last one needs.
        """
        if self.limits.bytes is None:
            return self._within_limits(None)
        best, failures = None, []
        fewer = [bits for bits in reversed(BITS) if bits <= FIRST_BITS]
        more = [bits for bits in BITS if bits > FIRST_BITS]
        for order in (fewer, more):
            for bits in order:
                try:
                    found = self._within_limits(bits)
                except UsageError as error:
                    failures.append(error)
                    if order is more:  # still more bits need even more
                        break
                    continue
                if best is None or found.error < best.error:
                    best = found
                if found.error > WORSE * best.error:
                    break
        if best is None:
            raise failures[-1]
        return best

    def smallest(self, max_drop: float) -> Candidate:
        """The one with the smallest file, of those that are close enough; if none is, the closest.

        Args:
            max_drop: as for `compress`.
        """
        densities = self._few_densities

        def is_enough(row):
            return self.closeness.drop(row.quality) <= max_drop

        place = _last(
            len(densities), lambda place: is_enough(self._row_of(densities[place], MANY_BITS))
        )
        # One step before, fewer bits may suffice; one step after, others may by chance.
        for number in range(max(place - 1, 0), min(place + 2, len(densities))):
            for bits in BITS:
                self._row_of(densities[number], bits)
        enough = [row for row in self.rows if is_enough(row)]
        if enough:
            best = min(enough, key=lambda row: row.needs.bytes or 0)
        else:
            best = min(self.rows, key=lambda row: self.closeness.drop(row.quality))
        return self._made(1 - best.sparsity, best.bits)

    def _within_limits(self, bits):
        """The candidate with about the least sparsity that keeps the limits."""
        for number in range(1, TRIES + 1):
            density = self._density(bits)
            found = self._made(density, bits)
            self.rows.append(found.row)
            # Re-fitted weights differ from those of the sketch; so do the bytes that they take.
            own, sketched = found.needs.known(), self.sketched(density, bits).known()
            self._last_ratios = {name: own[name] / sketched[name] for name in own}
            if not found.needs.exceeding(self.limits):
                return found
            margin = MARGIN**number
            self._ratios[bits] = {name: margin * r for name, r in self._last_ratios.items()}
        raise UsageError(
            f"{self.limits}: this cannot be kept; the last attempt, {found}, needs more."
        )

    def _density(self, bits):
        """The largest share of weights or units that can be kept, as far as models tell that are
        only pruned, not re-fitted."""
        densities = self._densities

        def fits(place):
            return not self._expected(densities[place], bits).exceeding(self.limits)

        place = _first(len(densities), fits)
        if place is None:
            whole, least = (self._expected(densities[n], bits) for n in (0, -1))
            raise UsageError(
                f"{self.limits}: {self.method!r} cannot reach this; unpruned, the model needs "
                f"{whole}, with {percent(densities[-1])} of what can be pruned {least}. (Shares "
                "are numbers of at most 1, such as 0.1.)"
            )
        return densities[place]

    def _expected(self, density, bits):
        """What a candidate will need, as far as sketches and the last candidate tell."""
        return self.sketched(density, bits).times(self._ratios.get(bits, self._last_ratios))

    def sketched(self, density: float, bits: int | None) -> Needs:
        """What a model needs that is only pruned and quantized."""
        if (density, bits) not in self._sketched:
            if self._sketched_model is None or self._sketched_model[0] != density:
                self._sketched_model = density, self._sketch_at(density)
            model = self._sketched_model[1]
            model = model if bits is None else quantized(model, bits)
            self._sketched[density, bits] = needs_of(model, self.limits)
        return self._sketched[density, bits]

    def _sketch_at(self, density):
        if density == 1:
            return _without_dead_units(self.dense)
        return self._sketch.at(1 - density)

    @cached_property
    def _sketch(self):
        return Sketch(self.dense, self.method, self.examples, self.seed)

    def _row_of(self, density, bits):
        for row in self.rows:
            if (row.sparsity, row.bits) == (1 - density, bits):
                return row
        self.rows.append(self._made(density, bits).row)
        return self.rows[-1]

    def _made(self, density, bits):
        """A candidate. Its warnings are noted: only those of the chosen one are given."""
        density = float(density)
        with _noted() as notes:
            model, earlier = self._refitted(density)
            if bits is not None:
                model = fitted_to_levels(model, bits, self.examples, self.seed)
        content = None if bits is None else to_bytes(model)
        needs = needs_of(model, self.limits, content and len(content))
        error, quality = self.closeness(model)
        found = Candidate(
            *(self.method, 1 - density, bits, needs, error, quality, model, content),
            tuple(dict.fromkeys([*earlier, *notes])),
        )
        if self.verbose:
            echo(f"{found}; error {error:.4f}, {self.closeness.name} {quality:.4f}")
        return found

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
                data=self.examples,
                seed=self.seed,
                verbose=self.verbose,
            )
        if self.train is not None:
            masks = present_masks(pruned)
            self.train(pruned)
            for variable, mask in masks:
                zero(variable, mask)
        return _without_dead_units(pruned)


@contextlib.contextmanager
def _noted() -> Iterator[list[str]]:
    """Within the block, warnings for the user are not given; afterwards their texts are listed."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always", UserWarning)
        yield notes
    notes += [str(each.message) for each in given if issubclass(each.category, UserWarning)]


class Sketch:
    """A model that is pruned, to any sparsity, but not re-fitted.

    Args:
        dense, method, examples, seed: as for `Search`.
    """

    def __init__(self, dense: keras.Model, method: str, examples: Examples, seed: int) -> None:
        self.model = copy_of_model(dense)
        parsed = parsed_method(method)
        self.pruner = Pruner(self.model, parsed, 0.0, examples.head(SAMPLE_SIZE), (), seed)
        if parsed.scope == "budget":
            self.pruner.errors = measured_errors(self.pruner, dense, examples, 0)
        self.rankings = self.pruner.rankings()
        self._given = [value_of(variable) for variable in self.model.weights]

    def at(self, sparsity: float) -> keras.Model:
        """The model at a sparsity, without its dead units."""
        for variable, array in zip(self.model.weights, self._given, strict=True):
            variable.assign(array)
        self.pruner.remove(self.pruner.masks_at(self.rankings, sparsity))
        refresh(self.model)
        return _without_dead_units(self.model)


def _without_dead_units(model):
    """The model `shrink`s to; a subclassed one as it is, copied."""
    if function_of(model) is None:
        return copy_of_model(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return shrink(model)


def _first(number, fits):
    """The first of so many places that fits, if all after it do; None if the last does not."""
    low, high = -1, number - 1  # does not fit, fits
    if not fits(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def _last(number, fits):
    """The last place that fits, if all before it do; -1 if the first does not."""
    found = _first(number, lambda place: not fits(place))
    return number - 1 if found is None else found - 1
