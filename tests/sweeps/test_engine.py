"""What a search asks for next, without a cluster; what fits on the machines."""

import importlib
import importlib.util
import time
from types import SimpleNamespace

import pytest
from network_pruning.settings.distributions import Distribution
from network_pruning.utils import RunError, UsageError

pytest.importorskip("ray.tune", reason="Ray is not installed")

VARIED = {"learning_rate": Distribution("loguniform", 1e-4, 1e-2), "batch_size": (64, 128)}


@pytest.fixture
def engine():
    importlib.import_module("network_pruning.sweeps.ray_connection").check_installed("optuna")
    return importlib.import_module("network_pruning.sweeps.engine")


@pytest.fixture
def searching(engine):
    """After Ray's settings have been made."""
    return importlib.import_module(f"{engine.__package__}.tune_search")


def suggested(searching, number, varied=VARIED, **options):
    about = {"kind": "random", "seed": 0, "goal": "max", "finished": [], "unfinished": []}
    search = searching.TuneSearch(varied, **{**about, **options}, number=number, epochs=None)
    searcher = searching.searcher_of(search)
    return [searcher.suggest(str(trial)) for trial in range(number)]


@pytest.mark.parametrize("kind", ["random", "optuna"])
def test_what_is_drawn_lies_where_it_may_and_depends_on_the_seed(searching, kind):
    drawn = [found["values"] for found in suggested(searching, 12, kind=kind)]
    assert all(1e-4 <= values["learning_rate"] <= 1e-2 for values in drawn)
    assert {values["batch_size"] for values in drawn} == {64, 128}
    again = [found["values"] for found in suggested(searching, 12, kind=kind)]
    assert again == drawn
    assert [found["values"] for found in suggested(searching, 12, kind=kind, seed=1)] != drawn


def test_both_ends_of_whole_numbers_are_drawn(searching):
    varied = {"epochs": Distribution("randint", 2, 4)}
    drawn = {found["values"]["epochs"] for found in suggested(searching, 3, varied)}
    assert drawn == {2, 3, 4}


def test_nothing_is_drawn_twice_and_the_search_ends_when_nothing_is_left(searching):
    varied = {"batch_size": (64, 128), "l1_reg": (0.0, 0.1)}
    done = [({"batch_size": 64, "l1_reg": 0.0}, 0.5)]
    drawn = suggested(searching, 4, varied, finished=done)
    assert drawn[3] == "FINISHED"
    left = {(found["values"]["batch_size"], found["values"]["l1_reg"]) for found in drawn[:3]}
    assert left == {(64, 0.1), (128, 0.0), (128, 0.1)}


def test_what_was_begun_comes_first_after_a_restart(searching):
    begun = {"learning_rate": 0.00123456789, "batch_size": 128}
    first, second = suggested(searching, 2, unfinished=[begun])
    assert first["values"] == begun
    assert second["values"] != begun


def test_a_search_looks_where_it_was_best(searching):
    """Of 30 trials the better ones have small learning rates; more of these are drawn."""
    finished = [
        ({"learning_rate": 1e-4 * 10 ** (n / 15), "batch_size": 64}, 1 - n / 30) for n in range(30)
    ]
    drawn = suggested(searching, 20, kind="optuna", finished=finished)
    small = sum(found["values"]["learning_rate"] < 1e-3 for found in drawn)
    assert small >= 15


def job(engine, **needs):
    about = {"request": {}, "place": "p", "output_dir": "o", "address": "local", "trials": []}
    return engine.Job(**{**about, "cpus": 1, "gpus": 0.0, **needs})


@pytest.mark.parametrize(
    ("rooms", "needs", "expected"),
    [
        ([(4, 0), (8, 0)], {"cpus": None, "gpus": None}, (8, 0)),
        ([(4, 2), (8, 0)], {"cpus": None, "gpus": None}, (4, 1)),
        ([(0, 0)], {"cpus": None, "gpus": None}, (1, 0)),
        ([(4, 2)], {"cpus": 3, "gpus": 0.5}, (3, 0.5)),
    ],
)
def test_what_a_trial_needs_where_that_is_left_to_the_machines(engine, rooms, needs, expected):
    found = engine._with_needs(job(engine, **needs), rooms)
    assert (found.cpus, found.gpus) == expected


def test_a_trial_must_fit_on_one_machine(engine, capsys):
    rooms = [(4, 0), (2, 1)]
    engine._check_room(job(engine, cpus=4), rooms)
    with pytest.raises(UsageError, match="4 cores and 1 GPUs: the largest has 4 and 1"):
        engine._check_room(job(engine, cpus=4, gpus=1.0), rooms)
    engine._check_room(job(engine, cpus=9, address="auto"), rooms)
    assert "wait until one joins" in " ".join(capsys.readouterr().out.split())


def machines(wrong):
    """The module `worker` of which machines are said to be wrong."""
    return SimpleNamespace(check_nodes=lambda *_: wrong, NOT_STARTED="has started no worker")


def test_machines_that_start_no_worker_end_the_sweep_with_the_reason_and_the_log(engine, tmp_path):
    said = "bash: line 1: /a/new: No such file or directory"
    log = tmp_path / "raylet.err"
    log.write_text(f"{said}\n[2026-11-26 14:44:36,964 E 1 1] (raylet) worker_pool.cc:660: …\n")
    silent = machines({"one": "has started no worker", "two": "has started no worker"})
    with pytest.raises(RunError) as caught:
        engine._check_machines(job(engine, output_dir=tmp_path), silent, tmp_path)
    assert str(caught.value) == (
        f"Ray has started no worker on the machine one (2 machines in all) ({said}); its log there "
        f"is {log}."
    )
    assert [file.name for file in tmp_path.iterdir()] == ["raylet.err"]


def test_what_trials_wait_for_is_said_once_if_none_begins(engine, capsys, monkeypatch):
    import ray

    monkeypatch.setattr(engine, "WAITING_S", 0.01)
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 1.0})
    waiting, begun = (engine._Waiting(job(engine, cpus=4, address="auto")) for _ in range(2))
    begun.end()
    time.sleep(0.02)
    for some in (waiting, waiting, begun):
        some.report_if_due()
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("No trial has begun yet: each needs 4 cores and 0 GPUs of one machine") == 1
    assert "all machines have 1 and 0 free. They begin when there is room." in said


def test_an_error_while_events_are_taken_is_raised_when_trials_have_ended(engine):
    taken = []

    def take(event):
        taken.append(event)
        raise RunError("The disk is full.")

    def run():
        with engine._events(job(engine), take) as post:
            post({"state": "running"})
            post({"state": "finished"})

    with pytest.raises(RunError, match="The disk is full"):
        run()
    assert [event["state"] for event in taken] == ["running", "finished"]
