"""Networks as files of an export: rounded, or trained while they are quantized."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..compression.limits import Needs
from ..compression.npk import estimated_bytes, remove_dead_units, to_bytes
from ..compression.quantization import quantized
from ..compression.quantization_aware import QATTrainer
from ..compression.runtimes import deployed_latency
from ..models import model as models
from ..models.copies import copy_of_model
from ..models.weights import Weights
from ..pruning.model_measures import multiply_adds
from ..training.model_evaluation import ModelEvaluator
from ..training.retraining import targets
from ..utils import RunError, echo, pluralize
from .export_networks import Network
from .progress import progress

if TYPE_CHECKING:
    import keras

    from ..settings.export import ExportConfig
    from .export_networks import Source


# The maximum of trials, and of multiply-adds of their forward passes.
MOST_TRIALS, MOST_MULTIPLY_ADDS = 4, 1e12
# The default number of epochs. Models for which one such trial would take too long get as many
# epochs as these multiply-adds allow for all trials, about a minute on two cores.
EPOCHS, FEW_MULTIPLY_ADDS = 15, 6e11
FINETUNED = "quantization-aware training"
# Models up to this size are written to count their bytes, which takes about a second at most: the
# number of parameters, where nonzero ones count several times.
EXACT, TIMES_OF_NONZERO = 300_000, 7
# Estimates up to so many times a limit are checked.
NEAR = 1.1


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
        latency: milliseconds for one example, by `deployed_latency`.
        valid_accuracy, test_accuracy: of the model.
    """

    network: Network
    bits: int | None
    finetuned: bool
    model: Callable[[], Any] = field(repr=False)
    bytes: int
    exact: bool
    multiply_adds: int
    latency: float
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
            "multiply_adds": self.multiply_adds,
            "latency_ms": self.latency,
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
    def needs(self) -> Needs:
        """What is limited."""
        return Needs(self.bytes, None, self.multiply_adds, self.latency)

    @property
    def how(self) -> str:
        """Its quantization, as text."""
        bits = "not quantized" if self.bits is None else f"{self.bits} bits"
        return f"{bits}, {FINETUNED}" if self.finetuned else bits


class Candidates:
    """Makes the candidates of an export.

    Args:
        source: the `Source`.
        config: the `ExportConfig`.
        limits: the bytes of candidates near theirs are counted.

    Attributes:
        made: all `Candidate`s.
    """

    def __init__(self, source: "Source", config: "ExportConfig", limits: Needs) -> None:
        self.source, self.config = source, config
        self.made: list[Candidate] = []
        self._latencies: dict[int, float] = {}
        self._most_bytes = limits.bytes

    def of_network(self, network: Network, every: Iterable[int | None]) -> list[Candidate]:
        """Candidates of a network: rounded to numbers of bits; None for as it is."""
        smaller = smaller_model(network)
        test, found = self._tester(smaller), []
        for bits in every:
            # Made again when needed: all of them may be too large for memory.
            again = partial(_rounded_model, network, bits)
            model = quantized(smaller, bits) if bits else smaller
            found.append(self._add(network, bits, False, model, again, test))
        return found

    def as_it_is(self, network: Network, bits: int | None) -> Candidate:
        """The candidate of a network whose weights are on the levels of so many bits already."""
        model = smaller_model(network)
        return self._add(network, bits, False, model, lambda: model, self.tested)

    def tuned(self, candidate: Candidate) -> Candidate:
        """A candidate with the same network and bits after quantization-aware training."""
        model, bits = smaller_model(candidate.network), cast(int, candidate.bits)
        training = QATTrainer(
            model,
            bits,
            self.source.dataset.train,
            self.source,
            self._targets,
            self.source.augmentation,
            self.source.compiled,
        )
        epochs = self.epochs(candidate)
        total = epochs * -(-len(self.source.dataset.train) // self.source.batch_size)
        description = f"{candidate.network.name}, {pluralize(bits, 'bit')}"
        try:
            with progress(total=total, unit="step", desc=description) as bar:
                training.tune(epochs, self.source.learning_rate, self.config.seed, bar.update)
        except RunError:
            echo(f"  {description}: diverged; try a lower --finetune_learning_rate.")
            return candidate
        return self._add(candidate.network, candidate.bits, True, model, lambda: model, self.tested)

    def work(self, candidate: Candidate) -> float:
        """The multiply-adds of training a candidate, in forward passes."""
        return self.epochs(candidate) * self._work_of_epoch(candidate)

    def _work_of_epoch(self, candidate):
        return len(self.source.dataset.train) * candidate.multiply_adds

    def epochs(self, candidate: Candidate) -> int:
        """The number of epochs for a candidate: fewer if even one trial would take too long."""
        if self.config.finetune_epochs is not None:
            return self.config.finetune_epochs
        work = self._work_of_epoch(candidate)
        if EPOCHS * work <= MOST_MULTIPLY_ADDS:
            return EPOCHS
        return max(1, int(FEW_MULTIPLY_ADDS / MOST_TRIALS / work))

    def tested(self, model: "keras.Model") -> list[float]:
        """The validation and test accuracies of any model of these data."""
        return self._tester(model)(model)

    def _tester(self, model):
        return _Tester(model, self.source.dataset, self._are_logits)

    @cached_property
    def _are_logits(self):
        return models.outputs_logits(self.source.dense.model())

    def _add(self, network, bits, finetuned, model, again, test):
        nonzero = int(sum(map(np.count_nonzero, model.get_weights())))
        exact = model.count_params() + (TIMES_OF_NONZERO - 1) * nonzero <= EXACT
        size = len(to_bytes(model)) if exact else estimated_bytes(model)
        if not exact and self._most_bytes and size < NEAR * self._most_bytes:
            size, exact = len(to_bytes(model)), True
        # Those of a network differ in the values of their weights, which take the same time.
        if id(network) not in self._latencies:
            self._latencies[id(network)] = deployed_latency(
                model, self.source.dataset.test.images[:1]
            )
        needs = size, exact, multiply_adds(model), self._latencies[id(network)]
        candidate = Candidate(network, bits, finetuned, again, *needs, *test(model))
        if not self.made or self.made[-1].network is not network:
            echo(network.name)
        self.made.append(candidate)
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
