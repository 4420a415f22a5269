"""Chooses the smallest network that is accurate enough, and its number of bits per weight."""

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..compression.limits import Needs, limits_of
from ..utils import RunError, UsageError, echo, percent
from .export_candidates import (
    FINETUNED,
    MOST_MULTIPLY_ADDS,
    MOST_TRIALS,
    Candidate,
    Candidates,
)
from .export_networks import Network
from .export_pruning import compressed, examples_for_pruning, given_limits, pruned

if TYPE_CHECKING:
    from ..settings.export import ExportConfig
    from .export_networks import Reference, Source


# How far below the required accuracy a network may be before it is quantized.
HOPEFUL_NETWORK = 0.01
# The expected accuracy after quantization-aware training is between that of the network and that of
# rounding it: this share of the difference below the network's, as measured on the reference
# networks.
OF_ROUNDING = 0.1
# How far below the required accuracy that expectation may be for a trial.
HOPEFUL = 0.002
# The same for a network that was pruned and not retrained, which gains much more from training.
HOPEFUL_UNTRAINED = 0.05
# How many of the smallest numbers of bits are tried for a network that must gain accuracy.
FEWEST = 2
# Of networks that are pruned here: their sparsities, and the number of bits that is tried.
SPARSITIES, TRIED_BITS = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995), 3


