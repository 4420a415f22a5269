"""The provenance of results besides settings: versions, machine, devices."""

import platform
from importlib import import_module
from typing import Any

from .. import __version__

VERSIONED_MODULES = ("tensorflow", "keras", "numpy", "pandas", "matplotlib", "PIL")


def provenance() -> dict[str, Any]:
    """The versions of packages, the machine and its devices, for records."""
    from ..models.backend import device_names

    return {
        "versions": {
            "network-pruning": __version__,
            "python": platform.python_version(),
            **{name: import_module(name).__version__ for name in VERSIONED_MODULES},
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "devices": device_names(),
    }
