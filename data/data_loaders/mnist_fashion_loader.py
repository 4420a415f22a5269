"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 70,000 images of clothing, ten classes."""

import dataclasses
from os import PathLike
from typing import TYPE_CHECKING

from ..registry import register
from ..sources import DatasetFiles, DebianPackage, Folder, HttpsMirror
from .loader_utils import load_idx_dataset

if TYPE_CHECKING:
    from .loader_utils import Dataset


FASHION = DatasetFiles(
    name="fashion",
    sha256={
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
)

CLASS_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)

# Debian and Ubuntu's `dataset-fashion-mnist` installs its files here.
SYSTEM_FOLDER = "/usr/share/datasets/fashion-mnist"

# The first mirror is what Keras uses, the second the authors' own repository.
SOURCES = (
    Folder(SYSTEM_FOLDER),
    HttpsMirror("https://storage.googleapis.com/tensorflow/tf-keras-datasets"),
    HttpsMirror(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
    ),
    DebianPackage("dataset-fashion-mnist", folder="./usr/share/datasets/fashion-mnist"),
)


@register("fashion")
def load_fashion(data_dir: str | PathLike | None, num_valid: int) -> "Dataset":
    """Images of clothing; see `load_idx_dataset`."""
    dataset = load_idx_dataset(FASHION, SOURCES, data_dir, num_valid)
    return dataclasses.replace(dataset, class_names=CLASS_NAMES)
