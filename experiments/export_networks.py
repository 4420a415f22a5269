"""The networks that an export chooses from, their references, and their data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.augmentation import RandomShift
from ..data.data_loaders.loader_utils import Dataset
from ..models.architectures import image_shape
from ..utils import UsageError


@dataclass(frozen=True)
class Reference:
    """A dense network that others are compared with.

    Attributes:
        name: for messages.
        valid_accuracy, test_accuracy: on the examples of these splits.
    """

    name: str
    valid_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Network:
    """A network that may be exported.

    Attributes:
        name: for messages and tables.
        living: the number of its effective parameters.
        valid_accuracy: on the validation examples.
        trained: whether it has been trained since it was pruned, or was not pruned.
        model: a function that returns it as a compiled Keras model.
        control: the `Reference` with the same further training; None if it is not known.
    """

    name: str
    living: int
    valid_accuracy: float
    trained: bool
    model: Callable[[], Any]
    control: Reference | None = None


@dataclass(frozen=True)
class Source:
    """The input of an export.

    Attributes:
        name: of the experiment, or of the model.
        dataset: the `Dataset`, in the shape that the models take.
        dense: the `Network` that is the baseline: the untouched dense network or model.
        networks: the `Network`s to choose from.
        batch_size, learning_rate: of training.
        augmentation: the `RandomShift` of the training pixels; None for no augmentation.
        compiled: whether XLA compiles a training step.
        depends: digests of the networks and the data, as JSON-ready values.
    """

    name: str
    dataset: Dataset
    dense: Network
    networks: list[Network]
    batch_size: int
    learning_rate: float
    augmentation: RandomShift | None
    compiled: bool
    depends: dict


def check_validation(dataset: Dataset) -> None:
    if dataset.valid is None:
        raise UsageError(
            "Exports are chosen by their accuracy on validation examples, but none are held out; "
            "train with --num_valid above 0 (or give it here, with --model)."
        )


def random_shift(dataset: Dataset, shape: Sequence[int], shift: int) -> RandomShift | None:
    """The augmentation of the training pixels; None for no shift."""
    return RandomShift(dataset.train.pixels, image_shape(shape), shift) if shift else None
