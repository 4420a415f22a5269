"""The smallest network that is accurate enough: which, and with how many bits for each weight."""

from dataclasses import dataclass, field
from functools import cached_property

from ..compression import npk
from ..compression.level_training import LevelTraining
from ..compression.quantization import quantized
from ..models import model as models
from ..models.model_evaluation import ModelEvaluator, ModelWeights
from ..pruning.retraining import targets
from ..utils import counted, progress, say
from .export_sources import Network

# How much worse than asked a network may be before its weights are put on levels.
HOPEFUL_NETWORK = 0.01
# What training on levels reaches lies between the network's accuracy and that of rounding it, much
# nearer to the first: by so much of the way, as seen on the reference networks.
OF_ROUNDING = 0.1
# How much worse than asked that may be to try it, and how often it is tried.
HOPEFUL, MOST_TRIALS = 0.002, 4


@dataclass(frozen=True)
class Candidate:
    """A network as a file.

    Attributes:
        network: the `Network`.
        bits: for each weight; None for all.
        finetuned: whether it was trained with its weights on their levels.
        content: of the whole file, `.npk`.
        valid_accuracy, test_accuracy: of what is in it.
    """

    network: Network
    bits: int | None
    finetuned: bool
    content: bytes = field(repr=False)
    valid_accuracy: float
    test_accuracy: float

    def row(self):
        """What is known of it, as JSON takes it."""
        return {
            "network": self.network.name,
            "bits": self.bits,
            "finetuned": self.finetuned,
            "bytes": len(self.content),
            "valid_accuracy": self.valid_accuracy,
            "test_accuracy": self.test_accuracy,
        }

    def __str__(self):
        tuned = ", trained on its levels" if self.finetuned else ""
        return (
            f"{self.how + tuned:30} {len(self.content):10,} bytes  "
            f"{100 * self.valid_accuracy:6.2f} %"
        )

    @property
    def how(self):
        """With how many bits for each weight."""
        return "all bits" if self.bits is None else f"{self.bits} bits"


class Search:
    """Looks for the smallest file that is accurate enough. Only validation accuracy decides.

    Args:
        source: the `Source`.
        config: the `ExportConfig`.

    Attributes:
        candidates: all that were made.
    """

    def __init__(self, source, config):
        self.source, self.config = source, config
        self.least = source.dense.valid_accuracy - config.max_accuracy_drop
        self.candidates = []

    def chosen(self):
        """The smallest `Candidate` that was found to be accurate enough."""
        rounded = self._rounded()
        chosen = min(filter(self._is_good, rounded), key=_size)
        if not self.config.finetune_epochs:
            return chosen
        hopeful = [c for c in sorted(rounded, key=_size) if self._is_hopeful(c, rounded)]
        for candidate in [c for c in hopeful if _size(c) < _size(chosen)][:MOST_TRIALS]:
            tuned = self._tuned(candidate)
            if self._is_good(tuned) and _size(tuned) < _size(chosen):
                return tuned
        return chosen

    def tested(self, model):
        """The accuracies of any model for these data, on validation and on test examples."""
        return _Tester(model, self.source.dataset)(model)

    def _is_good(self, candidate):
        return candidate.valid_accuracy >= self.least - 1e-9  # sums of decimal fractions

    def _is_hopeful(self, candidate, others):
        """Whether a rounded network may be good enough when it has been trained on its levels."""
        if candidate.bits is None:
            return False
        exact = next(c for c in others if c.network is candidate.network and c.bits is None)
        before, rounded = exact.valid_accuracy, candidate.valid_accuracy
        return before + OF_ROUNDING * (rounded - before) >= self.least - HOPEFUL

    def _rounded(self):
        """Candidates of the networks that may do, rounded, from the smallest on until one does."""
        found = []
        for network in self._shortlist():
            own = self._of_network(network)
            found += own
            if any(self._is_good(candidate) for candidate in own if candidate.bits):
                break
        return found

    def _shortlist(self):
        """Networks that may do, by size, none that is both larger and worse than another; the dense
        one is the last."""
        best, found = 0.0, []
        for network in sorted(self.source.networks, key=lambda n: (n.living, -n.valid_accuracy)):
            if network.valid_accuracy > best:
                best = network.valid_accuracy
                found.append(network)
        dense = self.source.dense
        hopeful = [n for n in found if n.valid_accuracy >= self.least - HOPEFUL_NETWORK]
        return [*(n for n in hopeful if n.name != dense.name), dense]

    def _of_network(self, network):
        """A network as it is, and rounded to every number of bits."""
        smaller = smaller_model(network)
        self._test = _Tester(smaller, self.source.dataset)
        every = [(None, smaller), *((bits, quantized(smaller, bits)) for bits in self.config.bits)]
        return [self._add(network, bits, False, model) for bits, model in every]

    def _tuned(self, candidate):
        """The same network with the same bits, trained on its levels."""
        model = smaller_model(candidate.network)
        self._test = _Tester(model, self.source.dataset)
        training = LevelTraining(
            model,
            candidate.bits,
            self.source.dataset.train,
            self.source,
            self._targets,
            self.source.moving,
            self.source.compiled,
        )
        epochs = self.config.finetune_epochs
        total = epochs * -(-len(self.source.dataset.train) // self.source.batch_size)
        description = f"{candidate.network.name}, {counted(candidate.bits, 'bit')}"
        with progress(total=total, unit="step", desc=description) as bar:
            training.tune(epochs, self.source.learning_rate, self.config.seed, bar.update)
        return self._add(candidate.network, candidate.bits, True, model)

    def _add(self, network, bits, finetuned, model):
        candidate = Candidate(network, bits, finetuned, npk.to_bytes(model), *self._test(model))
        if not self.candidates or self.candidates[-1].network is not network:
            say(network.name)
        self.candidates.append(candidate)
        say(f"  {candidate}")
        return candidate

    @cached_property
    def _targets(self):
        """What is learned: labels, and what the best network says."""
        if not self.config.distillation:
            return None
        networks = [*self.source.networks, self.source.dense]
        teacher = max(networks, key=lambda network: network.valid_accuracy).model()
        split = self.source.dataset.train
        answers = ModelEvaluator(teacher, None).probabilities(split)
        return targets(answers, split.labels, self.config.distillation)


def smaller_model(network):
    """A `Network` as a compiled Keras model without what is gone, behind unchanged inputs."""
    model = network.model()
    smaller = npk.without_what_is_gone(model)
    models.compile_model(smaller, 0.001, models.answers_logits(model))
    return smaller


def _size(candidate):
    return len(candidate.content)


class _Tester:
    """Tests models of one architecture: what is compiled serves all of them."""

    def __init__(self, model, dataset):
        self.dataset, self.model = dataset, models.clone(model)
        self._evaluate = ModelEvaluator(self.model, None)

    def __call__(self, model):
        """The accuracies on validation and on test examples."""
        ModelWeights.of(model).put_into(self.model)
        splits = self.dataset.valid, self.dataset.test
        return [self._evaluate(split).accuracy for split in splits]
