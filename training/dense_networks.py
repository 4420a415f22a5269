"""`Networks` of dense layers: faster, on arrays, and partly without importing TensorFlow."""

import math
from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..models.weights import Weights, read_weights
from ..pruning.masks import live_or_none, make_masks, present, rank
from ..pruning.methods import REFERENCE
from ..pruning.statistics import Statistics
from .keras_networks import KerasNetworks

if TYPE_CHECKING:
    import keras

    from ..data.data_loaders.loader_utils import Dataset, Split
    from ..graph.subnetwork import Subnetwork
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from .evaluation import Metrics


class DenseNetworks(KerasNetworks):
    """All networks of one experiment with a dense architecture; see `Networks`.

    Weights are read and masked as arrays, so that figures are drawn without TensorFlow, ranked in
    closed form, and evaluated by one compiled function, which fixes the bytes of the reference
    experiment's tables.

    Args:
        config: the settings of training, pruning and recovery.
        dataset: the `Dataset`; examples of any shape are flattened.
    """

    compiled = True

    def __init__(self, config: "ExperimentConfig", dataset: "Dataset") -> None:
        self.config, self.shape, self.reference = config, dataset.shape, REFERENCE
        self.dataset = dataset.shaped((math.prod(dataset.shape),))

    def new_model(self) -> "keras.Model":
        from ..models.model import build_for

        return build_for(self.config, self.dataset)

    # Reading, without TensorFlow.

    def read(self, path: str | PathLike) -> Weights:
        return read_weights(path)

    def hidden_matrices(self, weights: Weights) -> dict[str, np.ndarray]:
        return weights.hidden

    def masked(
        self, method: "Method", weights: Weights, masks: Mapping[str, np.ndarray]
    ) -> Weights:
        return weights.masked(masks, method.by_unit)

    def present(self, method: "Method", weights: Weights) -> dict[str, np.ndarray]:
        return present(weights.hidden, method.by_unit)

    def labels(self, _method: "Method") -> dict[str, str]:
        return {}

    def notes(self) -> list[str]:
        return []

    # Ranking, in closed form.

    def rank(
        self,
        method: "Method",
        weights: Weights,
        masks: Mapping[str, np.ndarray] | None = None,
    ) -> "dict[str, Ranking]":
        from ..graph.dense_chain import live_weights

        statistics = Statistics(weights, self._sample.images, self._sample.labels)
        live = live_or_none(weights.hidden) if masks is None else live_weights(weights)
        return rank(method, weights.kernels, statistics, self.config.seed, masks, live)

    def masks_at(
        self, method: "Method", rankings: "Mapping[str, Ranking]", k: float
    ) -> dict[str, np.ndarray]:
        return make_masks(method, rankings, k)

    # Evaluation, by one compiled function for all sizes.

    def evaluate(self, weights: Weights, split: "Split") -> "Metrics":
        from .evaluation import Evaluator

        if id(split) not in self._evaluators:
            penalties = self.config.l1_reg, self.config.l2_reg
            self._evaluators[id(split)] = Evaluator(split, *penalties)
        return self._evaluators[id(split)](weights)

    @cached_property
    def _evaluators(self):
        return {}

    def probabilities(self, weights: Weights, split: "Split") -> np.ndarray:
        from .evaluation import probabilities

        return probabilities(weights, split)

    def subnetwork(self, weights: Weights) -> "Subnetwork":
        from ..graph.dense_chain import kept_units, sources
        from ..graph.subnetwork import Subnetwork
        from ..models.architectures import Architecture
        from ..models.model import assemble

        kept = kept_units(weights)
        inputs, *hidden, outputs = map(len, kept)
        model = assemble(
            Architecture(tuple(hidden), bool(weights.biases)),
            inputs,
            self.config.learning_rate,
            self.config.l1_reg,
            self.config.l2_reg,
            num_classes=outputs,
        )
        return Subnetwork(model, sources(weights, kept), kept[0])
