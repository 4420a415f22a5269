"""Default names of experiments, and those of earlier versions."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.settings.names import cut_name, known_experiment_id
from network_pruning.utils import UsageError


def test_the_default_id_is_that_of_the_published_experiment():
    assert ExperimentConfig().experiment_id == "digits-20-lr=0.001-l1=0.0-l2=0.0"
    config = ExperimentConfig(dataset="fashion", epochs=3, l1_reg=0.001, l2_reg=0.01)
    assert config.experiment_id == "fashion-3-lr=0.001-l1=0.001-l2=0.01"


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"seed": 1}, "-seed=1"),
        ({"batch_size": 64, "seed": 7}, "-batch_size=64-seed=7"),
        ({"num_valid": 0, "keep_best": False}, "-num_valid=0-keep_best=False"),
        # The defaults, and what does not change the dense network: old names keep.
        ({"seed": 0, "batch_size": 128, "num_valid": 10_000, "keep_best": True}, ""),
        ({"finetune_epochs": 9, "methods": ("unit/finetune",), "k_vals": (0.5,)}, ""),
        # Several seeds are one experiment, wherever they begin.
        ({"seed": 3, "replicates": 3, "batch_size": 64}, "-batch_size=64"),
    ],
)
def test_other_settings_of_training_join_the_default_id(settings, more):
    assert ExperimentConfig(**settings).experiment_id == f"{NAME}{more}"


def test_a_default_id_that_would_be_too_long_is_cut(tmp_path):
    (tmp_path / f"{'d' * 60}.npz").write_text("data")
    (tmp_path / f"{'m' * 60}.keras").write_text("model")
    files = {"dataset": str(tmp_path / f"{'d' * 60}.npz"), "model": f"{tmp_path}/{'m' * 60}.keras"}
    names = {
        ExperimentConfig(**files, batch_size=1024, num_valid=2048, seed=seed).experiment_id
        for seed in (10, 20)
    }
    assert len(names) == 2
    assert max(map(len, names)) <= 200


NAME = "digits-20-lr=0.001-l1=0.0-l2=0.0"


def stored(output, name, **settings):
    """An experiment that is there already."""
    (output / name).mkdir(parents=True)
    record = {"settings": ExperimentConfig(**settings).to_dict()}
    (output / name / "config.json").write_text(json.dumps(record))


def known(output, **settings):
    return known_experiment_id(ExperimentConfig(**settings, output_dir=str(output)))


def test_experiments_under_names_of_earlier_versions_are_found(tmp_path):
    assert known(tmp_path, seed=1) == f"{NAME}-seed=1"
    stored(tmp_path, NAME, seed=1)  # as `train --seed=1` was called
    assert known(tmp_path, seed=1) == NAME
    stored(tmp_path, f"{NAME}-seed=0")  # as `sweep --seed=0,1` called its first trial
    assert known(tmp_path) == f"{NAME}-seed=0"
    stored(tmp_path, f"{NAME}-batch_size=128-seed=2", seed=2)
    assert known(tmp_path, seed=2) == f"{NAME}-batch_size=128-seed=2"
    # The new names go first.
    stored(tmp_path, f"{NAME}-seed=1", seed=1)
    assert known(tmp_path, seed=1) == f"{NAME}-seed=1"


def test_an_experiment_with_other_settings_is_left_alone(tmp_path):
    stored(tmp_path, NAME, seed=1)
    assert known(tmp_path) == f"{NAME}-seed=0"
    assert known(tmp_path, batch_size=64) == f"{NAME}-batch_size=64"
    assert known(tmp_path, seed=1, l1_reg=0.1).endswith("l1=0.1-l2=0.0-seed=1")


def test_a_damaged_record_is_left_to_the_run_to_tell_of(tmp_path):
    stored(tmp_path, NAME)
    for text in ("{", "[]", '{"settings": 3}'):
        (tmp_path / NAME / "config.json").write_text(text)
        assert known(tmp_path) == NAME
        assert known(tmp_path, seed=1) == f"{NAME}-seed=1"


def test_replicates_under_an_earlier_name_are_found(tmp_path):
    stored(tmp_path / NAME / "replicates", f"{NAME}-seed=0", batch_size=64)
    assert known(tmp_path, batch_size=64, replicates=3, seed=5) == NAME
    assert known(tmp_path, replicates=3) == f"{NAME}-batch_size=128"
    assert known(tmp_path, batch_size=64) == f"{NAME}-batch_size=64"


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", ".hidden", "a/b", "/a", "a/../b", "a\\b", "a\nb", "-x", "x" * 201]
)
def test_an_experiment_id_is_a_plain_name(name):
    with pytest.raises(UsageError, match="not a plain folder name"):
        ExperimentConfig(experiment_id=name)


@given(st.text(max_size=30))
def test_an_accepted_id_stays_in_its_folder(name):
    try:
        config = ExperimentConfig(experiment_id=name)
    except UsageError:
        return
    assert config.experiment_id == name
    assert "/" not in name
    assert name not in ("", ".", "..")


def test_experiments_of_earlier_versions_with_long_names_are_found():
    assert cut_name("base", "-x" * 150) == "base-c2d0d84589de"
