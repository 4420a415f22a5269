"""Processes forked from one that has imported the program: starting TensorFlow takes longer than
most runs of the program in these tests.

A server imports once, and forks for every run: `start` asks it to, `python tests/forks.py` is it.
What a run may tell from a cold start: modules are imported already, and standard output is a file.
Tests of exactly that start the program cold, see `commands.py`.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

# What each server imports. The second runs commands that must not import TensorFlow.
SERVERS = {"all": ("faults",), "light": ("light_program",)}
# Optimizing a step of training takes longer than the few that a small network is trained.
QUICK = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


class Forked:
    """A process that has been forked, as `subprocess.Popen` would return it.

    Attributes:
        pid: its number.
        returncode: how it ended, once `wait` has returned; negative for a signal.
    """

    def __init__(self, connection):
        self._answers = connection.makefile("rb", buffering=0)  # reads a line, and no more
        self._connection = connection
        self.pid = int(self._answers.readline())
        self.returncode = None

    def wait(self, timeout=None):
        """Waits for its end, and returns the status."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._answers.readline())
            except TimeoutError:
                self.kill()
                raise
            self._connection.close()
        return self.returncode

    def is_running(self):
        """Whether it has not ended yet."""
        return self.returncode is None and not select.select([self._connection], [], [], 0)[0]

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        if self.is_running():
            self.send_signal(signal.SIGKILL)


def start(function, *arguments, address=None, cwd=None, env=None, stdin=None, stdout, stderr):
    """Forks a process that calls a function of a module: "module:function".

    Args:
        *arguments: texts, numbers and the like.
        address: of the server; one of `address_of`, by default the one that has imported all.
        cwd, env: as for `subprocess.Popen`.
        stdin, stdout, stderr: open files; standard input is empty where none is given.
    """
    request = {
        "function": function,
        "arguments": arguments,
        "cwd": str(cwd or Path.cwd()),
        "env": dict(os.environ if env is None else env),
    }
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address or address_of("all"))
    with Path(os.devnull).open() as nothing:
        streams = [stream.fileno() for stream in (stdin or nothing, stdout, stderr)]
        socket.send_fds(connection, [b"\n"], streams)
    connection.sendall(json.dumps(request).encode() + b"\n")
    return Forked(connection)


def run(function, *arguments, timeout=600, **options):
    """The same, and waits for the end; returns the process with its output as text."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        process = start(function, *arguments, stdout=stdout, stderr=stderr, **options)
        status = process.wait(timeout)
        texts = []
        for stream in (stdout, stderr):
            stream.seek(0)
            texts.append(stream.read())
    return subprocess.CompletedProcess(arguments, status, *texts)


@functools.cache
def address_of(server):
    """The socket of a server of this process's, started if it is not yet; it ends with this
    process. The names are those in SERVERS."""
    folder = tempfile.TemporaryDirectory(prefix="network-pruning-forks-")
    atexit.register(folder.cleanup)
    address = str(Path(folder.name, "socket"))
    process = subprocess.Popen(
        [sys.executable, __file__, address, *SERVERS[server]],
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # as trials of sweeps have
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(process.stdin.close)
    assert process.stdout.readline() == b"ready\n", "the server of the forks has not started"
    return address


def serve(address, modules):
    """Forks for every connection, until standard input ends."""
    for module in modules:
        importlib.import_module(module)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    print("ready", flush=True)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            _answer(connection)
        connection.close()


def _answer(connection):
    """Forks once more, tells the number of that process, and how it ended; ends it where nobody
    waits for it any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile().readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request, streams)
    for stream in streams:
        os.close(stream)  # or who reads would not see the end
    connection.sendall(b"%d\n" % pid)
    ended = os.pidfd_open(pid)
    if ended not in select.select([ended, connection], [], [])[0]:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(request, streams):
    """This process becomes the one that was asked for."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = open(0), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for name, value in QUICK.items():
        os.environ.setdefault(name, value)
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [place for place in path if place and place not in sys.path]
    # Also where the tests run in the background of a shell, which has Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module, _, name = request["function"].partition(":")
    status = 1
    try:
        getattr(importlib.import_module(module), name)(*request["arguments"])
        status = 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            status = end.code or 0
        else:
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(status)


def _end(status):
    """Ends as Python does, but without taking everything down that was imported."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2:])
