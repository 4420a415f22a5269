"""Modules of the user's that register criteria, data sets and the like: `--plugins`."""

import importlib
import sys
from pathlib import Path

from .config import UsageError


def load(names):
    """Imports modules by name, from the working directory too.

    They find this package as `network_pruning`, whatever its folder is called.

    Raises:
        UsageError: if one cannot be imported.
    """
    sys.modules.setdefault("network_pruning", sys.modules[__package__])
    here = str(Path.cwd())
    if names and here not in sys.path:
        sys.path.append(here)
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # it is somebody else's code: anything may happen
            raise UsageError(
                f"--plugins: {name!r} cannot be imported ({type(error).__name__}: {error}). Give "
                "the name of a Python module in this folder or on PYTHONPATH, without .py."
            ) from error
