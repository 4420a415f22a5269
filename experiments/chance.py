"""Chance: the accuracy of a constant prediction, and the uncertainty from few test examples."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Chance:
    """The accuracy of always predicting the most frequent class.

    Attributes:
        share: of that class among the test examples.
        num_test: the number of test examples.
    """

    share: float
    num_test: int

    @classmethod
    def of(cls, labels: np.ndarray) -> "Chance":
        """Of the labels of the test examples, integers of shape (n,)."""
        return cls(float(np.bincount(labels).max() / len(labels)), len(labels))

    def explains(self, accuracy: float) -> bool:
        """Whether an accuracy is not significantly better (95 %, binomial)."""
        return accuracy <= self.share + half_interval(self.share, self.num_test)


def half_interval(accuracy: float, num_test: int) -> float:
    """Half the 95 % interval of an accuracy on so many test examples (binomial); for accuracies of
    0 and 1 by the rule of three."""
    if accuracy in (0, 1):
        return min(3 / num_test, 1)
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / num_test)
