"""Runs commands whatever this folder is called: `python path/to/checkout train --dataset=digits`;
`train` may be left out.

`python -m <folder>.train` is the usual way, but `-m` cannot name a folder with a dot in it. Either
way the program runs as the one package `network_pruning`, which is where plugins find it.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "network_pruning"
COMMANDS = ("train", "export", "predict", "report", "sweep", "trial")


def load_package():
    """The folder of this file, imported as the package `network_pruning`."""
    root = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return package


def run(command="train"):
    """Runs a command of the package `network_pruning`, loaded from here if it is not there yet.

    Args:
        command: the module that has it, as `cli`.
    """
    if __package__ != PACKAGE:
        load_package()
    importlib.import_module(f"{PACKAGE}.{command}").cli()


if __name__ == "__main__":
    if not __package__:
        # Python puts this folder on the path; `config` or `data` must not hide other packages.
        sys.path.pop(0)
    named = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] in COMMANDS else None
    if named:
        del sys.argv[1]
    run(named or "train")
