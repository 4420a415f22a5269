"""Makes the `Networks` of an experiment: of dense layers, or of any Keras model."""

import contextlib
from typing import TYPE_CHECKING, Any

from ..models.architectures import image_shape, is_dense
from ..pruning.methods import parse
from ..settings.files import is_file
from ..training.dense_networks import DenseNetworks
from ..training.keras_networks import KerasNetworks
from ..training.networks import Networks
from ..utils import UsageError

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Dataset
    from ..settings.experiment import ExperimentConfig


def networks_of(config: "ExperimentConfig", dataset: "Dataset") -> Networks:
    """The `Networks` of an experiment.

    Args:
        config: the `ExperimentConfig`.
        dataset: the `Dataset`.

    Raises:
        UsageError: if the model does not exist or does not fit the data, or images are to be
            shifted but examples are not images.
    """
    networks = (DenseNetworks if is_dense(config.model) else KerasNetworks)(config, dataset)
    if config.shift and any(parse(text).trains for text in config.methods):
        check_images(config, dataset, networks.dataset)
    return networks


def check_images(config: "ExperimentConfig", dataset: "Dataset", taken: Any) -> None:
    """Makes sure that examples are images, as loaded or as the model takes them: shifting series or
    tables would be meaningless.

    Raises:
        UsageError: if they are not.
    """
    shape = max(dataset.shape, taken.shape, key=len)
    are_bytes = dataset.train.pixels.dtype.name == "uint8"
    if not is_file(config.dataset) or are_bytes or len(shape) == 3:
        with contextlib.suppress(UsageError):
            image_shape(shape)
            return
    raise UsageError(
        f"--shift={config.shift} shifts images, but examples of shape {dataset.shape} are not "
        "images; give --shift=0 (images are bytes, or of shape (height, width, channels))."
    )
