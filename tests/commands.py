"""Running the program as its users do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def experiment_in(output):
    """The folder of the only experiment that was written to an output folder."""
    (folder,) = (record.parent for record in Path(output).glob("*/config.json"))
    return folder


def run_command(*arguments, command=(sys.executable, str(ROOT)), timeout=1200, **options):
    """Runs the program in a subprocess and returns it, finished, with its output as text."""
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        **options,
    )
