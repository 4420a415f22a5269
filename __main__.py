"""One program with sub-commands, independent of this folder's name: `network-pruning train`,
`python -m network-pruning train`, `python path/to/checkout train`; `train` is the default.

`python -m <folder>.train` works too, unless the folder has a dot in its name. However it is
started, the program runs as the package `network_pruning`, under which plugins import it.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "network_pruning"
# The commands in the overview; "network-pruning <command> --help" lists the flags of one.
COMMANDS = {
    "train": "train a network, prune it to every sparsity, test and report the results",
    "export": "quantize a pruned network into a very small file; measure it",
    "predict": "classify images by an exported file",
    "report": "make the pages of all experiments again, or print them",
    "sweep": "run many experiments, on this machine or on a Ray cluster",
}


# The command that workers of a sweep start.
TRIAL = "trial"


def load_package() -> ModuleType:
    """The folder of this file, imported as the package `network_pruning`."""
    root = Path(__file__).resolve().parent
    spec: Any = importlib.util.spec_from_file_location(
        PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return package


def run(command: str = "train") -> None:
    """Runs a command of the package `network_pruning`, which is loaded first if necessary.

    Args:
        command: the module whose function `cli` runs it.
    """
    if __package__ != PACKAGE:
        load_package()
    importlib.import_module(f"{PACKAGE}.{command}").cli()


def main() -> None:
    """The command `network-pruning`: runs the sub-command of the command line."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    if first in ("help", "--help", "-h") and len(sys.argv) == 2:
        print(overview())
    elif first in (*COMMANDS, TRIAL):
        del sys.argv[1]
        run("cli.trial" if first == TRIAL else first)
    elif first and not first.startswith("-") and "=" not in first:
        import difflib  # here, so that other starts do not import it

        alike = difflib.get_close_matches(first, COMMANDS, n=1)
        hint = f" Did you mean {alike[0]}?" if alike else f" There are {', '.join(COMMANDS)}."
        print(f"network-pruning: {first!r} is not a command.{hint}", file=sys.stderr)
        sys.exit(2)
    else:
        run()


def overview() -> str:
    """The text of `network-pruning --help`."""
    lines = [f"  {name:<9}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        (
            "Train a very large neural network, then make it very small.\n",
            "network-pruning <command> --flag=value …\n",
            *lines,
            "\nThe default command is train, as in network-pruning --dataset=digits.",
            "For the flags of a command: network-pruning <command> --help",
        )
    )


if __name__ == "__main__":
    if not __package__:
        # Python puts this folder on the path; `data` or `models` must not hide other packages.
        sys.path.pop(0)
    main()
