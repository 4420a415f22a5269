"""`Networks` of any Keras model."""

from collections.abc import Callable, Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.subnetwork import Subnetwork
from ..models import model as models
from ..models.architectures import is_dense
from ..models.backend import tf
from ..pruning.methods import REFERENCE, parse
from ..pruning.model_measures import size_of
from ..pruning.model_sizes import columns
from ..pruning.prunables import hidden_kernels
from ..pruning.prune import Pruner
from ..pruning.statistics import sample
from ..utils import RunError, UsageError
from .loop import train
from .model_evaluation import ModelEvaluator, ModelWeights
from .networks import Networks

if TYPE_CHECKING:
    import keras

    from ..data.data_loaders.loader_utils import Dataset, Split
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from .evaluation import Metrics
    from .loop import Epoch
    from .model_retraining import ModelRetrainer
    from .networks import NetworkWeights


class KerasNetworks(Networks):
    """All networks of one experiment with a Keras model of any kind; see `Networks`.

    Args:
        config: the settings of training, pruning and recovery.
        dataset: the `Dataset`; examples are given the shape that the model takes.

    Raises:
        UsageError: if the model cannot be had, does not fit the data, or has nothing to prune.
    """

    def __init__(self, config: "ExperimentConfig", dataset: "Dataset") -> None:
        self.config = config
        # Only a place to put weights into: no network lives here.
        self.model = models.build_for(config, dataset)
        taken: Any = models.example_shape(self.model, dataset.shape)
        self.dataset = dataset.shaped(taken)
        # Who takes images as rows has to be told what they look like, to move them.
        self.shape = max(dataset.shape, self.dataset.shape, key=len)
        self.initial = ModelWeights.of(self.model)
        self._evaluate = ModelEvaluator(self.model, self.penalty_of(self.model))
        self._pruners = {}
        self.reference = tuple(method for method in REFERENCE if self._can_be_pruned(method))
        for text in config.methods:
            method = parse(text)
            if method not in REFERENCE:
                self.pruner(method)  # complains before the work
        # XLA knows fewer operations than models may have, and is no faster at convolutions.
        self.compiled = False

    def _can_be_pruned(self, method):
        """Whether the model can be by a reference method; by weight it must be."""
        try:
            self.pruner(method)
        except UsageError as error:
            if not method.by_unit:
                raise
            self._without_units = str(error)
            return False
        return True

    def new_model(self) -> "keras.Model":
        models.keras.utils.set_random_seed(self.config.seed)  # of dropout and the like
        model = models.clone(self.model)
        self.initial.put_into(model)
        return model

    def penalty_of(self, model: "keras.Model") -> Callable[[], Any] | None:
        """A function that returns the penalty of the hidden kernels; None if there is none, or the
        model adds it itself."""
        l1_reg, l2_reg = self.config.l1_reg, self.config.l2_reg
        # Architectures of dense layers have them as regularizers.
        if not (l1_reg or l2_reg) or is_dense(self.config.model):
            return None
        variables = [kernel.variable for kernel in hidden_kernels(model)]

        def penalty():
            l1 = tf.add_n([tf.reduce_sum(tf.abs(variable)) for variable in variables])
            l2 = tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in variables])
            return l1_reg * l1 + l2_reg * l2

        return penalty

    def weights_of(self, model: "keras.Model") -> ModelWeights:
        return ModelWeights.of(model)

    def read(self, path: str | PathLike) -> ModelWeights:
        try:
            self.model.load_weights(path)
        except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"{path} is not a checkpoint of this program; restore it, or train anew with "
                "`force_train`."
            ) from error
        weights = ModelWeights.of(self.model)
        if not weights.are_finite():
            raise RunError(
                f"{path} holds weights that are not finite; restore it, or train anew with "
                "`force_train`."
            )
        return weights

    def train(
        self,
        model: "keras.Model",
        on_steps: Callable[[int], object],
        on_epoch: "Callable[[Epoch], object]",
        first_epoch: int = 1,
        last_epoch: int | None = None,
    ) -> None:
        valid = self.dataset.valid
        train(
            model,
            self.dataset,
            self.config,
            on_steps,
            on_epoch,
            first_epoch,
            last_epoch,
            (lambda trained: self._tested(trained, valid)) if valid else None,
            self.penalty_of(model),
            self.compiled,
        )

    def _tested(self, model, split):
        ModelWeights.of(model).put_into(self.model)
        return self._evaluate(split)

    def pruner(self, method: "Method") -> Pruner:
        """The `Pruner` of a method, of the model that weights are put into."""
        if method not in self._pruners:
            self._pruners[method] = Pruner(
                self.model, method, 0.0, self._sample, (), self.config.seed
            )
        return self._pruners[method]

    @cached_property
    def _sample(self):
        chosen = sample(self.dataset.train, self.config.seed)
        return chosen.images, chosen.labels

    def variable_masks(
        self, method: "Method", masks: Mapping[str, np.ndarray]
    ) -> dict[int, np.ndarray]:
        """Masks of a method's prunables as masks of the model's weights, by their numbers."""
        numbers = {id(variable): number for number, variable in enumerate(self.model.weights)}
        pairs = self.pruner(method).prunables.masks(masks)
        return {numbers[id(variable)]: mask for variable, mask in pairs}

    def whole_masks(self, method: "Method") -> dict[str, np.ndarray]:
        """The masks of a method's prunables that keep everything, by name."""
        layers = self.pruner(method).prunables.layers
        return {name: np.ones(layer.shape, bool) for name, layer in layers.items()}

    def living_part(self, weights: ModelWeights) -> Subnetwork:
        """The `Subnetwork` of the network with these weights that lives, compiled."""
        weights.put_into(self.model)
        models.keras.utils.set_random_seed(self.config.seed)  # of dropout and the like
        part = Subnetwork.living(self.model)
        models.compile_model(
            part.model, self.config.learning_rate, models.answers_logits(self.model)
        )
        return part

    def rank(self, method: "Method", dense: Any) -> "dict[str, Ranking]":
        dense.put_into(self.model)
        return self.pruner(method).rankings()

    def values(
        self, method: "Method", dense: Any, rankings: "Mapping[str, Ranking]"
    ) -> dict[str, np.ndarray]:
        if method.by_unit:
            # Units of zeros only rank below all others.
            return {name: np.maximum(ranking.scores, 0) for name, ranking in rankings.items()}
        dense.put_into(self.model)
        return self.pruner(method).prunables.matrices()

    def hidden_matrices(self, weights: "NetworkWeights") -> dict[str, np.ndarray]:
        weights.put_into(self.model)
        return {kernel.name: kernel.matrix() for kernel in hidden_kernels(self.model)}

    def labels(self, method: "Method") -> dict[str, str]:
        """Groups are called by all of their layers."""
        layers = self.pruner(method).prunables.layers
        return {name: layer.label for name, layer in layers.items()}

    def pruned(
        self, method: "Method", dense: Any, rankings: "Mapping[str, Ranking]", k: float
    ) -> ModelWeights:
        pruner = self.pruner(method)
        dense.put_into(self.model)
        pruner.remove(pruner.masks_at(rankings, k))
        return ModelWeights.of(self.model)

    def test(self, weights: "NetworkWeights") -> "tuple[Metrics | None, Metrics]":
        weights.put_into(self.model)
        valid = self._evaluate(self.dataset.valid) if self.dataset.valid else None
        return valid, self._evaluate(self.dataset.test)

    def validate(self, weights: "NetworkWeights") -> "Metrics | None":
        weights.put_into(self.model)
        return self._evaluate(self.dataset.valid) if self.dataset.valid else None

    def probabilities(self, weights: ModelWeights, split: "Split") -> np.ndarray:
        """What a network answers to a split, of shape (n, classes)."""
        weights.put_into(self.model)
        return self._evaluate.probabilities(split)

    def measure(self, weights: "NetworkWeights") -> dict:
        weights.put_into(self.model)
        return columns(size_of(self.model, self.dataset.shape))

    def retrainer(self, dense: Any, rewound: Callable[[], Any]) -> "ModelRetrainer":
        from .model_retraining import ModelRetrainer

        return ModelRetrainer(self, dense, rewound)

    def remarks(self) -> list[str]:
        found = []
        told, classes = models.num_outputs(self.model), self.dataset.num_classes
        if told is not None and told > classes:
            found.append(
                f"Note: the model tells {told} classes apart, but the data has only {classes}; "
                f"answers above class {classes - 1} are never right."
            )
        if models.answers_logits(self.model):
            found.append("The model's answers are taken for logits: they are no probabilities.")
        if self._scales_itself():
            found.append(
                "Note: the model scales its inputs itself, and the examples are bytes, which it is "
                "given as 0 to 1. If it expects 0 to 255, save them as float32."
            )
        if len(self.reference) < len(REFERENCE):
            found.append(f"Not pruned by unit: {self._without_units}")
        for method in self.reference:
            alone = self.pruner(method).prunables.left_alone
            if alone:
                found.append(f"Not pruned by {method.name}: {', '.join(alone)}.")
        return found

    def _scales_itself(self):
        """Whether bytes are scaled by the model, besides what is done to all bytes here."""
        layers = models.keras.layers
        scaling = (layers.Rescaling, layers.Normalization, layers.Embedding)
        return self.dataset.train.pixels.dtype == np.uint8 and any(
            isinstance(layer, scaling) for layer in self.model._flatten_layers(include_self=False)
        )
