"""`Networks` of dense layers.

To rank and to prune them needs arrays only; TensorFlow is imported where it trains or tests.
"""

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.weights import Weights, read_weights
from ..pruning.masks import live_or_none, make_masks, rank
from ..pruning.measures import measure
from ..pruning.methods import REFERENCE
from ..pruning.model_sizes import columns
from ..pruning.statistics import Statistics
from .networks import Networks

if TYPE_CHECKING:
    import keras

    from ..data.data_loaders.loader_utils import Dataset
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from .evaluation import Metrics
    from .loop import Epoch
    from .networks import NetworkWeights
    from .retraining import DenseRetrainer


class DenseNetworks(Networks):
    """All networks of one experiment with a dense architecture; see `Networks`.

    Args:
        config: the settings of training, pruning and recovery.
        dataset: the `Dataset`; examples of any shape are taken as rows.
    """

    reference = REFERENCE

    def __init__(self, config: "ExperimentConfig", dataset: "Dataset") -> None:
        self.config, self.shape = config, dataset.shape
        self.dataset = dataset.shaped((math.prod(dataset.shape),))

    def new_model(self) -> "keras.Model":
        from ..models import model

        return model.build_for(self.config, self.dataset)

    def weights_of(self, model: "keras.Model") -> Weights:
        return Weights.of(model)

    def read(self, path: str | PathLike) -> Weights:
        return read_weights(path)

    def train(
        self,
        model: "keras.Model",
        on_steps: Callable[[int], object],
        on_epoch: "Callable[[Epoch], object]",
        first_epoch: int = 1,
        last_epoch: int | None = None,
    ) -> None:
        from . import loop

        loop.train(model, self.dataset, self.config, on_steps, on_epoch, first_epoch, last_epoch)

    def rank(self, method: "Method", dense: Any) -> "dict[str, Ranking]":
        statistics = Statistics.on_sample(dense, self.dataset.train, self.config.seed)
        live = live_or_none(dense.hidden)
        return rank(method, dense.kernels, statistics, self.config.seed, live=live)

    def values(
        self, method: "Method", dense: Any, rankings: "Mapping[str, Ranking]"
    ) -> dict[str, np.ndarray]:
        if method.by_unit:
            # Units of zeros only rank below all others.
            return {name: np.maximum(ranking.scores, 0) for name, ranking in rankings.items()}
        return dense.hidden

    def hidden_matrices(self, weights: Any) -> dict[str, np.ndarray]:
        return weights.hidden

    def labels(self, _method: "Method") -> dict[str, str]:
        return {}

    def pruned(
        self, method: "Method", dense: Any, rankings: "Mapping[str, Ranking]", k: float
    ) -> Weights:
        return dense.masked(make_masks(method, rankings, k), method.by_unit)

    def test(self, weights: "NetworkWeights") -> "tuple[Metrics | None, Metrics]":
        evaluate_valid, evaluate_test = self._evaluators
        return evaluate_valid and evaluate_valid(weights), evaluate_test(weights)

    def validate(self, weights: "NetworkWeights") -> "Metrics | None":
        evaluate_valid, _ = self._evaluators
        return evaluate_valid and evaluate_valid(weights)

    @cached_property
    def _evaluators(self):
        from .evaluation import Evaluator

        penalties = self.config.l1_reg, self.config.l2_reg
        valid = self.dataset.valid and Evaluator(self.dataset.valid, *penalties)
        return valid, Evaluator(self.dataset.test, *penalties)

    def measure(self, weights: Any) -> dict:
        return columns(measure(weights))

    def retrainer(self, dense: Any, rewound: Callable[[], Any]) -> "DenseRetrainer":
        from ..models.architectures import image_shape
        from .retraining import DenseRetrainer

        shape = image_shape(self.shape) if self.config.shift else None
        return DenseRetrainer(dense, self.dataset, self.config, rewound, shape)

    def remarks(self) -> list[str]:
        return []
