"""What is said before any work of flags that change nothing, and of folders that are not there."""

import pytest
from network_pruning.experiments.notes import notes_of, notes_of_export
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.settings.export import ExportConfig

SAVED = "model.keras"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (SAVED, "data.npz"):
        (tmp_path / name).write_text(name)


@pytest.mark.parametrize(
    ("settings", "notes"),
    [
        ({}, []),
        ({"data_dir": "."}, []),
        ({"data_dir": "none"}, ["--data_dir: none does not exist; downloads will be kept"]),
        ({"finetune_epochs": 3}, ["Not used by these methods: --finetune_epochs."]),
        ({"methods": ("weight/finetune",), "finetune_epochs": 3}, []),
        ({"control_rounds": 2}, ["Without effect: --control_rounds, because no method retrains"]),
        ({"methods": ("weight/finetune",), "control_rounds": 2}, []),
        (
            {"dataset": "data.npz", "data_dir": "none"},
            ["Without effect: --data_dir, because --dataset=data.npz is a file."],
        ),
        (
            {"model": SAVED, "epochs": 0, "learning_rate": 0.1, "keep_best": False},
            ["Without effect: --keep_best, --learning_rate, because nothing is trained"],
        ),
        (
            {"model": SAVED, "epochs": 0, "learning_rate": 0.1, "methods": ("weight/finetune",)},
            [],
        ),
        (
            {"epochs": 1, "keep_best": False},
            ["Without effect: --nokeep_best, because the only epoch"],
        ),
    ],
)
def test_flags_without_effect_are_named_with_the_reason(settings, notes):
    found = notes_of(ExperimentConfig(**settings))
    assert len(found) == len(notes)
    for said, expected in zip(found, notes, strict=True):
        assert said.startswith(expected)


def test_flags_of_an_export_that_only_rounds_change_nothing():
    said = notes_of_export(ExportConfig(experiment_id="x", finetune_epochs=0, shift=1))
    assert said == [
        "Without effect: --shift, because there is no quantization-aware training "
        "(--finetune_epochs=0)."
    ]
    assert notes_of_export(ExportConfig(experiment_id="x", finetune_epochs=0)) == []
    assert notes_of_export(ExportConfig(experiment_id="x", shift=1)) == []
