"""Sweeps that are cut short, and a cluster of two nodes of which one dies: all go on."""

import signal

import fake_trials
import pytest

from sweeps import (
    FLAGS,
    cluster,
    contents,
    epochs_done,
    on_cluster,
    processes_in,
    said_by,
    single,
    start,
    states,
    sweep,
    trial_name,
    wait_until,
)

EPOCHS = 4
LONG = (*FLAGS, f"--epochs={EPOCHS}")
NAMES = [trial_name(l1, epochs=EPOCHS) for l1 in ("0.0", "0.001")]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The trials of the sweeps below, made by single commands."""
    output = tmp_path_factory.mktemp("uninterrupted")
    for l1 in ("0.0", "0.001"):
        single(output, *LONG, f"--l1_reg={l1}")
    return {name: contents(output / name) for name in NAMES}


@pytest.fixture
def output(tmp_path):
    """The output folder of a sweep, whose trials wait at a gate in the folder around."""
    return tmp_path / "results"


@pytest.fixture
def begin(output):
    """Begins the sweep, and returns its process once its trials wait after so many epochs."""

    def begin(epochs, *flags):
        fake_trials.allow(output.parent, epochs)
        running = start(output, *LONG, "--l1_reg=0,0.001", *flags)
        wait_until(lambda: are_at(output, epochs) or not running.is_running())
        assert running.is_running(), said_by(output)
        return running

    return begin


def are_at(output, epochs):
    """Whether both trials have finished so many epochs."""
    return [epochs_done(output, name) for name in NAMES] == [epochs] * 2


def logs(output):
    """What the trials have said."""
    return [log.read_text() for log in output.glob("sweeps/*/logs/few*.txt")]


def is_ended(output):
    """Waits until no process of a trial is left; none of them has finished its experiment."""
    wait_until(lambda: not processes_in(output))
    return not list(output.glob("few*/results.csv"))


def test_a_sweep_that_is_killed_goes_on_by_the_same_command(output, uninterrupted, begin):
    """With a Ray of its own, which ends with it; what is left is done on another one."""
    running = begin(1)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    assert "Traceback" not in said_by(output)
    assert is_ended(output)

    fake_trials.allow(output.parent, EPOCHS)
    flags = (*LONG, "--l1_reg=0,0.001", f"--output_dir={output}", on_cluster())
    done = sweep(*flags, cwd=output.parent)
    assert done.returncode == 0, done.stderr
    assert ["Resumed after epoch 1" in log for log in logs(output)] == [True, True]
    assert {name: contents(output / name) for name in NAMES} == uninterrupted


def test_sweeps_end_and_nodes_die_while_the_cluster_lives_on(output, uninterrupted, begin):
    """Signals end a sweep and its trials; those of a node that dies are left to the others."""
    (second,) = cluster().worker_nodes
    for epoch, (number, status) in enumerate([(signal.SIGINT, 130), (signal.SIGTERM, 143)], 1):
        running = begin(epoch, on_cluster())
        running.send_signal(number)
        assert running.wait() == status
        assert "run the same command again" in said_by(output)
        assert "Traceback" not in said_by(output)
        assert is_ended(output)

    running = begin(3, on_cluster())
    cluster().remove_node(second, allow_graceful=False)
    wait_until(lambda: "continues elsewhere" in said_by(output) or not running.is_running())
    wait_until(lambda: len(processes_in(output)) <= 1)
    fake_trials.allow(output.parent, EPOCHS)
    assert running.wait() == 0, said_by(output)
    cluster().add_node(num_cpus=1)  # for the tests after this one
    assert "continues elsewhere" in said_by(output)
    assert states(output) == dict.fromkeys(NAMES, "finished")
    assert all(f"Resumed after epoch {n}" in log for log in logs(output) for n in (1, 2))
    assert sum("Resumed after epoch 3" in log for log in logs(output)) == 1
    assert {name: contents(output / name) for name in NAMES} == uninterrupted
