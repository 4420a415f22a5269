"""How long experiments may take, by those that were finished."""

import json

import pytest
from network_pruning.experiments import durations
from network_pruning.settings.experiment import ExperimentConfig


def config(tmp_path, **settings):
    return ExperimentConfig(output_dir=str(tmp_path), **settings)


def test_what_is_noted_is_beside_the_experiments_and_is_read_again(tmp_path):
    mine = config(tmp_path, epochs=10)
    durations.note(mine, 61.26)
    (file,) = tmp_path.glob(".times/*.json")
    assert file.stem == mine.experiment_id
    assert json.loads(file.read_text())["seconds"] == 61.3
    (tmp_path / ".times" / "damaged.json").write_text("{")
    (tmp_path / ".times" / "other.json").write_text("[1]")
    assert [row["seconds"] for row in durations.noted(tmp_path)] == [61.3]


def test_the_time_grows_with_the_epochs(tmp_path):
    durations.note(config(tmp_path, epochs=10), 50)
    rows = durations.noted(tmp_path)
    assert durations.estimate(config(tmp_path, epochs=20), rows) == 100


def test_epochs_of_pruned_networks_count(tmp_path):
    methods = ("weight/gradual/finetune", "unit/finetune", "weight/lamp")
    trained = {"prune_epochs": 3, "finetune_epochs": 2, "k_vals": (0.0, 0.5, 0.9)}
    # 4 + (2 sparsities and the control) × (3 + 2, 2, none).
    durations.note(config(tmp_path, epochs=4, methods=methods, **trained), 180)
    rows = durations.noted(tmp_path)
    assert rows[0]["epochs"] == 25
    assert durations.estimate(config(tmp_path, epochs=4, methods=methods, **trained), rows) == 180


def test_rounds_of_the_control_count(tmp_path):
    trained = {"methods": ("weight/finetune",), "finetune_epochs": 2, "k_vals": (0.5,)}
    durations.note(config(tmp_path, epochs=4, **trained), 80)  # 4 + 2 × 2 epochs
    rows = durations.noted(tmp_path)
    assert durations.estimate(config(tmp_path, epochs=4, control_rounds=3, **trained), rows) == 120


def test_the_most_alike_are_asked_and_others_say_nothing(tmp_path):
    for name, settings in {
        "a": {"dataset": "digits", "seed": 1},
        "b": {"dataset": "fashion", "seed": 2},
        "c": {"dataset": "digits", "seed": 3},
    }.items():
        seconds = {"a": 10, "b": 1000, "c": 30}[name]
        durations.note(config(tmp_path, experiment_id=name, epochs=1, **settings), seconds)
    rows = durations.noted(tmp_path)
    assert durations.estimate(config(tmp_path, epochs=1), rows) == 20  # of the two with digits
    other = config(tmp_path, epochs=1, k_vals=(0.5,))
    assert durations.estimate(other, rows) == 20  # the number of sparsities matters least
    assert durations.estimate(config(tmp_path, epochs=1, model="lenet_5"), rows) is None
    assert durations.estimate(config(tmp_path, epochs=1, methods=("unit/lamp",)), rows) is None


def test_what_cannot_be_noted_is_no_failure(tmp_path):
    (tmp_path / ".times").write_text("in the way")
    durations.note(config(tmp_path), 1)
    assert durations.noted(tmp_path) == []


@pytest.mark.parametrize("replicates", [1, 3])
def test_seeds_are_another_kind_of_experiment(tmp_path, replicates):
    durations.note(config(tmp_path, epochs=1, replicates=3), 30)
    found = durations.estimate(
        config(tmp_path, epochs=1, replicates=replicates), durations.noted(tmp_path)
    )
    assert found == (30 if replicates == 3 else None)
