"""Sweeps that are cut short, and a cluster of two nodes of which one dies: all go on."""

import re
import signal

import pytest

import sweeps
from sweeps import (
    FLAGS,
    contents,
    epochs_done,
    said_by,
    single,
    start,
    states,
    sweep,
    trial_name,
)

LONG = ("--epochs=150",)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The long trials of the tests below, made by single commands."""
    output = tmp_path_factory.mktemp("uninterrupted")
    for l1 in ("0.0", "0.001"):
        single(output, *LONG, f"--l1_reg={l1}")
    return output


def long_names():
    return [trial_name(l1, epochs=150) for l1 in ("0.0", "0.001")]


def same_as_uninterrupted(output, uninterrupted):
    for name in long_names():
        now, then = contents(output / name), contents(uninterrupted / name)
        assert now.keys() == then.keys()
        assert [file for file in then if now[file] != then[file]] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_is_cut_short_goes_on_by_the_same_command(tmp_path, uninterrupted, how):
    flags = (*FLAGS, *LONG, "--l1_reg=0,0.001")
    running = start(tmp_path, *flags)
    sweeps.wait_until(lambda: min(epochs_done(tmp_path, name) for name in long_names()) > 5)
    running.send_signal(how)
    assert running.wait() == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in said_by(tmp_path)
    if how != signal.SIGKILL:
        assert "run the same command again" in said_by(tmp_path)
    sweeps.wait_until(lambda: not sweeps.processes_in(tmp_path))
    done_before = {name: epochs_done(tmp_path, name) for name in long_names()}
    assert min(done_before.values()) > 5
    done = sweep(*flags, f"--output_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    for name in long_names():
        (log,) = tmp_path.glob(f"sweeps/*/logs/{name}.txt")
        # Of an epoch the state is written first, then the history.
        resumed = int(re.search(r"Resumed after epoch (\d+)", log.read_text())[1])
        assert resumed - done_before[name] in (0, 1)
    same_as_uninterrupted(tmp_path, uninterrupted)


def test_sigterm_ends_a_sweep_and_its_trials(tmp_path):
    running = start(tmp_path, *FLAGS, *LONG, "--l1_reg=0,0.001")
    sweeps.wait_until(lambda: sweeps.processes_in(tmp_path))
    running.send_signal(signal.SIGTERM)
    assert running.wait() == 143
    assert "run the same command again" in said_by(tmp_path)
    sweeps.wait_until(lambda: not sweeps.processes_in(tmp_path))
    assert not list(tmp_path.glob("few*/results.csv"))


@pytest.fixture
def cluster():
    """A cluster of two nodes with one core each, and the second of them."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster, second
    cluster.shutdown()


def test_a_node_that_dies_leaves_its_trials_to_the_others(tmp_path, uninterrupted, cluster):
    cluster, second = cluster
    flags = (*FLAGS, *LONG, "--l1_reg=0,0.001", f"--ray_address={cluster.address}")
    running = start(tmp_path, *flags)
    sweeps.wait_until(lambda: min(epochs_done(tmp_path, name) for name in long_names()) > 5)
    cluster.remove_node(second, allow_graceful=False)
    assert running.wait() == 0, said_by(tmp_path)
    assert "continues elsewhere" in said_by(tmp_path)
    assert states(tmp_path) == dict.fromkeys(long_names(), "finished")
    logs = [log.read_text() for log in tmp_path.glob("sweeps/*/logs/*.txt")]
    assert sum("Resumed after epoch" in log for log in logs) == 1
    same_as_uninterrupted(tmp_path, uninterrupted)
