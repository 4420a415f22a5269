"""A line that tells which layer is being worked on."""

import sys


class Progress:
    """Of so many layers.

    Args:
        total: how many there are.
        verbose: 0 to show nothing.
    """

    def __init__(self, total: int, verbose: int) -> None:
        self.total, self.verbose, self.number = total, verbose, 0

    def show(self, name: str) -> None:
        """The next layer begins."""
        self.number += 1
        self._write(f"{self.number}/{self.total} {name}")

    def close(self) -> None:
        """All layers are done."""
        self._write("")

    def _write(self, text):
        if self.verbose and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
