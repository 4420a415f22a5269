"""Who may work in a folder, with real processes that die, stop and race."""

import contextlib
import os
import platform
import signal
import subprocess
import sys
import threading
import time

import pytest
from commands import ROOT
from network_pruning.experiments import lock
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.utils import RunError, write_text

LEASE_S = 1.0

# A process that holds the lock and then does something.
HOLD = f"""
import os, runpy, signal, sys, time
from pathlib import Path
runpy.run_path({str(ROOT / "__main__.py")!r})["load_package"]()
from network_pruning.experiments import lock
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.utils import RunError, write_text

lock.LEASE_S, lock.RENEWED_EVERY_S = {LEASE_S}, 0.2
root = Path(sys.argv[1])
try:
    with lock.locked(ArtifactPaths(root), patience={3 * LEASE_S}):
        print("held", flush=True)
        {{}}
except RunError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""
WRITE = "while True: write_text(root / 'table', 'of the first'); time.sleep(0.001)"
COMPUTE = "while True: sum(range(1000))"
DIE = "os.kill(os.getpid(), signal.SIGKILL)"
# Fails if another is in the room.
ENTER = "os.close(os.open(root / 'room', os.O_CREAT | os.O_EXCL)); time.sleep(0.3)"
ENTER += "; (root / 'room').unlink()"


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "file").touch()
    return ArtifactPaths(tmp_path / "x")


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(lock, "LEASE_S", LEASE_S)
    monkeypatch.setattr(lock, "RENEWED_EVERY_S", 0.2)


@contextlib.contextmanager
def holder(paths, then):
    """A process that holds the lock, or tries to; killed in the end."""
    command = [sys.executable, "-c", HOLD.format(then), str(paths.root)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def write_lock(paths, host="node-17", pid=1234, age=0.0):
    """What a process on another machine has left."""
    record = (
        f"filelock/2\npid={pid}\nhost={host}\nmode=lease\ntoken=abc\nduration={lock.LEASE_S!r}\n"
    )
    paths.lock.write_text(f"{record}since=1700000000\n")
    os.utime(paths.lock, (time.time() - age,) * 2)


def test_the_lock_names_its_holder_and_is_gone_afterwards(paths):
    with lock.locked(paths):
        assert paths.lock.exists()
        with pytest.raises(RunError, match=rf"in use by process {os.getpid()} on \S+ since 2\d"):
            lock.locked(paths).__enter__()
    assert not paths.lock.exists()


def test_a_folder_without_anything_is_removed(tmp_path):
    with lock.locked(ArtifactPaths(tmp_path / "new")):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("short")
def test_a_lock_of_a_dead_process_is_taken_over_without_waiting(paths, capsys):
    with holder(paths, DIE) as process:
        assert process.wait() == -signal.SIGKILL
    assert paths.lock.exists()
    with lock.locked(paths):
        assert "has not renewed its lock" not in capsys.readouterr().out
    assert not paths.lock.exists()


def test_one_of_an_earlier_version_too(paths):
    code = "import filelock, os, sys; lock = filelock.SoftFileLock(sys.argv[1]); lock.acquire()"
    subprocess.run([sys.executable, "-c", f"{code}; os._exit(0)", str(paths.lock)], check=True)
    assert paths.lock.exists()
    with lock.locked(paths):
        pass


@pytest.mark.parametrize("clock", [0.0, 1e6, -1e6])
def test_a_lock_of_another_machine_that_is_renewed_is_respected(paths, monkeypatch, clock):
    """Whatever the clock of this machine says."""
    now = time.time()
    write_lock(paths)
    monkeypatch.setattr(time, "time", lambda: now + clock)
    with pytest.raises(RunError, match="in use by process 1234 on node-17 since 2023-11-14"):
        lock.locked(paths).__enter__()
    assert lock.is_held(paths)


def test_so_is_one_of_an_earlier_version(paths):
    paths.lock.write_text("1234\nnode-17\n")
    os.utime(paths.lock, (0, 0))
    with pytest.raises(RunError, match=r"1234 on node-17 since .* has ended, remove \.lock there"):
        lock.locked(paths).__enter__()


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("host", ["node-17", platform.node()])
def test_one_that_is_not_renewed_is_taken_over(paths, capsys, host):
    """Of a stopped process of this machine, too."""
    write_lock(paths, host, os.getppid(), age=2 * LEASE_S)
    began = time.monotonic()
    with lock.locked(paths):
        assert time.monotonic() - began > LEASE_S  # somebody may renew it until then
    assert "has not renewed its lock for 1 seconds" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("short")
def test_one_that_is_renewed_meanwhile_is_not(paths):
    """Of a machine that did not reach its file system for a while."""
    write_lock(paths, age=2 * LEASE_S)
    until = time.monotonic() + 3 * LEASE_S

    def renew():
        time.sleep(0.5 * LEASE_S)
        while time.monotonic() < until:
            os.utime(paths.lock)
            time.sleep(0.1)

    thread = threading.Thread(target=renew)
    thread.start()
    with pytest.raises(RunError, match="in use by process 1234 on node-17"):
        lock.locked(paths).__enter__()
    thread.join()


@pytest.mark.usefixtures("short")
def test_who_waits_gets_the_lock_when_it_is_free_or_abandoned(paths):
    write_lock(paths)
    lock.wait(paths, 3 * LEASE_S)
    assert not paths.lock.exists()
    with holder(paths, "time.sleep(0.5)") as process:
        assert process.stdout.readline() == "held\n"
        lock.wait(paths, 3)
        with lock.locked(paths):
            pass
    with lock.locked(paths):
        lock.wait(paths, 0.1)  # the run says whose it is


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("then", [WRITE, COMPUTE], ids=["writes", "computes"])
def test_a_stopped_process_whose_lock_was_taken_over_ends_and_writes_nothing(paths, then):
    with holder(paths, then) as process:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        with lock.locked(paths, patience=3 * LEASE_S):
            token = lock._record(paths.lock)["token"]
            write_text(paths.root / "table", "of the second")
            process.send_signal(signal.SIGCONT)
            said = process.communicate(timeout=300)[1]
            assert process.returncode == 1
            assert f"The lock of {paths.root} is lost" in said
            assert (paths.root / "table").read_text() == "of the second"
            assert lock._record(paths.lock)["token"] == token
    assert not paths.lock.exists()


@pytest.mark.usefixtures("short")
def test_a_stopped_process_whose_lock_nobody_took_goes_on(paths):
    """A computer that slept, say."""
    with holder(
        paths, "[write_text(root / 'table', '1') or time.sleep(0.1) for _ in range(20)]"
    ) as p:
        assert p.stdout.readline() == "held\n"
        p.send_signal(signal.SIGSTOP)
        time.sleep(1.5 * LEASE_S)
        p.send_signal(signal.SIGCONT)
        said = p.communicate(timeout=300)[1]
        assert (p.returncode, said) == (0, "")


@pytest.mark.usefixtures("short")
def test_of_several_that_take_over_one_is_in_the_folder_at_a_time(paths):
    write_lock(paths, age=2 * LEASE_S)
    with contextlib.ExitStack() as started:
        takers = [started.enter_context(holder(paths, ENTER)) for _ in range(3)]
        said = [process.communicate(timeout=300) for process in takers]
        assert [process.returncode for process in takers] == [0, 0, 0], said
    assert {file.name for file in paths.root.iterdir()} == {"file"}


@pytest.mark.usefixtures("short")
def test_a_page_says_that_another_process_is_at_work(paths):
    assert not lock.is_held(paths)
    with lock.locked(paths):
        assert not lock.is_held(paths)  # not another
    write_lock(paths)
    assert lock.is_held(paths)
    write_lock(paths, platform.node(), 2**22 + 1)
    assert not lock.is_held(paths)
    write_lock(paths, age=2 * LEASE_S)
    assert not lock.is_held(paths)
