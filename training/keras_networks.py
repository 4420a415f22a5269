"""`Networks` of any Keras model.

`DenseNetworks`, a subclass, draws figures without TensorFlow: modules that need it are imported
where they are used.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.architectures import is_dense
from ..models.weights import Weights, checked_weights
from ..pruning.methods import REFERENCE, parse
from ..pruning.model_sizes import columns
from ..pruning.statistics import sample
from ..utils import UsageError
from .networks import Networks

if TYPE_CHECKING:
    import keras

    from ..data.data_loaders.loader_utils import Dataset, Split
    from ..graph.subnetwork import Subnetwork
    from ..pruning.methods import Method
    from ..pruning.prune import Pruner
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from .evaluation import Metrics
    from .loop import Epoch
    from .retraining import Retrainer


class KerasNetworks(Networks):
    """All networks of one experiment with a Keras model of any kind; see `Networks`.

    Args:
        config: the settings of training, pruning and recovery.
        dataset: the `Dataset`; examples are reshaped to what the model takes.

    Raises:
        UsageError: if the model cannot be built, does not fit the data, or has nothing to prune.
    """

    # XLA does not support all operations of models, and is no faster at convolutions.
    compiled = False

    def __init__(self, config: "ExperimentConfig", dataset: "Dataset") -> None:
        from ..models.model import example_shape

        self.config, self.dataset = config, dataset
        taken: Any = example_shape(self.model, dataset.shape)
        self.dataset = dataset.shaped(taken)
        # The images' own shape, which augmentation needs if the model takes flat ones.
        self.shape = max(dataset.shape, self.dataset.shape, key=len)
        self.reference = tuple(method for method in REFERENCE if self._can_be_pruned(method))
        for text in config.methods:
            method = parse(text)
            if method not in REFERENCE:
                self.pruner(method)  # fails before training

    def _can_be_pruned(self, method):
        """Whether a reference method can prune the model; by weight it must."""
        try:
            self.pruner(method)
        except UsageError as error:
            if not method.by_unit:
                raise
            self._unit_error = str(error)
            return False
        return True

    @cached_property
    def model(self) -> "keras.Model":
        """A model that weights are assigned to when they are used; it represents no network."""
        from ..models.model import build_for

        model = build_for(self.config, self.dataset)
        self.initial = Weights.of(model)
        return model

    def new_model(self) -> "keras.Model":
        from ..models import model as models

        models.keras.utils.set_random_seed(self.config.seed)  # such as of dropout
        model = models.clone(self.model)
        self.initial.put_into(model)
        return model

    def weights_of(self, model: "keras.Model") -> Weights:
        return Weights.of(model)

    def read(self, path: str | PathLike) -> Weights:
        def load():
            self.model.load_weights(path)
            return Weights.of(self.model)

        return checked_weights(path, load)

    def train(
        self,
        model: "keras.Model",
        on_steps: Callable[[int], object],
        on_epoch: "Callable[[Epoch], object]",
        first_epoch: int = 1,
        last_epoch: int | None = None,
    ) -> None:
        from .loop import train

        train(
            model,
            self.dataset,
            self.config,
            lambda: self.validate(Weights.of(model)),
            on_steps,
            on_epoch,
            first_epoch,
            last_epoch,
            self.penalty_of(model),
            self.compiled,
        )

    def penalty_of(self, model: "keras.Model") -> Callable[[], Any] | None:
        """A function that returns the penalty on the hidden kernels, as a tensor; None if there is
        none, or the model's own regularizers add it."""
        from ..models.backend import tf
        from ..pruning.prunables import hidden_kernels

        l1_reg, l2_reg = self.config.l1_reg, self.config.l2_reg
        # Architectures of dense layers have regularizers.
        if not (l1_reg or l2_reg) or is_dense(self.config.model):
            return None
        variables = [kernel.variable for kernel in hidden_kernels(model)]

        def penalty():
            l1 = tf.add_n([tf.reduce_sum(tf.abs(variable)) for variable in variables])
            l2 = tf.add_n([tf.reduce_sum(tf.square(variable)) for variable in variables])
            return l1_reg * l1 + l2_reg * l2

        return penalty

    def pruner(self, method: "Method") -> "Pruner":
        """The `Pruner` of `model` by a method."""
        if method not in self._pruners:
            from ..pruning.prune import Pruner

            data = self._sample.images, self._sample.labels
            self._pruners[method] = Pruner(
                self.model, method, 0.0, data, (), self.config.seed, on_host=True
            )
        return self._pruners[method]

    @cached_property
    def _pruners(self):
        return {}

    @cached_property
    def _sample(self):
        return sample(self.dataset.train, self.config.seed)

    def rank(
        self,
        method: "Method",
        weights: Weights,
        masks: Mapping[str, np.ndarray] | None = None,
    ) -> "dict[str, Ranking]":
        weights.put_into(self.model)
        pruner = self.pruner(method)
        return pruner.rankings(masks, None if masks is None else pruner.live_masks())

    def pruned(
        self, method: "Method", dense: Weights, rankings: "Mapping[str, Ranking]", k: float
    ) -> Weights:
        return self.masked(method, dense, self.masks_at(method, rankings, k))

    def masks_at(
        self, method: "Method", rankings: "Mapping[str, Ranking]", k: float
    ) -> dict[str, np.ndarray]:
        """The masks of a method's dependency groups at sparsity `k`, by name."""
        return self.pruner(method).masks_at(rankings, k)

    def masked(
        self, method: "Method", weights: Weights, masks: Mapping[str, np.ndarray]
    ) -> Weights:
        """The weights after masks of a method's dependency groups have been applied."""
        weights.put_into(self.model)
        self.pruner(method).remove(masks)
        return Weights.of(self.model)

    def present(self, method: "Method", weights: Weights) -> dict[str, np.ndarray]:
        """The masks of a method's dependency groups that keep nonzero weights, by name."""
        weights.put_into(self.model)
        return self.pruner(method).present()

    def weight_masks(
        self, method: "Method", masks: Mapping[str, np.ndarray]
    ) -> dict[int, np.ndarray]:
        """Masks of a method's dependency groups as masks of the model's weights, by index."""
        numbers = {id(variable): number for number, variable in enumerate(self.model.weights)}
        pairs = self.pruner(method).prunables.masks(masks)
        return {numbers[id(variable)]: mask for variable, mask in pairs}

    def subnetwork(self, weights: Weights) -> "Subnetwork":
        """The `Subnetwork` of the live units, compiled."""
        from ..graph.subnetwork import Subnetwork
        from ..models import model as models

        weights.put_into(self.model)
        models.keras.utils.set_random_seed(self.config.seed)  # such as of dropout
        part = Subnetwork.of_live_units(self.model)
        logits = models.outputs_logits(self.model)
        models.compile_model(part.model, self.config.learning_rate, logits)
        return part

    def retrainer(self, dense: Weights, rewound: Callable[[], Weights]) -> "Retrainer":
        from .retraining import Retrainer

        return Retrainer(self, dense, rewound)

    def test(self, weights: Weights) -> "tuple[Metrics | None, Metrics]":
        return self.validate(weights), self.evaluate(weights, self.dataset.test)

    def validate(self, weights: Weights) -> "Metrics | None":
        return self.evaluate(weights, self.dataset.valid) if self.dataset.valid else None

    def evaluate(self, weights: Weights, split: "Split") -> "Metrics":
        """The `Metrics` of a network on a split."""
        weights.put_into(self.model)
        return self._evaluator(split)

    def probabilities(self, weights: Weights, split: "Split") -> np.ndarray:
        """A network's predicted probabilities for a split, of shape (n, classes)."""
        weights.put_into(self.model)
        return self._evaluator.probabilities(split)

    @cached_property
    def _evaluator(self):
        from .model_evaluation import ModelEvaluator

        return ModelEvaluator(self.model, self.penalty_of(self.model))

    def measure(self, weights: Weights) -> dict:
        from ..pruning.model_measures import size_of

        weights.put_into(self.model)
        return columns(size_of(self.model, self.dataset.shape))

    def hidden_matrices(self, weights: Weights) -> dict[str, np.ndarray]:
        from ..pruning.prunables import hidden_kernels

        weights.put_into(self.model)
        return {kernel.name: kernel.matrix() for kernel in hidden_kernels(self.model)}

    def values(
        self, method: "Method", dense: Weights, rankings: "Mapping[str, Ranking]"
    ) -> dict[str, np.ndarray]:
        if not method.by_unit:
            return self.hidden_matrices(dense)
        # Units without nonzero weights have negative scores.
        return {name: np.maximum(ranking.scores, 0) for name, ranking in rankings.items()}

    def labels(self, method: "Method") -> dict[str, str]:
        """The labels of the dependency groups."""
        layers = self.pruner(method).prunables.layers
        return {name: layer.label for name, layer in layers.items()}

    def notes(self) -> list[str]:
        from ..models import model as models

        found = []
        outputs, classes = models.num_outputs(self.model), self.dataset.num_classes
        if outputs is not None and outputs > classes:
            found.append(
                f"Note: the model has {outputs} outputs, but the data has only {classes} classes; "
                f"predictions above class {classes - 1} are always wrong."
            )
        if models.outputs_logits(self.model):
            found.append("The model's outputs are not probabilities: they are used as logits.")
        if self._scales_itself(models.keras.layers):
            found.append(
                "Note: the model scales its inputs itself, but the examples are bytes, which are "
                "scaled to [0, 1] before. If it expects 0 to 255, save them as float32."
            )
        if len(self.reference) < len(REFERENCE):
            found.append(f"Not pruned by unit: {self._unit_error}")
        for method in self.reference:
            unpruned = self.pruner(method).prunables.left_alone
            if unpruned:
                found.append(f"Not pruned by {method.name}: {', '.join(unpruned)}.")
        return found

    def _scales_itself(self, layers):
        """Whether the model scales bytes, which are already scaled to [0, 1]."""
        scaling = (layers.Rescaling, layers.Normalization, layers.Embedding)
        return self.dataset.train.pixels.dtype == np.uint8 and any(
            isinstance(layer, scaling) for layer in self.model._flatten_layers(include_self=False)
        )
