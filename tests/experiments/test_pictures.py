"""Drawing in two processes."""

import os
import signal
import sys
from types import SimpleNamespace

import pytest
from network_pruning.experiments import comparison, pictures, runner
from network_pruning.experiments.pictures import _in_another_process
from network_pruning.pruning.methods import REFERENCE

HERE = os.getpid()


def test_another_process_does_the_work():
    assert _in_another_process(os.getpid)() != HERE


def test_the_other_process_does_not_outlive_its_work(cli, root):
    """Where the first is killed the second cannot send what it has, and ends: its output ends."""
    code = f"""
import os, runpy, signal
runpy.run_path({str(root / "__main__.py")!r})["load_package"]()
from network_pruning.experiments.pictures import _in_another_process
from network_pruning.pruning.methods import REFERENCE
_in_another_process(lambda: bytes(10_000_000))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = cli(command=(sys.executable, "-c", code), timeout=60)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def failed():
    raise MemoryError


@pytest.mark.parametrize("end", [killed, failed])
def test_what_another_process_does_not_finish_is_done_here(capfd, end):
    result = _in_another_process(lambda: "done" if os.getpid() == HERE else end())
    assert result() == "done"
    assert capfd.readouterr().err == ""


def test_what_fails_in_both_fails_here():
    with pytest.raises(MemoryError):
        _in_another_process(failed)()


def test_whoever_holds_only_a_lock_may_fork(cli, root, tmp_path):
    """The thread that renews the lock is no reason to draw everything in one process."""
    code = f"""
import runpy, threading, time
from pathlib import Path
runpy.run_path({str(root / "__main__.py")!r})["load_package"]()
from network_pruning.experiments import lock, pictures
from network_pruning.experiments.paths import ArtifactPaths
with lock.locked(ArtifactPaths(Path({str(tmp_path / "a")!r}))):
    alone = pictures._may_fork()
    threading.Thread(target=time.sleep, args=(0.5,)).start()
    print(alone, pictures._may_fork())
"""
    done = cli(command=(sys.executable, "-c", code), timeout=60)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.parametrize("known", [True, False])
def test_what_other_processes_draw_is_waited_for_last(monkeypatch, known):
    """Where nothing is computed. Elsewhere frames are drawn beside the tests, of values that were
    taken before: tests put other weights into the model."""
    done = []

    def noted(name, result=None):
        return lambda *_: done.append(name) or result

    def begun(work):
        done.append("begun")
        return work

    def draw(_config, drawings, _paths):
        for made in drawings.values():
            made()

    networks = SimpleNamespace(
        reference=REFERENCE,
        notes=list,
        rank=noted("ranked", {}),
        values=noted("values"),
        labels=noted("labels"),
    )
    monkeypatch.setattr(comparison, "is_known", lambda *_: known)
    monkeypatch.setattr(comparison, "compare", noted("compared"))
    monkeypatch.setattr(pictures, "begun", begun)
    monkeypatch.setattr(pictures, "draw", draw)
    monkeypatch.setattr(pictures.Histograms, "drawn", noted("drawn"))
    monkeypatch.setattr(pictures, "report", noted("reported"))
    runner.prune_and_picture(None, networks, None, None, "")
    if known:
        taken = ["ranked", "values", "labels", "drawn"]
        assert done == ["begun", "begun", "compared", "reported", *2 * taken]
    else:
        assert done[:6] == ["ranked", "ranked", *2 * ["values", "labels"]]
        assert sorted(done[6:9]) == ["compared", "drawn", "drawn"]
        assert done[9:] == ["reported"]
