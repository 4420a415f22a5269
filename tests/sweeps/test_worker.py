"""What a machine of a cluster is asked before trials run there, and how they are started."""

import importlib
import sys
from types import SimpleNamespace

import fake_trials
import pytest
from commands import ROOT

from sweeps import epochs_done, forking_program, request_of, trial_name

pytest.importorskip("ray.tune", reason="Ray is not installed")


@pytest.fixture
def worker():
    return importlib.import_module("network_pruning.sweeps.worker")


@pytest.fixture
def version():
    return importlib.import_module("network_pruning").__version__


def test_a_machine_with_the_folder_and_the_program_is_fit(worker, version, tmp_path):
    (tmp_path / "marker").write_text("content")
    assert worker.check_node(str(tmp_path / "marker"), "content", str(ROOT), version) is None
    assert [file.name for file in tmp_path.iterdir()] == ["marker"]


@pytest.mark.parametrize("content", [None, "of another folder"])
def test_a_machine_that_does_not_see_the_folder_is_not(worker, version, tmp_path, content):
    if content:
        (tmp_path / "marker").write_text(content)
    said = worker.check_node(str(tmp_path / "marker"), "content", str(ROOT), version)
    assert said == "cannot read and write the output folder"


def test_neither_is_one_with_another_version(worker, version, tmp_path):
    (tmp_path / "marker").write_text("content")
    said = worker.check_node(str(tmp_path / "marker"), "content", str(ROOT), "0.0")
    assert said == f"has network-pruning {version}, not 0.0"


def test_a_checkout_is_started_where_it_is_and_else_the_installed_program(worker, tmp_path):
    assert worker.command_of(str(ROOT)) == [sys.executable, str(ROOT), "trial"]
    assert "network_pruning.cli.trial" in worker.command_of(str(tmp_path))[-1]


def test_machines_that_do_not_answer_in_time_are_named_without_waiting_for_each(
    worker, monkeypatch
):
    waited = []

    def get(answer, timeout):
        waited.append(timeout)
        if answer == "silent":
            raise worker.ray.exceptions.GetTimeoutError
        return

    nodes = [{"NodeManagerHostname": name} for name in ("silent", "fit")]
    remote = lambda node, **_: SimpleNamespace(remote=lambda *_: node["NodeManagerHostname"])  # noqa: E731
    monkeypatch.setattr(worker, "alive_nodes", lambda: nodes)
    monkeypatch.setattr(worker, "_on", remote)
    monkeypatch.setattr(worker.ray, "get", get)
    monkeypatch.setattr(worker, "START_S", 0)
    assert worker.check_nodes("m", "c", "p", "v") == {"silent": worker.NOT_STARTED}
    assert waited == [0.1, 0.1]


@pytest.fixture
def begun(worker, tmp_path, monkeypatch):
    """The actor of a trial, seed 0, without Ray, and what it was begun with."""
    monkeypatch.setattr(worker.ray, "get_gpu_ids", lambda: [])
    config = {
        **{"program": forking_program(), "folder": str(tmp_path), "environment": {}},
        **{"request": request_of(tmp_path / "results"), "values": {"seed": 0}},
        "every_epoch": True,
    }
    fake_trials.allow(tmp_path, 1)
    trial = worker.Trial(config)
    yield trial, config
    trial.cleanup()


def test_a_hopeless_trial_ends_where_it_is_and_the_next_one_begins(begun, tmp_path):
    trial, config = begun
    told = trial.step()
    assert (told["epoch"], told["state"], told["experiment_id"]) == (1, "running", trial_name())
    assert trial.process.poll() is None
    process = trial.process
    trial.cleanup()
    assert process.poll() is not None
    assert epochs_done(tmp_path / "results", trial_name()) == 1
    fake_trials.allow(tmp_path, 2)
    trial.reset_config({**config, "values": {"seed": 1}})
    assert (trial.step()["epoch"], trial.step()["state"]) == (1, "finished")
    assert epochs_done(tmp_path / "results", trial_name(seed=1)) == 2


def test_who_is_ended_from_outside_is_tried_again_and_who_fails_is_not(begun, tmp_path):
    trial, config = begun
    trial.step()
    trial.process.kill()
    with pytest.raises(RuntimeError, match="The process was ended by SIGKILL"):
        trial.step()
    (tmp_path / "results" / trial_name(seed=1)).write_text("no folder")
    trial.reset_config({**config, "values": {"seed": 1}})
    told = trial.step()
    assert (told["state"], told["done"]) == ("failed", True)
    assert trial_name(seed=1) in told["note"]
