"""What the runner asks of the networks of an experiment, whatever kind they are.

A network is a network: experiments train, rank, prune, retrain, test and measure one without
knowing what it is made of. What they pass on are a Keras model while it trains, and its weights
at all other times.
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
    """All networks of one experiment: the dense network, and what pruning makes of it.

    Attributes:
        config: the settings of training, pruning and recovery.
        dataset: the examples, in the shape that the model takes.
        shape: of an example as it came, if that says more: where images are rows for the model.
        reference: the methods that every experiment runs, as far as the model can be pruned by
            them.
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
        """Copies of the weights of a Keras model that `new_model` has made."""

    @abstractmethod
    def read(self, path: str | PathLike) -> "Weights":
        """The weights in a checkpoint.

        Raises:
            RunError: if it is none of this network, or holds weights that are not finite.
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
            first_epoch: where to begin, for a model that has been trained up to there.
            last_epoch: where to end, if not after `config.epochs`.

        Raises:
            RunError: if the loss is not finite any more.
        """

    @abstractmethod
    def rank(
        self,
        method: "Method",
        weights: "Weights",
        masks: "Mapping[str, np.ndarray] | None" = None,
    ) -> "dict[str, Ranking]":
        """What a method may remove of a network, least important first, by layer name.

        Args:
            method: the `Method`.
            weights: of the network.
            masks: of a network that has been pruned before: what is removed stays removed, and
                weights without influence go first. None for the dense network.

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
        """The dense network without what a method removes at sparsity `k`; nothing is trained."""

    @abstractmethod
    def retrainer(self, dense: "Weights", rewound: "Callable[[], Weights]") -> "Retrainer":
        """What prunes by methods that train.

        Args:
            dense: the dense network, which is also the teacher.
            rewound: returns the weights to rewind to; called only if a method does.
        """

    @abstractmethod
    def test(self, weights: "Weights") -> "tuple[Metrics | None, Metrics]":
        """How good a network is, on validation data (None without) and on test data.

        Raises:
            RunError: if its loss is not finite.
        """

    @abstractmethod
    def validate(self, weights: "Weights") -> "Metrics | None":
        """How good a network is on validation data; None without."""

    @abstractmethod
    def measure(self, weights: "Weights") -> dict:
        """How small a network is: columns of `metrics.csv`; see `ModelSize`."""

    @abstractmethod
    def hidden_matrices(self, weights: "Weights") -> "dict[str, np.ndarray]":
        """The kernels that pruning may touch, of shape (inputs, units), by layer name."""

    @abstractmethod
    def values(
        self, method: "Method", dense: "Weights", rankings: "Mapping[str, Ranking]"
    ) -> "dict[str, np.ndarray]":
        """What pictures of a method show, by layer name: weights, or the norms of units."""

    @abstractmethod
    def labels(self, method: "Method") -> dict[str, str]:
        """What pictures call the layers, by name, where that is something else."""

    @abstractmethod
    def remarks(self) -> list[str]:
        """What must be said before the work, of what cannot be pruned say, a sentence each."""
