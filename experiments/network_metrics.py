"""The metrics of a network: its size, and its accuracy and loss on both splits."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from ..models.weights import Weights
    from ..training.networks import Networks


class NetworkTests:
    """Measures and tests networks; the dense one only once.

    Args:
        networks: the `Networks` of the experiment.
        dense: the weights of the dense network.
    """

    def __init__(self, networks: "Networks", dense: "Weights") -> None:
        self.networks, self.dense = networks, dense

    def __call__(self, weights: "Weights") -> "tuple[dict[str, Any], np.ndarray]":
        """The metrics by column, and the predictions for the test examples, of shape (n,)."""
        return self.of_dense if weights is self.dense else self._measure(weights)

    @cached_property
    def of_dense(self) -> "tuple[dict[str, Any], np.ndarray]":
        """The metrics and predictions of the dense network."""
        return self._measure(self.dense)

    def _measure(self, weights):
        valid, test = self.networks.test(weights)
        size = self.networks.measure(weights)
        layers = size.pop("layer_sparsity")
        row = {
            **size,
            **{f"sparsity_{name}": share for name, share in layers.items()},
            "valid_accuracy": valid and valid.accuracy,
            "valid_cross_entropy": valid and valid.cross_entropy,
            "test_accuracy": test.accuracy,
            "test_cross_entropy": test.cross_entropy,
            "test_loss": test.loss,
        }
        return row, test.predictions
