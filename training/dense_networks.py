"""`Networks` of dense layers.

To rank and to prune them needs arrays only; TensorFlow is imported where it trains or tests.
"""

import math
from functools import cached_property

import numpy as np

from ..models.weights import Weights, read_weights
from ..pruning.masks import make_masks, rank, useful_or_none
from ..pruning.measures import measure
from ..pruning.methods import REFERENCE
from ..pruning.model_sizes import columns
from ..pruning.statistics import Statistics
from .networks import Networks


class DenseNetworks(Networks):
    """All networks of one experiment with a dense architecture; see `Networks`.

    Args:
        config: the settings of training, pruning and recovery.
        dataset: the `Dataset`; examples of any shape are taken as rows.
    """

    reference = REFERENCE

    def __init__(self, config, dataset):
        self.config, self.shape = config, dataset.shape
        self.dataset = dataset.shaped((math.prod(dataset.shape),))

    def new_model(self):
        from ..models import model

        return model.build_for(self.config, self.dataset)

    def weights_of(self, model):
        return Weights.of(model)

    def read(self, path):
        return read_weights(path)

    def train(self, model, on_steps, on_epoch, first_epoch=1, last_epoch=None):
        from . import loop

        loop.train(model, self.dataset, self.config, on_steps, on_epoch, first_epoch, last_epoch)

    def rank(self, method, dense):
        statistics = Statistics.on_sample(dense, self.dataset.train, self.config.seed)
        useful = useful_or_none(dense.hidden)
        return rank(method, dense.kernels, statistics, self.config.seed, useful=useful)

    def values(self, method, dense, rankings):
        if method.by_unit:
            # Units of zeros only rank below all others.
            return {name: np.maximum(ranking.scores, 0) for name, ranking in rankings.items()}
        return dense.hidden

    def hidden_matrices(self, weights):
        return weights.hidden

    def labels(self, _method):
        return {}

    def pruned(self, method, dense, rankings, k):
        return dense.masked(make_masks(method, rankings, k), method.by_unit)

    def test(self, weights):
        evaluate_valid, evaluate_test = self._evaluators
        return evaluate_valid and evaluate_valid(weights), evaluate_test(weights)

    def validate(self, weights):
        evaluate_valid, _ = self._evaluators
        return evaluate_valid and evaluate_valid(weights)

    @cached_property
    def _evaluators(self):
        from .evaluation import Evaluator

        penalties = self.config.l1_reg, self.config.l2_reg
        valid = self.dataset.valid and Evaluator(self.dataset.valid, *penalties)
        return valid, Evaluator(self.dataset.test, *penalties)

    def measure(self, weights):
        return columns(measure(weights))

    def retrainer(self, dense, rewound):
        from ..models.architectures import image_shape
        from .retraining import DenseRetrainer

        shape = image_shape(self.shape) if self.config.shift else None
        return DenseRetrainer(dense, self.dataset, self.config, rewound, shape)

    def remarks(self):
        return []
