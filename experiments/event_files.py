"""Names and removal of TensorBoard's files in an experiment's folder."""

import contextlib
from collections.abc import Collection
from pathlib import Path

# TensorBoard reads whatever has "tfevents" in its name.
FILE_NAME = "events.out.tfevents.network-pruning"
# The folder of files until all are complete; TensorBoard ignores their names.
UNFINISHED = ".unfinished"


def remove_events(folder: Path, besides: Collection[str] = ()) -> None:
    """Removes the runs that were written to a folder, except some; other files are kept."""
    for file in list(folder.glob(f"*/{FILE_NAME}")):
        if file.parent.name not in besides:
            _remove([file], file.parent)
    tidy(folder)


def tidy(folder: Path) -> None:
    """Removes unfinished files, and the folder if it is empty."""
    unfinished = folder / UNFINISHED
    _remove(list(unfinished.glob("*")), unfinished)
    _remove([], folder)


def _remove(files, folder):
    """Removes files, and their folder if it is empty then."""
    for file in files:
        file.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
