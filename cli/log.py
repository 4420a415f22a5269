"""The library's log on the screen: loaders and the like print nothing themselves."""

import logging

from ..utils import echo
from .messages import with_flags


class _Screen(logging.Handler):
    """Prints what is logged as the commands print what they say."""

    def emit(self, record):
        """One message."""
        echo(with_flags(self.format(record)))


def show() -> None:
    """Shows what the package logs on standard output, from INFO on."""
    logger = logging.getLogger(__package__.partition(".")[0])
    logger.handlers = [_Screen()]
    logger.setLevel(logging.INFO)
    logger.propagate = False  # absl has a handler of its own, which would print it again
