"""TensorBoard's files in an experiment's folder: what they are called, and how they are removed."""

import contextlib
from collections.abc import Collection
from pathlib import Path

# TensorBoard reads whatever has "tfevents" in its name.
FILE_NAME = "events.out.tfevents.network-pruning"
# Where files lie until all are there; by their names TensorBoard overlooks them.
UNFINISHED = ".unfinished"


def remove_events(folder: Path, besides: Collection[str] = ()) -> None:
    """Removes the runs that were written to a folder, but for some; other files stay."""
    for file in list(folder.glob(f"*/{FILE_NAME}")):
        if file.parent.name not in besides:
            _remove([file], file.parent)
    tidy(folder)


def tidy(folder: Path) -> None:
    """Removes what was not finished, and the folder if nothing is in it."""
    unfinished = folder / UNFINISHED
    _remove(list(unfinished.glob("*")), unfinished)
    _remove([], folder)


def _remove(files, folder):
    """Removes files, and the folder they were in if nothing else is there."""
    for file in files:
        file.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
