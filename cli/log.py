"""Shows the library's log on the screen; the library itself prints nothing."""

import logging

from ..utils import echo
from .messages import with_flags


class _Screen(logging.Handler):
    """Prints log messages in the same way as the output of commands."""

    def emit(self, record):
        """One message."""
        echo(with_flags(self.format(record)))


def show() -> None:
    """Shows the package's log from INFO on, on standard output."""
    logger = logging.getLogger(__package__.partition(".")[0])
    logger.handlers = [_Screen()]
    logger.setLevel(logging.INFO)
    logger.propagate = False  # absl has a handler of its own, which would print it again
