"""Pruned, re-fitted and quantized models, and the search for the one that a limit allows."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import keras
import numpy as np

from ..graph.shrink import shrink
from ..graph.tracing import function_of
from ..models.copies import copy_of_model, refresh
from ..models.kernels import value_of, zero
from ..pruning.arguments import checked_method
from ..pruning.examples import Examples
from ..pruning.prune import Pruner
from ..pruning.statistics import SAMPLE_SIZE
from ..reconstruction.measurement import measured_errors
from ..reconstruction.prune import RECOVERIES, prune
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
# With so many bits the search begins; and with so many it is only about pruning.
FIRST_BITS, MANY_BITS = 4, 6
# How often a model that needs too much is made again with less, and by how much it is to miss.
TRIES, MARGIN = 4, 1.003

Train = Callable[[keras.Model], object]


@dataclass(frozen=True)
class Candidate:
    """A compressed model.

    Attributes:
        method: how it was pruned.
        sparsity: that was asked for.
        bits: per weight; None for a model that is not quantized.
        needs: its `Needs`.
        error: of its outputs on held-out examples, see `Closeness`.
        quality: on the same.
        model: an ordinary Keras model; its dead units are removed.
        content: the bytes of its file; None where these are not limited.
    """

    method: str
    sparsity: float
    bits: int | None
    needs: Needs
    error: float
    quality: float
    model: keras.Model = field(repr=False)
    content: bytes | None = field(repr=False)

    def __str__(self) -> str:
        bits = f", {self.bits} bits" if self.bits else ""
        return f"{self.method} at {percent(self.sparsity)}{bits}: {self.needs}"


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
        candidates: all that were made.
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
        self.candidates: list[Candidate] = []
        self._pruned: tuple[float, keras.Model] | None = None
        self._sketches: dict[float, keras.Model] = {}
        self._sketched: dict[tuple[float, int | None], Needs] = {}
        self._ratios: dict[str, float] = {}  # of what candidates need to what sketches do

    def closest(self) -> Candidate:
        """The one that is closest to the dense model, of those that keep the limits."""
        if self.limits.bytes is None:
            return self._within_limits(None)
        best = self._within_limits(FIRST_BITS)
        for step in (-1, 1):
            found = best
            for bits in _onwards(FIRST_BITS, step):
                next_ = self._within_limits(bits)
                if next_.error >= found.error:
                    break
                found = next_
            if found is not best:
                return found
        return best

    def smallest(self, max_drop: float) -> Candidate:
        """The one with the smallest file, of those that are close enough; if none is, the closest.

        Args:
            max_drop: as for `compress`.
        """

        def is_enough(candidate):
            return self.closeness.drop(candidate.quality) <= max_drop

        place = _last(
            len(FEW_DENSITIES), lambda place: is_enough(self._made(FEW_DENSITIES[place], MANY_BITS))
        )
        # One step before, fewer bits may suffice.
        for number in {max(place, 0), max(place - 1, 0)}:
            for bits in BITS:
                self._made(FEW_DENSITIES[number], bits)
        enough = [each for each in self.candidates if is_enough(each)]
        if enough:
            return min(enough, key=lambda each: each.needs.bytes or 0)
        return min(self.candidates, key=lambda each: self.closeness.drop(each.quality))

    def _within_limits(self, bits):
        """The candidate with about the least sparsity that keeps the limits."""
        for _ in range(TRIES):
            density = self._density(bits)
            found = self._made(density, bits)
            if not found.needs.exceeding(self.limits):
                return found
            # Re-fitted weights differ from those of the sketch; so do the bytes that they take.
            own, sketched = found.needs.known(), self.sketched(density, bits).known()
            self._ratios = {name: MARGIN * own[name] / sketched[name] for name in own}
        raise UsageError(
            f"{self.limits}: this cannot be kept; the last attempt, {found}, needs more."
        )

    def _density(self, bits):
        """The largest share of weights or units that can be kept, as far as models tell that are
        only pruned, not re-fitted."""

        def fits(place):
            needs = self.sketched(DENSITIES[place], bits)
            return not needs.times(self._ratios).exceeding(self.limits)

        place = _first(len(DENSITIES), fits)
        if place is None:
            needed = self.sketched(DENSITIES[-1], bits)
            raise UsageError(
                f"{self.limits}: {self.method!r} cannot reach this; with {percent(DENSITIES[-1])} "
                f"of what it prunes the model still needs {needed}."
            )
        return DENSITIES[place]

    def sketched(self, density: float, bits: int | None) -> Needs:
        """What a model needs that is only pruned and quantized."""
        if density not in self._sketches:
            self._sketches[density] = self._sketch.at(1 - density)
        if (density, bits) not in self._sketched:
            model = self._sketches[density]
            model = model if bits is None else quantized(model, bits)
            self._sketched[density, bits] = needs_of(model, self.limits)
        return self._sketched[density, bits]

    @cached_property
    def _sketch(self):
        return Sketch(self.dense, self.method, self.examples, self.seed)

    def _made(self, density, bits):
        density = float(density)
        known = [c for c in self.candidates if c.bits == bits and c.sparsity == 1 - density]
        if known:
            return known[0]
        model = self._refitted(density)
        if bits is not None:
            model = fitted_to_levels(model, bits, self.examples, self.seed)
        content = None if bits is None else to_bytes(model)
        needs = needs_of(model, self.limits, content and len(content))
        error, quality = self.closeness(model)
        sparsity = 1 - density
        found = Candidate(self.method, sparsity, bits, needs, error, quality, model, content)
        if self.verbose:
            echo(f"{found}; {self.closeness.name} {quality:.4f}")
        self.candidates.append(found)
        return found

    def _refitted(self, density):
        if self._pruned is None or self._pruned[0] != density:
            with warnings.catch_warnings():
                if self.candidates:  # they have been given
                    warnings.simplefilter("ignore", UserWarning)
                self._pruned = density, self._new(density)
        return self._pruned[1]

    def _new(self, density):
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


class Sketch:
    """A model that is pruned, to any sparsity, but not re-fitted.

    Args:
        dense, method, examples, seed: as for `Search`.
    """

    def __init__(self, dense: keras.Model, method: str, examples: Examples, seed: int) -> None:
        self.model = copy_of_model(dense)
        parsed = checked_method(method, oneshot=True, recoveries=tuple(RECOVERIES))
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


def _onwards(bits, step):
    """The numbers of bits that follow."""
    return range(bits + step, BITS[0] - 1 if step < 0 else BITS[-1] + 1, step)


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
