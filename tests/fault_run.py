"""Runs with a fault, each in a process that is forked. What the faults are: `faults.py`."""

import os
import tempfile
from dataclasses import dataclass

import forks


@dataclass(frozen=True)
class Outcome:
    """How a run ended; a negative status is a signal."""

    returncode: int
    stdout: str
    stderr: str
    events: int


def fault_run(fault, *flags, fake=False):
    """Runs the program with a fault, and returns the `Outcome`.

    Args:
        fault: as `faults.py` has them.
        *flags: of the program.
        fake: whether the network is none, see `fake_networks.py`; what is tested of it is what is
            written when, and resumed, not numbers.
    """
    with tempfile.NamedTemporaryFile("r") as events:
        words = [*map(str, flags)]
        done = forks.run("faults:run_and_count", fault, words, fake, events.name)
        count = int(events.read() or -1)
    return Outcome(done.returncode, done.stdout, done.stderr, count)


def start(*flags, stdout, stderr):
    """Begins a run of a real network without a fault, as `forks.start` does."""
    words = [*map(str, flags)]
    function = "faults:run_and_count"
    return forks.start(function, "none", words, False, os.devnull, stdout=stdout, stderr=stderr)
