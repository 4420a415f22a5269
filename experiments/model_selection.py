"""Chooses the smallest network that is accurate enough, and its number of bits per weight."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compression.npk import estimated_bytes, remove_dead_units, to_bytes
from ..compression.quantization import quantized
from ..compression.quantization_aware import QATTrainer
from ..models import model as models
from ..models.copies import copy_of_model
from ..models.weights import Weights
from ..pruning.model_measures import multiply_adds
from ..training.model_evaluation import ModelEvaluator
from ..training.retraining import targets
from ..utils import RunError, echo, percent, pluralize, progress
from .export_networks import Network

if TYPE_CHECKING:
    import keras

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
# The maximum of trials, and of multiply-adds of their forward passes.
MOST_TRIALS, MOST_MULTIPLY_ADDS = 4, 1e12
# The default number of epochs. Models for which one such trial would take too long get as many
# epochs as these multiply-adds allow for all trials, about a minute on two cores.
EPOCHS, FEW_MULTIPLY_ADDS = 15, 6e11
# How many of the smallest numbers of bits are tried for a network that must gain accuracy.
FEWEST = 2
FINETUNED = "quantization-aware training"
# Models up to this size are written to count their bytes, which takes about a second at most: the
# number of parameters, where nonzero ones count several times.
EXACT, TIMES_OF_NONZERO = 300_000, 7


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network as a file.

    Attributes:
        network: the `Network`.
        bits: per weight; None if it is not quantized.
        finetuned: whether it had quantization-aware training.
        model: a function that returns the Keras model.
        bytes: of the whole `.npk` file.
        exact: whether the bytes were counted; for large models they are estimated, within five per
            cent, because writing takes a microsecond or more per weight.
        multiply_adds: for one example, as if nothing were zero.
        valid_accuracy, test_accuracy: of the model.
    """

    network: Network
    bits: int | None
    finetuned: bool
    model: Callable[[], Any] = field(repr=False)
    bytes: int
    exact: bool
    multiply_adds: int
    valid_accuracy: float
    test_accuracy: float

    def row(self) -> dict[str, Any]:
        """A row of the record, as JSON-ready values."""
        return {
            "network": self.network.name,
            "bits": self.bits,
            "finetuned": self.finetuned,
            "bytes": self.bytes,
            "exact": self.exact,
            "valid_accuracy": self.valid_accuracy,
            "test_accuracy": self.test_accuracy,
        }

    def __str__(self) -> str:
        mark = "" if self.exact else "~"
        return (
            f"{self.how:36} {mark + format(self.bytes, ','):>11} bytes  "
            f"{100 * self.valid_accuracy:6.2f} %"
        )

    @property
    def how(self) -> str:
        """Its quantization, as text."""
        bits = "not quantized" if self.bits is None else f"{self.bits} bits"
        return f"{bits}, {FINETUNED}" if self.finetuned else bits


