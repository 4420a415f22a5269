"""The library's log on the screen."""

import logging

import pytest
from network_pruning.cli import log
from network_pruning.utils import echo


@pytest.fixture(autouse=True)
def _package_logger():
    logger = logging.getLogger("network_pruning")
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def test_what_the_library_logs_is_printed_once_as_all_else(capsys):
    log.show()
    log.show()  # a process that starts commands does so for each
    text = "mine.npz: examples are of a kind that takes more than one line of a narrow terminal."
    echo(text)
    echoed = capsys.readouterr().out
    library = logging.getLogger("network_pruning.data.files")
    library.info(text)
    assert capsys.readouterr() == (echoed, "")
    library.warning(text)
    assert capsys.readouterr().out == echoed
    library.debug(text)
    logging.getLogger("elsewhere").info(text)
    assert capsys.readouterr() == ("", "")
