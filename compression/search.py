"""The search for the compressed model that a limit allows."""

from functools import cached_property

import keras
import numpy as np

from ..pruning.prunables import hidden_kernels
from ..utils import UsageError, percent
from .candidates import Candidate, Maker
from .limits import Needs
from .quantization import quantized
from .sketches import Sketch, without_dead_units

# Shares of the weights or units that are kept, most first: where a limit says how many, and where
# only closeness does, which takes a re-fit each.
DENSITIES = np.geomspace(1, 0.002, 256)
FEW_DENSITIES = np.geomspace(1, 0.004, 14)
# With so many bits the search begins; others are tried as long as the error is no larger than so
# many times the least. The second ones, here and below, are of methods that train: candidates take
# longer, and differ by chance.
FIRST_BITS, WORSE = (4, 3), (1.2, 1.0)
# With so many it is only about pruning.
MANY_BITS = 6, 4
# How much more a model needs that is trained while it is pruned: fewer of its units are dead.
ALIVE = 1.2
# With less of a limit than this, another candidate is tried that needs more.
FULL = 0.93
# How often a model that needs too much is made again with less, and by how much it is to miss.
TRIES, MARGIN = 6, (1.003, 1.02)


class Search:
    """Searches among the candidates of one method.

    Args:
        maker: makes them.

    Attributes:
        rows: all candidates that were made, without their models.
    """

    def __init__(self, maker: Maker) -> None:
        self.maker, self.limits = maker, maker.limits
        self.rows: list[Candidate] = []
        can_be_pruned = bool(hidden_kernels(maker.dense))
        self._densities = DENSITIES if can_be_pruned else DENSITIES[:1]
        self._few_densities = FEW_DENSITIES if can_be_pruned else FEW_DENSITIES[:1]
        self._best: Candidate | None = None
        # What sketches need, and the last of these.
        self._sketched_model: tuple[float, keras.Model] | None = None
        self._sketched: dict[tuple[float, int | None], Needs] = {}
        # Of what candidates need to what sketches do, by name: by bits, and of the last one.
        self._ratios: dict[int | None, dict[str, float]] = {}
        self._last_ratios: dict[str, float] = {}
        self._last: tuple[float, Candidate] | None = None

    def closest(self) -> Candidate:
        """The one that is closest to the dense model, of those that keep the limits.

        Raises:
            UsageError: if none does; the message says what the last one needs.
        """
        if self.limits.bytes is None:
            return self._fuller(self._within_limits(None))
        if not self.sketched(1.0, None).exceeding(self.limits):
            exact = self.maker.made(1.0, None)
            self.rows.append(exact.row)
            if not exact.needs.exceeding(self.limits):
                return exact
        best, failures = None, []
        first, worse = self._of_kind(FIRST_BITS), self._of_kind(WORSE)
        fewer = [bits for bits in reversed(self.maker.bits) if bits <= first]
        more = [bits for bits in self.maker.bits if bits > first]
        for order in (fewer, more):
            for bits in order:
                try:
                    found = self._within_limits(bits, worse * best.error if best else np.inf)
                except UsageError as error:
                    failures.append(error)
                    if order is more:  # still more bits need even more
                        break
                    continue
                if best is None or found.error < best.error:
                    best = found
                if found.error > worse * best.error:
                    break
        if best is None:
            raise failures[-1]
        return self._fuller(best)

    def _fuller(self, found):
        """A candidate with more weights that keeps the limits and is closer, if one more attempt
        finds it; else the given one."""
        shares = [
            need / self.limits.known()[name]
            for name, need in found.needs.known().items()
            if name in self.limits.known()
        ]
        density = min(1.0, (1 - found.sparsity) / (max(shares) * self._margin))
        if self.maker.prunes_units or max(shares) > FULL or density <= 1 - found.sparsity:
            return found
        other = self.maker.made(density, found.bits)
        self.rows.append(other.row)
        fits = not other.needs.exceeding(self.limits)
        return other if fits and other.error < found.error else found

    def smallest(self, max_drop: float) -> Candidate:
        """The one with the smallest file, of those that are close enough; if none is, the closest.

        Args:
            max_drop: as for `compress`.
        """
        densities, many = self._few_densities, self._of_kind(MANY_BITS)

        def rank(row):
            drop = self.maker.closeness.drop(row.quality)
            return (drop > max_drop, drop if drop > max_drop else row.needs.bytes)

        def is_enough(place):
            return not rank(self._candidate(densities[place], many, rank))[0]

        place = _last(len(densities), is_enough)
        few = [bits for bits in self.maker.bits if bits <= many] or self.maker.bits
        # One step before, fewer bits may suffice; one step after, others may by chance.
        for number in range(max(place - 1, 0), min(place + 2, len(densities))):
            for bits in few:
                self._candidate(densities[number], bits, rank)
        for bits in self.maker.bits:
            if rank(self._best)[0]:  # not enough yet
                self._candidate(densities[0], bits, rank)
        return self._best  # type: ignore[return-value]  # there is one

    def _candidate(self, density, bits, rank):
        """A row, made unless it is known; the best candidate is kept, with its model."""
        for row in self.rows:
            if (row.sparsity, row.bits) == (1 - density, bits):
                return row
        found = self.maker.made(density, bits)
        self.rows.append(found.row)
        if self._best is None or rank(found) < rank(self._best):
            self._best = found
        return found.row

    def _within_limits(self, bits, most_error=np.inf):
        """The candidate with about the least sparsity that keeps the limits, or the first one whose
        error is larger than so much: with a larger sparsity it would be larger still."""
        for number in range(1, TRIES + 1):
            density = self._density(bits)
            found = self.maker.made(density, bits)
            self.rows.append(found.row)
            # Re-fitted weights differ from those of the sketch; so do the bytes that they take.
            own, sketched = found.needs.known(), self.sketched(density, bits).known()
            self._last_ratios = {name: own[name] / sketched[name] for name in own}
            self._last = density, found.row
            if not found.needs.exceeding(self.limits) or found.error > most_error:
                return found
            margin = self._margin**number
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
            whole, least = (self.sketched(densities[n], bits) for n in (0, -1))
            raise UsageError(
                f"{self.limits}: {self.maker.method!r} cannot reach this; unpruned, the model "
                f"needs {whole}, and pruned by {percent(1 - densities[-1])} {least}. "
                "(Shares are numbers of at most 1, such as 0.1.)"
            )
        return densities[place]

    def _expected(self, density, bits):
        """What a candidate will need, as far as sketches and the last candidate tell."""
        sketched = self.sketched(density, bits)
        if density == 1 and bits not in self._ratios:  # the model as it is
            return sketched
        if self._last is None:
            first = ALIVE if self.maker.distills else 1
            return sketched.times(dict.fromkeys(self._in_proportion, first))
        expected = sketched.times(self._ratios.get(bits, self._last_ratios))
        # Where units die in a sketch they may not in a model that learns meanwhile: what weights
        # take is assumed to be no less than in proportion to their number.
        last_density, last = self._last
        now, then = (self.sketched(last_density, b).known() for b in (bits, last.bits))
        share, own = density / last_density, last.needs.known()
        least = {n: share * own[n] * now[n] / then[n] for n in self._in_proportion if n in now}
        values = {n: max(value, least.get(n, 0)) for n, value in expected.known().items()}
        return Needs(**values)

    @property
    def _margin(self):
        return self._of_kind(MARGIN)

    def _of_kind(self, pair):
        """The first of a pair, or the second for methods that train."""
        return pair[self.maker.distills]

    @property
    def _in_proportion(self):
        return () if self.maker.prunes_units else ("bytes", "parameters")

    def sketched(self, density: float, bits: int | None) -> Needs:
        """What a model needs that is only pruned and quantized."""
        if (density, bits) not in self._sketched:
            if self._sketched_model is None or self._sketched_model[0] != density:
                self._sketched_model = density, self._sketch_at(density)
            model = self._sketched_model[1]
            model = model if bits is None else quantized(model, bits)
            self._sketched[density, bits] = self.maker.needs_of(model)
        return self._sketched[density, bits]

    def _sketch_at(self, density):
        if density == 1:
            return without_dead_units(self.maker.dense)
        return self._sketch.at(1 - density)

    @cached_property
    def _sketch(self):
        maker = self.maker
        return Sketch(maker.dense, maker.method, maker.few, maker.seed)


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
