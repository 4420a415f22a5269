"""What is measured of a pruned network: its size, and how good it is on both splits."""

import dataclasses
from functools import cached_property

from ..models.evaluation import Evaluator
from ..pruning.measures import measure


class NetworkTests:
    """Everything that is measured of a network; what is compiled and copied is shared."""

    def __init__(self, config, dataset, dense):
        self.config, self.dataset, self.dense = config, dataset, dense

    def __call__(self, weights):
        return self._of_dense if weights is self.dense else self._measure(weights)

    @cached_property
    def _of_dense(self):
        return self._measure(self.dense)

    @cached_property
    def _evaluators(self):
        penalties = self.config.l1_reg, self.config.l2_reg
        valid = self.dataset.valid and Evaluator(self.dataset.valid, *penalties)
        return valid, Evaluator(self.dataset.test, *penalties)

    def _measure(self, weights):
        evaluate_valid, evaluate_test = self._evaluators
        valid, test = evaluate_valid and evaluate_valid(weights), evaluate_test(weights)
        size = dataclasses.asdict(measure(weights))
        layers = size.pop("layer_sparsity")
        return {
            **size,
            **{f"sparsity_{name}": share for name, share in layers.items()},
            "valid_accuracy": valid and valid.accuracy,
            "valid_cross_entropy": valid and valid.cross_entropy,
            "test_accuracy": test.accuracy,
            "test_cross_entropy": test.cross_entropy,
            "test_loss": test.loss,
        }
