"""The process of a trial, started by a worker of a sweep: runs `sweeps.trial`.

The request comes as a line of JSON on standard input, which is open as long as the worker lives;
reports go back as lines of JSON.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from ..experiments import plugins
from ..pages import publish
from ..sweeps.trial import UnfitError, run
from . import launch, log

# The exit status after which the worker lets another machine try.
UNFIT = 75


def _end_with_worker():
    """Ends this process when its worker has ended: another one continues the trial."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)


def status_of(work: Callable[[Any], object], request: Any) -> int:
    """The exit status, as of every command; another one if this machine cannot run trials."""
    try:
        return launch.status_of(work, request)
    except UnfitError as error:
        return launch.fail(error, UNFIT)


def cli() -> None:
    """Runs the trial requested on standard input; its exit status is that of `train`."""
    launch.use_tensorflow()
    log.show()
    request = json.loads(sys.stdin.readline())
    # A copy of standard output for reports; all other output goes to standard error or the log.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    threading.Thread(target=_end_with_worker, daemon=True).start()
    signal.signal(signal.SIGTERM, _terminate)

    def report(what):
        print(json.dumps(what), file=answers, flush=True)

    def work(request):
        with plugins.explained():
            run(request, report, publish.publish, publish.check)

    try:
        status = status_of(work, request)
    except KeyboardInterrupt:
        status = launch.fail(f"Interrupted. {launch.INTERRUPTED}", 143)
    sys.exit(status)


def _terminate(*_):
    raise launch.Terminated
