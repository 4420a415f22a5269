"""What becomes of trials, event by event, and what the same command goes on with."""

import importlib
import json

import pytest
from network_pruning.settings.distributions import Distribution
from network_pruning.settings.stored import differences
from network_pruning.settings.sweep import SweepConfig
from network_pruning.utils import RunError

FIRST, SECOND = {"seed": 0}, {"seed": 1}


@pytest.fixture
def module():
    return importlib.import_module("network_pruning.sweeps.journal")


@pytest.fixture
def journal(module, tmp_path):
    """Makes the journal of a sweep in this test's folder."""

    def make(settings=(), varied=None, **options):
        settings = {"output_dir": str(tmp_path), "epochs": 3, **dict(settings)}
        sweep = SweepConfig(settings, varied or {"seed": (0, 1)}, **options)
        paths = module_paths().of(tmp_path, "mine")
        paths.root.mkdir(parents=True, exist_ok=True)
        return module.Journal(sweep, paths, "command")

    return make


def module_paths():
    return importlib.import_module("network_pruning.sweeps.paths").SweepPaths


def event(values, state, **more):
    return {"trial": "t", "values": values, "state": state, **more}


def states(journal):
    return [trial["state"] for trial in journal.trials]


def written(journal):
    return json.loads(journal.paths.record.read_text())


def test_a_grid_waits_runs_and_ends(journal):
    mine = journal()
    assert states(mine) == ["waiting", "waiting"]
    mine.take(event(FIRST, "running"))
    mine.take(event(FIRST, "running", epoch=2, seconds=4.5, node="here"))
    mine.take(event(FIRST, "finished", epoch=3, seconds=7.5, objective=0.9, node="here"))
    mine.take(event(SECOND, "failed", note="Why."))
    first, second = written(mine)["trials"]
    assert (first["state"], first["objective"], first["epochs"]) == ("finished", 0.9, 3)
    assert (second["state"], second["note"], second["objective"]) == ("failed", "Why.", None)
    assert mine.waiting_trials() == []
    assert mine.best() == "Best valid_accuracy@0.9: 90.00 %"
    mine.is_complete = True
    mine.close()
    assert not written(mine)["ended"]  # the same command tries again what failed


def test_how_long_the_rest_takes_is_known_from_the_first_finished_trial_on(journal):
    mine = journal(varied={"seed": (0, 1, 2)})
    mine.take(event(FIRST, "running"))
    assert mine.seconds_left() is None
    mine.take(event(FIRST, "finished", seconds=80))
    mine.take(event(SECOND, "running"))
    # Two trials of 80 seconds, one at a time.
    assert mine.seconds_left() == pytest.approx(160, abs=30)


def test_what_was_cut_short_waits_again_and_what_stood_still_counts(journal, module, monkeypatch):
    mine = journal()
    mine.take(event(FIRST, "finished", objective=0.9))
    mine.take(event(SECOND, "running"))
    mine.close()
    assert [trial["state"] for trial in written(mine)["trials"]] == ["finished", "waiting"]
    monkeypatch.setattr(module, "is_done", lambda _sweep, config, _load: config.seed == 0)
    again = journal()
    assert [trial["settings"] for trial in again.waiting_trials()] == [SECOND]
    # A folder that is gone is made again.
    monkeypatch.setattr(module, "is_done", lambda *_: False)
    assert len(journal().waiting_trials()) == 2


def test_trials_have_the_names_of_today(journal):
    """Earlier versions named defaults, too."""
    mine = journal()
    mine.take(event(FIRST, "finished", objective=0.9))
    names = [trial["experiment_id"] for trial in mine.trials]
    for trial in mine.trials:
        trial["experiment_id"] += "-as-before"
    mine.close()
    assert [trial["experiment_id"] for trial in journal().trials] == names


def test_who_is_asked_to_train_anew_does_so_once(journal):
    forced = {"force_train": True}
    mine = journal(forced)
    mine.take(event(FIRST, "finished", objective=0.9))
    mine.close()
    again = journal(forced)
    assert [trial["settings"] for trial in again.waiting_trials()] == [SECOND]
    again.take(event(SECOND, "finished", objective=0.8))
    again.is_complete = True
    again.close()
    assert written(again)["ended"]
    assert len(journal(forced).waiting_trials()) == 2