class ModelSelection:
    """Searches for the smallest file that is accurate enough compared with `--reference`. Only
    validation accuracy decides.

    Args:
        source: the `Source`.
        config: the `ExportConfig`.

    Attributes:
        limits: of what else is limited than the accuracy, in absolute numbers.
        candidates: the `Candidates`.
    """

    def __init__(self, source: "Source", config: "ExportConfig") -> None:
        self.source, self.config = source, config
        self.limits = Needs()
        if config.has_limits:
            self.limits = limits_of(source.dense.model(), **given_limits(config))
        self.candidates = Candidates(source, config, self.limits)

    def chosen(self) -> Candidate:
        """The smallest `Candidate` that is accurate enough or, if something else is limited, the
        most accurate one that keeps the limits.

        Raises:
            RunError: if there is none.
        """
        if self.config.has_limits:
            return self._within_limits()
        prunes = self._trains and self._prunes_here() and self._none_was_trained()
        examples = examples_for_pruning(self.source, self.config) if prunes else None
        best = (self._pruned_here(examples) if examples else None) or self._smallest()
        if best is None:
            raise RunError(self._none_is_good())
        return best

    def _smallest(self):
        """The smallest one of the networks that are there, or None. Those that may become accurate
        enough by quantization-aware training are tried in a bisection over their bytes."""
        rounded = self._rounded()
        best = min(filter(self._is_good, rounded), key=attrgetter("bytes"), default=None)
        untried, work = self._hopeful(rounded, best), 0.0
        for number in range(MOST_TRIALS if self._trains else 0):
            if not untried:
                break
            # Larger files are mostly more accurate: each trial halves the candidates.
            middle = len(untried) // 2
            work += self.candidates.work(untried[middle])
            if number and work > MOST_MULTIPLY_ADDS:
                echo(f"No more {FINETUNED}: it would take too long.")
                break
            tuned = self.candidates.tuned(untried[middle])
            is_good = self._is_good(tuned)
            if is_good and (best is None or tuned.bytes < best.bytes):
                best = tuned
            untried = untried[:middle] if is_good else untried[middle + 1 :]
        return best

    @property
    def _trains(self):
        return self.config.finetune_epochs != 0

    def _prunes_here(self):
        """Whether the dense network may be pruned: if the user chose no other, and none is compared
        with its own control."""
        config = self.config
        return config.method is None and config.k is None and config.reference == "baseline"

    def _none_was_trained(self):
        """Whether no network was trained after it was pruned."""
        trained = (network for network in self.source.networks if network.trained)
        return all(network.living >= self.source.dense.living for network in trained)

    def _pruned_here(self, examples):
        """The dense network pruned as far as it stays accurate enough, or None."""
        found, untried = [], SPARSITIES
        bits = min(self.config.bits, key=lambda each: abs(each - TRIED_BITS))
        while untried:
            middle = len(untried) // 2
            network = pruned(self.source, examples, untried[middle], self.config.seed)
            (rounded,) = self.candidates.of_network(network, (bits,))
            good = [*filter(self._is_good, (rounded, self.candidates.tuned(rounded)))]
            found = [*good, *found]
            untried = untried[middle + 1 :] if good else untried[:middle]
        return min(found, key=attrgetter("bytes"), default=None)

    def _within_limits(self):
        """The most accurate candidate of those that keep the limits."""
        best = self._best_there()
        least = self.source.dense.valid_accuracy
        # Networks that were trained after pruning gain more from training on levels below.
        is_worse = best is not None and best.valid_accuracy < least and self._none_was_trained()
        if self._prunes_here() and (best is None or is_worse):
            best = self._compressed(best)
        if best is None:
            without = "" if self._prunes_here() else ", or leave out --method, --k and --reference"
            raise RunError(f"No network needs at most {self.limits}; allow more{without}.")
        if self._trains and best.bits:
            best = self._best_of([best, *self._tuned_within_limits()])
        if not self._is_good(best):
            raise RunError(self._none_is_good())
        return best

    def _tuned_within_limits(self):
        """Candidates after quantization-aware training: of those that keep the limits, the ones
        that may become the most accurate. Training changes the bytes of a file: what it did to the
        last one is expected of the next."""
        untried, ratio, work = [c for c in self.candidates.made if c.bits], 1.0, 0.0
        for number in range(MOST_TRIALS):
            expected = [(c, c.needs.times({"bytes": ratio})) for c in untried]
            fitting = [c for c, needs in expected if not needs.exceeding(self.limits)]
            if not fitting:
                break
            most = max(fitting, key=lambda c: (self._expected(c), -c.bytes))
            work += self.candidates.work(most)
            if number and work > MOST_MULTIPLY_ADDS:
                break
            untried.remove(most)
            tuned = self.candidates.tuned(most)
            yield tuned
            ratio = tuned.bytes / most.bytes

    def _compressed(self, best):
        """The better one of a candidate, or None, and the dense network, compressed to the
        limits."""
        try:
            network, bits = compressed(self.source, self.config)
        except UsageError as error:
            if best is None:
                raise RunError(f"The limits cannot be kept: {error}") from error
            return best
        if bits is None:
            made = self.candidates.of_network(network, self.config.bits)
        else:
            made = [self.candidates.as_it_is(network, bits)]
        return self._best_of([best, *made])

    def _best_there(self):
        """The most accurate candidate that keeps the limits, of the networks that are there; None
        if none does."""
        best, too_large = None, math.inf
        for network in sorted(self.source.networks, key=lambda n: (-n.valid_accuracy, n.living)):
            if best is not None and network.valid_accuracy <= best.valid_accuracy:
                break
            if network.living >= too_large:
                continue
            made = self.candidates.of_network(network, self.config.bits)
            if all("bytes" in each.needs.exceeding(self.limits) for each in made):
                too_large = network.living
            best = self._best_of([best, *made])
        return best

    def _best_of(self, candidates):
        """The most accurate one that keeps the limits, in doubt the smallest; None if none does."""
        fitting = [c for c in candidates if c is not None and not c.needs.exceeding(self.limits)]
        return max(fitting, key=lambda c: (c.valid_accuracy, -c.bytes), default=None)

    def reference(self, network: Network) -> "Reference | Network":
        """The reference of a network: its control, or the baseline."""
        control: Any = network.control
        return control if self.config.reference == "control" else self.source.dense

    def least(self, network: Network) -> float:
        """The validation accuracy that a network must have."""
        return self.reference(network).valid_accuracy - self.config.accuracy_drop

    def _none_is_good(self):
        networks = [(network, network.valid_accuracy) for network in self.source.networks]
        tried = [(c.network, c.valid_accuracy) for c in self.candidates.made]
        network, reached = max([*networks, *tried], key=lambda pair: pair[1] - self.least(pair[0]))
        reference = self.reference(network)
        drop = math.ceil(1e4 * (reference.valid_accuracy - reached)) / 1e4
        return (
            f"No network reaches a validation accuracy of {percent(round(self.least(network), 6))},"
            f" as --max_accuracy_drop={self.config.accuracy_drop:g} requires ({reference.name}:"
            f" {percent(reference.valid_accuracy)}); the best has {percent(reached)}. Give "
            f"--max_accuracy_drop={drop:g}, or leave out --method and --k."
        )

    def _hopeful(self, rounded, best):
        """Rounded candidates that are smaller and may be accurate enough after quantization-aware
        training, by size, without those of which a smaller one promises more."""
        limit, most, found = math.inf if best is None else best.bytes, -math.inf, []
        smaller = (c for c in rounded if c.bits and c.bytes < limit and self._is_hopeful(c))
        for candidate in sorted(smaller, key=attrgetter("bytes")):
            if self._promised(candidate) > most:
                most = self._promised(candidate)
                found.append(candidate)
        return found

    def _is_hopeful(self, candidate):
        """Whether a rounded network may be accurate enough after quantization-aware training."""
        return self._promised(candidate) >= 0

    def _promised(self, candidate):
        """By how much the expectation exceeds the least one for a trial."""
        worse = HOPEFUL if candidate.network.trained else HOPEFUL_UNTRAINED
        return self._expected(candidate) - (self.least(candidate.network) - worse)

    def _expected(self, candidate):
        """The validation accuracy to expect of a rounded network after that training."""
        before, rounded = candidate.network.valid_accuracy, candidate.valid_accuracy
        return before + OF_ROUNDING * (rounded - before)

    def _is_good(self, candidate):
        return candidate.valid_accuracy >= self.least(candidate.network) - 1e-9  # rounding errors

    def _rounded(self):
        """Rounded candidates of the shortlist, from the smallest network on, until one is accurate
        enough and those of the next network that may become so are all larger."""
        found, best = [], math.inf
        for network in self._shortlist():
            own = self._of_network(network)
            found += own
            if best < math.inf and not any(c.bytes < best and self._is_hopeful(c) for c in own):
                break
            best = min([best, *(c.bytes for c in own if self._is_good(c))])
        return found

    def _of_network(self, network):
        """Candidates of a network: as it is, and rounded to every number of bits; only to the
        fewest if it must gain accuracy first, when rounding matters as little as pruning."""
        is_good = network.trained or self._surplus(network) >= 0
        bits = self.config.bits
        return self.candidates.of_network(network, (None, *bits) if is_good else bits[:FEWEST])

    def _shortlist(self):
        """Networks that may be accurate enough, by size, without those that are larger than another
        one and no better relative to their required accuracy."""
        best, found = -math.inf, []
        for network in sorted(self.source.networks, key=lambda n: (n.living, -self._surplus(n))):
            if self._surplus(network) > best:
                best = self._surplus(network)
                found.append(network)
        return [n for n in found if self._may_do(n)]

    def _may_do(self, network):
        """Whether a network is accurate enough, or may become so by quantization-aware training."""
        gains = self._trains and not network.trained
        worse = HOPEFUL_UNTRAINED if gains else HOPEFUL_NETWORK
        return self._surplus(network) >= -worse

    def _surplus(self, network):
        """By how much a network's accuracy exceeds the required one."""
        return network.valid_accuracy - self.least(network)
