"""The interface between the experiment runner and networks of any kind.

Experiments train, rank, prune, retrain, test and measure networks independently of their
architecture. A network is passed as a Keras model while it trains, and as its weights otherwise.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import keras
    import numpy as np

    from ..data.data_loaders.loader_utils import Dataset
    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from .evaluation import Metrics
    from .loop import Epoch
    from .retraining import Retrainer


class Networks(Protocol):
    """All networks of one experiment: the dense network, and the pruned ones.

    Attributes:
        config: the settings of training, pruning and recovery.
        dataset: the examples, in the shape that the model takes.
        shape: of an example as an image, even if the model takes flat ones.
        reference: the methods that every experiment runs, without those that do not fit the model.
    """

    config: "ExperimentConfig"
    dataset: "Dataset"
    shape: Sequence[int]
    reference: "tuple[Method, ...]"

    @abstractmethod
    def new_model(self) -> "keras.Model":
        """A new Keras model with the initial weights, compiled; the same each time."""

    @abstractmethod
    def weights_of(self, model: "keras.Model") -> "Weights":
        """Copies of the weights of a model of `new_model`."""

    @abstractmethod
    def read(self, path: str | PathLike) -> "Weights":
        """The weights in a checkpoint.

        Raises:
            RunError: if it does not fit this network, or has weights that are not finite.
        """

    @abstractmethod
    def train(
        self,
        model: "keras.Model",
        on_steps: Callable[[int], object],
        on_epoch: "Callable[[Epoch], object]",
        first_epoch: int = 1,
        last_epoch: int | None = None,
    ) -> None:
        """Trains a model in place.

        Args:
            model: of `new_model`.
            on_steps: called with the number of steps just done, as an epoch goes on.
            on_epoch: called with the `Epoch` at its end.
            first_epoch: the first one to train, after 1 if the model has been trained up to it.
            last_epoch: the last one to train; by default `config.epochs`.

        Raises:
            RunError: if the loss is not finite.
        """

    @abstractmethod
    def rank(
        self,
        method: "Method",
        weights: "Weights",
        masks: "Mapping[str, np.ndarray] | None" = None,
    ) -> "dict[str, Ranking]":
        """The items that a method may prune, least important first, by layer name.

        Args:
            method: the `Method`.
            weights: of the network.
            masks: of a network that has been pruned before: its pruned items stay pruned, and
                dead weights are pruned first. None for the dense network.

        Raises:
            UsageError: if the network cannot be pruned by this method.
        """

    @abstractmethod
    def pruned(
        self,
        method: "Method",
        dense: "Weights",
        rankings: "Mapping[str, Ranking]",
        k: float,
    ) -> "Weights":
        """The dense network, pruned by a method to sparsity `k` without retraining."""

    @abstractmethod
    def retrainer(self, dense: "Weights", rewound: "Callable[[], Weights]") -> "Retrainer":
        """The `Retrainer` of methods that train.

        Args:
            dense: the dense network, which is also the teacher.
            rewound: returns the weights to rewind to; called only if a method rewinds.
        """

    @abstractmethod
    def test(self, weights: "Weights") -> "tuple[Metrics | None, Metrics]":
        """The metrics of a network on validation data (None without) and on test data.

        Raises:
            RunError: if its loss is not finite.
        """

    @abstractmethod
    def validate(self, weights: "Weights") -> "Metrics | None":
        """The metrics of a network on validation data; None without."""

    @abstractmethod
    def measure(self, weights: "Weights") -> dict:
        """The size of a network, as columns of `metrics.csv`; see `ModelSize`."""

    @abstractmethod
    def hidden_matrices(self, weights: "Weights") -> "dict[str, np.ndarray]":
        """The prunable kernels, of shape (inputs, units), by layer name."""

    @abstractmethod
    def values(
        self, method: "Method", dense: "Weights", rankings: "Mapping[str, Ranking]"
    ) -> "dict[str, np.ndarray]":
        """The values in figures of a method, by layer name: weights, or the norms of units."""

    @abstractmethod
    def labels(self, method: "Method") -> dict[str, str]:
        """The labels of layers in figures, by name, if they differ from the names."""

    @abstractmethod
    def notes(self) -> list[str]:
        """Notes for the user before pruning, such as on layers that cannot be pruned."""