def test_another_sweep_of_this_name_is_refused(journal):
    journal().close()
    with pytest.raises(RunError, match="is of another sweep; give another --sweep_id"):
        journal({"epochs": 4})


@pytest.mark.parametrize("text", ["{", "[]", '{"trials": [{"state": "waiting"}]}', '{"trials": 1}'])
def test_a_damaged_record_is_a_sentence(journal, text):
    mine = journal()
    mine.paths.record.write_text(text)
    with pytest.raises(RunError, match="is damaged, so the states of the trials are not known"):
        journal()


SEARCH = {"search": "random", "samples": 3}
DRAWN = {"learning_rate": Distribution("loguniform", 1e-4, 1e-2)}


def test_a_search_adds_what_is_drawn(journal):
    mine = journal(varied=DRAWN, **SEARCH)
    assert (mine.trials, mine.waiting_trials(), mine.is_complete) == ([], [], False)
    mine.take(event({"learning_rate": 0.00123456}, "running"))
    mine.take(event({"learning_rate": 0.00123456}, "stopped", objective=0.4, epoch=1))
    (trial,) = mine.trials
    assert trial["settings"] == {"learning_rate": 0.001235}
    assert trial["drawn"] == {"learning_rate": 0.00123456}
    assert (trial["state"], trial["objective"]) == ("stopped", 0.4)
    assert "lr=0.001235" in trial["experiment_id"]
    mine.close()
    assert journal(varied=DRAWN, **SEARCH).waiting_trials() == []  # it was hopeless before


def test_what_is_no_objective_is_not_kept_as_one(journal):
    """Where networks are trained after pruning, trials tell of the dense network early."""
    mine = journal({"methods": ["weight/finetune"]}, DRAWN, **SEARCH)
    mine.take(event({"learning_rate": 0.001}, "running", objective=0.98, epoch=1))
    mine.take(event({"learning_rate": 0.001}, "stopped", objective=0.98, epoch=1))
    assert mine.trials[0]["objective"] is None


def test_values_that_do_not_go_together_are_a_trial_that_fails(journal):
    varied = {
        "epochs": Distribution("randint", 2, 9),
        "rewind_epoch": Distribution("randint", 0, 2),
    }
    mine = journal(varied=varied, **SEARCH)
    mine.sweep.varied["rewind_epoch"] = Distribution("randint", 0, 9)
    mine.take(event({"epochs": 2, "rewind_epoch": 5}, "failed", note="It must not."))
    assert mine.trials[0]["experiment_id"].startswith("no-experiment-")
    assert states(mine) == ["failed"]
    mine.close()
    varied["rewind_epoch"] = Distribution("randint", 0, 2)
    assert states(journal(varied=varied, **SEARCH)) == ["waiting"]  # the same command goes on


def test_a_finished_experiment_is_found_whoever_made_it(module, copy, monkeypatch):
    # The data set of a plugin, which is not loaded here.
    monkeypatch.setattr(module.registry, "load", lambda *_: None)
    monkeypatch.setattr(
        module.folder, "changes", lambda config, _, record: differences(config, record["settings"])
    )
    settings = {
        "dataset": "few_digits",
        "num_valid": 1000,
        "epochs": 2,
        "k_vals": ["0", "0.5", "0.9", "1"],
        "output_dir": str(copy),
        "experiment_id": "small",
    }
    sweep = SweepConfig(settings, {"seed": (0, 1)})
    (copy / "small").rename(copy / "small-seed=0")
    assert module.is_done(sweep, sweep.trial({"seed": 0}), {})
    assert not module.is_done(sweep, sweep.trial({"seed": 1}), {})
    more = SweepConfig({**settings, "k_vals": ["0", "0.25"]}, {"seed": (0, 1)})
    assert not module.is_done(more, more.trial({"seed": 0}), {})
    other = SweepConfig({**settings, "epochs": 3}, {"seed": (0, 1)})
    assert not module.is_done(other, other.trial({"seed": 0}), {})
    (copy / "small-seed=0" / "report.html").unlink()
    assert not module.is_done(sweep, sweep.trial({"seed": 0}), {})
