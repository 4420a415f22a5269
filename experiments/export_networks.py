"""What an export chooses from: networks, what they are compared with, and their data."""

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
        name: what messages call it.
        valid_accuracy, test_accuracy: on the examples of these splits.
    """

    name: str
    valid_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Network:
    """A network that may be exported.

    Attributes:
        name: what messages and tables call it.
        living: how many of its numbers are not zero and have an influence.
        valid_accuracy: on the validation examples.
        trained: whether it was trained since it was pruned, or is as it was trained.
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
    """What an export needs to know.

    Attributes:
        name: of the experiment, or of the model.
        dataset: the `Dataset`, in the shape that the models take.
        dense: the `Network` that is the baseline: the dense network or model as it is.
        networks: the `Network`s to choose from.
        batch_size, learning_rate: of training.
        moving: the `RandomShift` of the training pixels; None to leave them where they are.
        compiled: whether XLA is to compile a training step.
        depends: what the networks and the data are, as JSON takes it: digests.
    """

    name: str
    dataset: Dataset
    dense: Network
    networks: list[Network]
    batch_size: int
    learning_rate: float
    moving: RandomShift | None
    compiled: bool
    depends: dict


def check_validation(dataset: Dataset) -> None:
    if dataset.valid is None:
        raise UsageError(
            "An export is chosen by its accuracy on validation examples, but none are held out; "
            "give --num_valid a number above 0 when you train (or here, with --model)."
        )


def random_shift(dataset: Dataset, shape: Sequence[int], shift: int) -> RandomShift | None:
    """What moves the training pixels; None for no shift."""
    return RandomShift(dataset.train.pixels, image_shape(shape), shift) if shift else None