class ModelSelection:
    """Searches for the smallest file that is accurate enough compared with `--reference`. Only
    validation accuracy decides.

    Args:
        source: the `Source`.
        config: the `ExportConfig`.

    Attributes:
        candidates: all `Candidate`s that were made.
    """

    def __init__(self, source: "Source", config: "ExportConfig") -> None:
        self.source, self.config = source, config
        self.candidates = []

    def chosen(self) -> Candidate:
        """The smallest `Candidate` that is accurate enough.

        Those that may become accurate enough by quantization-aware training are tried in a
        bisection over their bytes.

        Raises:
            RunError: if no network is accurate enough, which is possible if the user chose some.
        """
        rounded = self._rounded()
        best = min(filter(self._is_good, rounded), key=attrgetter("bytes"), default=None)
        untried, work = self._hopeful(rounded, best), 0.0
        for number in range(0 if self.config.finetune_epochs == 0 else MOST_TRIALS):
            if not untried:
                break
            # Larger files are mostly more accurate: each trial halves the candidates.
            middle = len(untried) // 2
            work += self._work(untried[middle])
            if number and work > MOST_MULTIPLY_ADDS:
                echo(f"No more {FINETUNED}: it would take too long.")
                break
            tuned = self._tuned(untried[middle])
            is_good = self._is_good(tuned)
            if is_good and (best is None or tuned.bytes < best.bytes):
                best = tuned
            untried = untried[:middle] if is_good else untried[middle + 1 :]
        if best is None:
            raise RunError(self._none_is_good())
        return best

    def reference(self, network: Network) -> "Reference | Network":
        """The reference of a network: its control, or the baseline."""
        control: Any = network.control
        return control if self.config.reference == "control" else self.source.dense

    def least(self, network: Network) -> float:
        """The validation accuracy that a network must have."""
        return self.reference(network).valid_accuracy - self.config.max_accuracy_drop

    def _none_is_good(self):
        networks = [(network, network.valid_accuracy) for network in self.source.networks]
        tried = [(c.network, c.valid_accuracy) for c in self.candidates]
        network, reached = max([*networks, *tried], key=lambda pair: pair[1] - self.least(pair[0]))
        reference = self.reference(network)
        drop = math.ceil(1e4 * (reference.valid_accuracy - reached)) / 1e4
        return (
            f"No network reaches a validation accuracy of {percent(round(self.least(network), 6))},"
            f" as --max_accuracy_drop={self.config.max_accuracy_drop:g} requires ({reference.name}:"
            f" {percent(reference.valid_accuracy)}); the best has {percent(reached)}. Give "
            f"--max_accuracy_drop={drop:g}, or leave out --method and --k."
        )

    def _hopeful(self, rounded, best):
        """Rounded candidates that are smaller and may be accurate enough after quantization-aware
        training, by size."""
        limit = math.inf if best is None else best.bytes
        smaller = sorted((c for c in rounded if c.bytes < limit), key=attrgetter("bytes"))
        return [c for c in smaller if c.bits and self._is_hopeful(c)]

    def _work(self, candidate):
        """The multiply-adds of training a candidate, in forward passes."""
        return self._epochs(candidate) * self._work_of_epoch(candidate)

    def _work_of_epoch(self, candidate):
        return len(self.source.dataset.train) * candidate.multiply_adds

    def _epochs(self, candidate):
        """The number of epochs for a candidate: fewer if even one trial would take too long."""
        if self.config.finetune_epochs is not None:
            return self.config.finetune_epochs
        work = self._work_of_epoch(candidate)
        if EPOCHS * work <= MOST_MULTIPLY_ADDS:
            return EPOCHS
        return max(1, int(FEW_MULTIPLY_ADDS / MOST_TRIALS / work))

    def _is_hopeful(self, candidate):
        """Whether a rounded network may be accurate enough after quantization-aware training."""
        before, rounded = candidate.network.valid_accuracy, candidate.valid_accuracy
        worse = HOPEFUL if candidate.network.trained else HOPEFUL_UNTRAINED
        return before + OF_ROUNDING * (rounded - before) >= self.least(candidate.network) - worse

    def tested(self, model: "keras.Model") -> list[float]:
        """The validation and test accuracies of any model of these data."""
        return self._tester(model)(model)

    def _tester(self, model):
        return _Tester(model, self.source.dataset, self._are_logits)

    @cached_property
    def _are_logits(self):
        return models.outputs_logits(self.source.dense.model())

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
        gains = self.config.finetune_epochs != 0 and not network.trained
        worse = HOPEFUL_UNTRAINED if gains else HOPEFUL_NETWORK
        return self._surplus(network) >= -worse

    def _surplus(self, network):
        """By how much a network's accuracy exceeds the required one."""
        return network.valid_accuracy - self.least(network)

    def _of_network(self, network):
        """Candidates of a network: as it is, and rounded to every number of bits; only to the
        fewest if it must gain accuracy first, when rounding matters as little as pruning."""
        smaller = smaller_model(network)
        test, found = self._tester(smaller), []
        is_good = network.trained or self._surplus(network) >= 0
        every = (None, *self.config.bits) if is_good else self.config.bits[:FEWEST]
        for bits in every:
            # Made again when needed: all of them may be too large for memory.
            again = partial(_rounded_model, network, bits)
            model = quantized(smaller, bits) if bits else smaller
            found.append(self._add(network, bits, False, model, again, test))
        return found

    def _tuned(self, candidate):
        """A candidate with the same network and bits after quantization-aware training."""
        model = smaller_model(candidate.network)
        training = QATTrainer(
            model,
            candidate.bits,
            self.source.dataset.train,
            self.source,
            self._targets,
            self.source.augmentation,
            self.source.compiled,
        )
        epochs = self._epochs(candidate)
        total = epochs * -(-len(self.source.dataset.train) // self.source.batch_size)
        description = f"{candidate.network.name}, {pluralize(candidate.bits, 'bit')}"
        try:
            with progress(total=total, unit="step", desc=description) as bar:
                training.tune(epochs, self.source.learning_rate, self.config.seed, bar.update)
        except RunError:
            echo(f"  {description}: diverged; try a lower --finetune_learning_rate.")
            return candidate
        return self._add(candidate.network, candidate.bits, True, model, lambda: model, self.tested)

    def _add(self, network, bits, finetuned, model, again, test):
        nonzero = int(sum(map(np.count_nonzero, model.get_weights())))
        exact = model.count_params() + (TIMES_OF_NONZERO - 1) * nonzero <= EXACT
        size = len(to_bytes(model)) if exact else estimated_bytes(model)
        work = multiply_adds(model)
        candidate = Candidate(network, bits, finetuned, again, size, exact, work, *test(model))
        if not self.candidates or self.candidates[-1].network is not network:
            echo(network.name)
        self.candidates.append(candidate)
        echo(f"  {candidate}")
        return candidate

    @cached_property
    def _targets(self):
        """The targets of training: labels mixed with the soft targets of the best network."""
        if not self.config.distillation:
            return None
        networks = [*self.source.networks, self.source.dense]
        teacher = max(networks, key=lambda network: network.valid_accuracy).model()
        split = self.source.dataset.train
        answers = ModelEvaluator(teacher, None).probabilities(split)
        return targets(answers, split.labels, self.config.distillation)


def smaller_model(network: Network) -> "keras.Model":
    """A `Network` as a compiled Keras model without dead units, with unchanged inputs."""
    return remove_dead_units(network.model())


def _rounded_model(network, bits):
    model = smaller_model(network)
    return quantized(model, bits) if bits else model


class _Tester:
    """Tests models of one architecture, with one compiled function for all of them."""

    def __init__(self, model, dataset, logits):
        self.dataset, self.model = dataset, copy_of_model(model)
        models.compile_model(self.model, 0.001, logits)
        self._evaluate = ModelEvaluator(self.model, None)

    def __call__(self, model):
        """The accuracies on validation and on test examples."""
        Weights.of(model).put_into(self.model)
        splits = self.dataset.valid, self.dataset.test
        return [self._evaluate(split).accuracy for split in splits]
