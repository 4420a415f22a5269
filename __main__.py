"""Runs `train` whatever this folder is called: `python path/to/checkout --dataset=digits`.

`python -m <folder>.train` is the usual way, but `-m` cannot name a folder with a dot in it.
"""

import importlib.util
import sys
from pathlib import Path

PACKAGE = "network_pruning"


def load_package():
    """Imports the folder of this file as the package `network_pruning`."""
    root = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return package


if __name__ == "__main__":
    # Python puts this folder on the path; `config` or `data` in it must not hide other packages.
    sys.path.pop(0)
    load_package()
    train = importlib.import_module(f"{PACKAGE}.train")
    train.cli()
