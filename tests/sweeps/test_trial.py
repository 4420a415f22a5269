"""The process of a trial, as a worker starts it: without Ray, with fakes for networks."""

import contextlib
import json
import os
import signal
from types import SimpleNamespace

import fake_trials
import pytest
from commands import start_command

from sweeps import FAKE, epochs_done, request_of, trial_name, wait_until

IMPATIENT = """
from network_pruning.experiments import lock
from network_pruning.sweeps import trial

lock.LEASE_S, lock.RENEWED_EVERY_S, trial.PATIENCE_S = 1.0, 0.2, 2.0
"""


@pytest.fixture
def begin(tmp_path):
    """Begins the trial of a seed, as a worker does; returns its process, with `reports()` and
    `leave()`, as if the worker ended."""
    output = tmp_path / "results"
    asked = request_of(output)

    def begin(seed, first=""):
        request = {**asked, "values": {"seed": seed}}
        taken, given = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
        cleanup.enter_context(given)
        print(json.dumps(request), file=given, flush=True)
        told = tmp_path / f"reports-{seed}.txt"
        with taken, told.open("w") as answers:
            streams = {"stdin": taken, "stdout": answers, "stderr": answers}
            process = start_command("trial", first=f"{FAKE}\n{first}", cwd=tmp_path, **streams)
        cleanup.callback(process.kill)
        reports = lambda: [*map(json.loads, told.read_text().splitlines())]  # noqa: E731
        return SimpleNamespace(process=process, reports=reports, leave=given.close, output=output)

    with contextlib.ExitStack() as cleanup:
        yield begin


def logged(trial, seed):
    """What a trial has said."""
    log = trial.output / "sweeps" / "mine" / "logs" / f"{trial_name(seed=seed)}.txt"
    return " ".join(log.read_text().split())


def test_every_epoch_is_reported_and_the_objective_at_the_end(begin):
    trial = begin(0)
    assert trial.process.wait() == 0
    named, *epochs, last = trial.reports()
    assert named == {"experiment_id": trial_name()}
    assert [epoch["epoch"] for epoch in epochs] == [1]
    assert (last["epoch"], last["is_last"]) == (2, True)
    assert 0 <= last["objective"] <= 1


@pytest.mark.parametrize("how", ["the worker ends", signal.SIGTERM])
def test_a_trial_ends_with_its_worker_and_keeps_its_epochs(begin, tmp_path, how):
    fake_trials.allow(tmp_path, 1)
    trial = begin(0)
    wait_until(lambda: epochs_done(trial.output, trial_name()) == 1)
    if how == signal.SIGTERM:
        trial.process.send_signal(how)
        assert trial.process.wait() == 143
        assert "Run the same command again to resume" in logged(trial, 0)
    else:
        trial.leave()
        assert trial.process.wait() == -signal.SIGKILL
    fake_trials.allow(tmp_path, 2)
    assert begin(0).process.wait() == 0
    assert "Resumed after epoch 1" in logged(trial, 0)


def test_a_lock_of_another_machine_is_taken_over_once_nobody_renews_it(begin, tmp_path):
    """One of an earlier version is never renewed, and so respected."""
    output = tmp_path / "results"
    record = "filelock/2\npid=123\nhost=another-machine\nmode=lease\ntoken=a\nduration=1.0\n"
    for seed, text in ((0, record), (1, "123\nanother-machine\n1\n")):
        (output / trial_name(seed=seed)).mkdir()
        (output / trial_name(seed=seed) / ".lock").write_text(text)
    abandoned, theirs = (begin(seed, first=IMPATIENT) for seed in (0, 1))
    assert abandoned.process.wait() == 0
    assert theirs.process.wait() == 1
    assert (output / trial_name() / "results.csv").exists()
    assert "is in use by process 123 on another-machine" in logged(theirs, 1)
    locks = [file.parent.name for file in output.glob("few*/.lock")]
    assert locks == [trial_name(seed=1)]
