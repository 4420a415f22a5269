"""Runs with a fault, forked from a server that has imported everything once.

Starting TensorFlow takes longer than such a run. What the faults are: `faults.py`.
"""

import functools
import multiprocessing
import os
import tempfile
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Outcome:
    """How a run ended; a negative status is a signal."""

    returncode: int
    stdout: str
    stderr: str
    events: int


def fault_run(fault, *flags):
    """Runs the program with a fault, and returns the `Outcome`."""
    context = _server()
    with tempfile.TemporaryDirectory() as folder:
        arguments = (fault, [str(flag) for flag in flags], folder)
        process = context.Process(target=_in_child, args=arguments)
        process.start()
        process.join(1200)
        return Outcome(
            process.exitcode,
            Path(folder, "1").read_text(),
            Path(folder, "2").read_text(),
            int(Path(folder, "events").read_text() or -1),
        )


@functools.cache
def _server():
    """The multiprocessing context of a server that has imported `faults`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults"])
    # The server imports before it learns of pytest's path, and would ignore what it cannot find.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        forkserver.ensure_running()
    return context


def _in_child(fault_text, flags, folder):
    import faults  # imported in the server already

    for number in (1, 2):
        os.dup2(os.open(Path(folder, str(number)), os.O_CREAT | os.O_WRONLY), number)
    fault = faults.Fault(fault_text)
    events = Path(folder, "events")
    events.touch()
    try:
        faults.run(fault, flags)
    finally:
        events.write_text(str(fault.events))
