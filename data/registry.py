"""Data sets by name: `@register("name")` on a loader makes it a value of `--dataset`."""

import importlib
import pkgutil

from ..config import UsageError
from . import data_loaders

_LOADERS = {}


def register(name):
    """Registers the decorated loader, a function `(data_dir, num_valid) -> Dataset`."""

    def decorate(loader):
        _LOADERS[name] = loader
        return loader

    return decorate


def names():
    """The registered names, sorted."""
    for module in pkgutil.iter_modules(data_loaders.__path__):
        importlib.import_module(f"{data_loaders.__name__}.{module.name}")
    return sorted(_LOADERS)


def get_loader(name):
    """The loader registered as `name`.

    Raises:
        UsageError: if there is none; the message lists the valid names.
    """
    valid = names()
    if name not in valid:
        raise UsageError(f"--dataset: {name!r} is not known; choose one of: {', '.join(valid)}.")
    return _LOADERS[name]
