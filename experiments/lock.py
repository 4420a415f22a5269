"""One process at a time works in a folder; a lock that is not renewed is taken over.

The lock is a lease of filelock: its holder touches the file every few seconds. A process that has
watched it for a minute without a renewal takes it over, whatever machine it is of; a lock of a dead
process of this machine is taken over at once. Each process measures time by its own clock, and the
age of a lock by the clock of its file system, so clocks of machines need not agree.

A process that is suspended for that long and then resumes has lost its lock. It raises before it
would replace a file, and its heartbeat ends it if it writes nothing.
"""

import contextlib
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ..utils import RunError, echo, writes_checked

# When a lock that is not renewed counts as abandoned, and how often its holder renews it. The first
# must be the same for all processes that share a folder.
LEASE_S, RENEWED_EVERY_S = 60.0, 5.0


@contextlib.contextmanager
def locked(paths: Any, flag: str = "--experiment_id", patience: float = 0.3) -> Iterator[None]:
    """Locks a folder for this process, and makes it if necessary.

    Args:
        paths: with `root` and `lock`.
        flag: the flag that gives the folder another name.
        patience: how many seconds to wait for another process that renews its lock.

    Raises:
        RunError: if another process has locked it; the message names the host, the process and the
            time. Within the block, if a file is to be written after the lock has been lost.
    """
    import filelock

    lease = filelock.SoftFileLease(
        paths.lock,
        lease_duration=LEASE_S,
        heartbeat_interval=RENEWED_EVERY_S,
        on_compromise=lambda _: _end(paths),
        thread_local=False,  # figures are written by another thread
    )
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
        _acquire(lease, paths, patience)
    except (filelock.Timeout, filelock.LeaseSettingsMismatch):
        raise RunError(
            f"{paths.root} is in use by {_holder(paths.lock)}. Wait until it is done, or choose "
            f"another {flag}.{'' if lease.owner else _of_earlier_versions(paths.lock)}"
        ) from None
    except OSError as error:
        raise RunError(
            f"{paths.root} cannot be written to ({error.strerror or error}); choose another "
            "--output_dir."
        ) from error
    try:
        _note_time(paths.lock)
        with writes_checked(lambda: _check(lease, paths)):
            yield
    finally:
        lease.release()
        with contextlib.suppress(OSError):
            paths.root.rmdir()  # if nothing was written


def wait(paths: Any, seconds: float) -> None:
    """Waits until no process works in the folder, at most so long."""
    with contextlib.suppress(RunError), locked(paths, patience=seconds):
        pass


def is_held(paths: Any) -> bool:
    """Whether another process works in the folder now, as far as this machine can see."""
    import filelock

    try:
        record, age = _record(paths.lock), _age(paths.lock)
    except (OSError, ValueError):
        return False
    is_dead = record.get("host") == platform.node() and not _is_alive(record.get("pid"))
    is_ours = filelock.SoftFileLease(paths.lock).is_lock_held_by_us
    return age < LEASE_S and not is_dead and not is_ours


def _acquire(lease, paths, patience):
    import filelock

    try:
        # The first try removes the lock of a dead process, the next one gets it.
        lease.acquire(timeout=patience, poll_interval=0.1)
    except filelock.Timeout:
        if not _is_abandoned(lease, paths.lock):
            raise
        echo(
            f"{paths.root} is locked by {_holder(paths.lock)}, which has not renewed its lock for "
            f"{LEASE_S:.0f} seconds; if it does not for as long again, this run takes over."
        )
        lease.acquire(timeout=LEASE_S + RENEWED_EVERY_S, poll_interval=0.1)


def _is_abandoned(lease, lock):
    """Whether a lock seems not to be renewed; those of earlier versions never are."""
    try:
        return lease.owner is not None and _age(lock) >= LEASE_S
    except OSError:
        return False


def _note_time(lock):
    """Writes the time of locking, which filelock ignores."""
    with contextlib.suppress(OSError), lock.open("a", encoding="utf-8") as record:
        record.write(f"since={time.time():.0f}\n")


def _check(lease, paths):
    try:
        is_ours = _record(paths.lock).get("token") == lease.token
    except FileNotFoundError:
        is_ours = False
    except OSError:
        return  # unknown; the write itself will fail if the folder is not writable
    if not is_ours:
        raise RunError(_lost(paths))


def _end(paths):
    """Ends this process from the thread that renews its lock."""
    print(f"network-pruning: {_lost(paths)}", file=sys.stderr, flush=True)
    os._exit(1)


def _lost(paths):
    return (
        f"The lock of {paths.root} is lost: it was not renewed for {LEASE_S:.0f} seconds, because "
        "this process was stopped or did not reach the folder, or it was removed. Another process "
        "may work there now, so this one ends without writing more; run the same command again to "
        "continue."
    )


def _holder(lock):
    """The holder as text, from the lock's record: its process id, host and time of locking."""
    try:
        record = _record(lock)
        since = float(record.get("since") or lock.stat().st_mtime)
        came = datetime.fromtimestamp(since).astimezone()
        return f"process {record['pid']} on {record['host']} since {came:%Y-%m-%d %H:%M:%S %z}"
    except (OSError, ValueError, KeyError):
        return "another run"  # it has just ended, or not written its record yet


def _of_earlier_versions(lock):
    """Advice on locks of earlier versions: they are not renewed, so they may be abandoned."""
    return f" If that run is on another machine and has ended, remove {lock.name} there."


def _record(lock):
    """A lock's record of its holder, by name; in earlier versions process and host."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    named = dict(line.split("=", 1) for line in lines if "=" in line)
    return named or dict(zip(("pid", "host"), lines, strict=False))


def _age(file):
    """Seconds since a file was touched, by the clock of its file system."""
    # Opened, so that a network file system asks its server.
    with file.open("rb") as opened, tempfile.TemporaryFile(dir=file.parent.parent) as now:
        return os.fstat(now.fileno()).st_mtime - os.fstat(opened.fileno()).st_mtime


def _is_alive(pid):
    """Whether a process of this machine exists, by its id as a text."""
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError, TypeError):
        return False
    return True
