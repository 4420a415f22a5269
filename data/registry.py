"""Data sets by name: `@register("name")` on a loader makes it a value of the setting `dataset`."""

import importlib
import pkgutil
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING

from ..settings.files import DATA_FILES, is_file
from ..settings.registry import Registry
from . import data_loaders, files

if TYPE_CHECKING:
    from .data_loaders.loader_utils import Dataset


# A loader is a function `(data_dir, num_valid) -> Dataset`.
LOADERS = Registry(
    "data set",
    setting="dataset",
    takes=("data_dir", "num_valid"),
    also=[f"a file that ends in {', '.join(DATA_FILES)}"],
)
register = LOADERS.register


def names() -> list[str]:
    """The registered names, sorted."""
    for module in pkgutil.iter_modules(data_loaders.__path__):
        importlib.import_module(f"{data_loaders.__name__}.{module.name}")
    return sorted(LOADERS.names())


def check(name: str) -> None:
    """Makes sure that there is a data set of this name, or such a file.

    Raises:
        UsageError: if there is none.
        RunError: if the file is not a data set.
    """
    if is_file(name):
        files.check(name)
    else:
        get_loader(name)


def get_loader(name: str) -> "Callable[..., Dataset]":
    """The loader registered as `name`.

    Raises:
        UsageError: if there is none; the message lists the valid names.
    """
    names()  # imports the built-in ones
    return LOADERS.get(name)


def load(name: str, data_dir: str | PathLike | None, num_valid: int | None) -> "Dataset":
    """The `Dataset` registered as `name`, or of the file `name`, checked, with int32 labels.

    Raises:
        UsageError: if there is none of this name, or `num_valid` does not fit it.
        RunError: if it cannot be fetched or read, or cannot be used for training.
    """
    if is_file(name):
        return files.load(name, num_valid)
    from .checks import check_dataset

    return check_dataset(get_loader(name)(data_dir, num_valid), name)
