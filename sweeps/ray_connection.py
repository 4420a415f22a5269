"""Ray: checks that it is installed, starts or joins it, finds its logs."""

import contextlib
import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..utils import RunError, quiet_stderr

INSTALL = (
    "Sweeps need Ray: pip install './network-pruning[sweep]' from the folder above the checkout "
    "(or 'ray[tune,client]' optuna)."
)
# The timeout of a first connection.
ANSWER_S = 10
# Quiet, no usage statistics, no files but those of the trials.
RAY_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ray would start a worker for every core at once; those of trials have another environment.
    "RAY_prestart_worker_first_driver": "0",
    # The program handles interrupts itself: Tune would wait for trials.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
}
_TOKEN = Path("~/.ray/auth_token").expanduser()
# Ray's memory for objects: trials send numbers only.
OBJECT_BYTES = 100 * 2**20
# The default folder of Ray's logs.
LOGS = Path("/tmp/ray/session_latest/logs")


def check_installed(search: Any = None, address: str = "local") -> None:
    """Makes sure, before any work, that the packages of sweeps are installed.

    Args:
        search: the kind of search, if any.
        address: of Ray.

    Raises:
        RunError: if a package is missing.
    """
    from importlib.util import find_spec

    os.environ.update({name: os.environ.get(name, value) for name, value in RAY_SETTINGS.items()})
    if address.startswith("ray://") and _TOKEN.is_file():
        # Ray's client, unlike the rest of Ray, does not find the token by itself.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    needed = ("ray", *(("optuna",) if search else ()))
    if any(find_spec(name) is None for name in needed):
        raise RunError(INSTALL)
    try:
        import ray.tune  # noqa: F401 - checks that it is complete
    except ImportError as error:
        raise RunError(f"{INSTALL} ({error})") from error


@contextlib.contextmanager
def connected(address: str) -> Iterator[Path]:
    """A context connected to Ray at an address; yields the folder of its logs.

    Raises:
        RunError: if the connection fails.
    """
    import ray

    terminate = signal.getsignal(signal.SIGTERM)
    about, failure = None, no_answer(address)
    with quiet_stderr():
        try:
            if failure is None:
                about = ray.init(**_options(address))
        except Exception as error:  # Ray and gRPC may raise anything
            failure = error
    if failure is not None:
        where = "on this machine" if address == "local" else f"at --ray_address={address}"
        raise RunError(
            f"Ray cannot be reached {where} ({type(failure).__name__}: {last_line(failure)}); "
            "docs/cluster.md says how to start it."
        ) from failure
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, terminate)  # Ray has set its own
    try:
        yield _logs(about)
    finally:
        with quiet_stderr(), contextlib.suppress(Exception):
            ray.shutdown()


def _options(address):
    """The arguments of `ray.init`."""
    about = {"address": address, "logging_level": "ERROR", "log_to_driver": False}
    if address == "local":
        about |= {
            "num_cpus": cores(),
            "include_dashboard": False,
            "object_store_memory": OBJECT_BYTES,
        }
    if not address.startswith("ray://"):
        about |= _interpreter(sys.executable)
    return about


def _interpreter(python):
    """Options that quote the path of Python if necessary: Ray starts it through a shell without
    quotes, so a path with a space would fail. Other paths are left to Ray, because other machines
    may have others."""
    quoted = shlex.quote(python)
    return {} if quoted == python else {"runtime_env": {"py_executable": quoted}}


def _logs(about):
    """The folder of the logs, from the result of `ray.init`."""
    session = getattr(about, "address_info", {}).get("session_dir")  # missing for clients
    return Path(session) / "logs" if session else LOGS


def no_answer(address: str) -> Exception | None:
    """The error of connecting to an address; None if it succeeds. Ray itself would try for
    minutes."""
    if address in ("local", "auto"):
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_S):
            return None
    except (OSError, ValueError, OverflowError) as error:
        return error


def cores() -> int:
    """The number of processor cores that this process may use."""
    number = os.cpu_count() or 1
    with contextlib.suppress(AttributeError):  # not on every system
        number = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):  # a container's share, if it has one
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        number = min(number, max(1, int(quota) // int(period)))
    return number


def last_line(error: BaseException) -> str:
    """The last line of an exception's message, which may contain a traceback."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip()[:200] if lines else "no reason given"
