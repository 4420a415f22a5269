"""Running the program as its users do."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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
