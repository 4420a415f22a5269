"""Settings on disk against those that are asked for."""

import json

from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.settings.stored import differences


def test_differences_name_what_trains_otherwise():
    stored = json.loads(json.dumps(ExperimentConfig().to_dict()))
    assert differences(ExperimentConfig(), stored) == []
    assert differences(ExperimentConfig(k_vals=(0.5,), force_train=True), stored) == []
    changed = differences(ExperimentConfig(seed=1, batch_size=64), stored)
    assert changed == ["`batch_size=64` instead of 128", "`seed=1` instead of 0"]


def test_an_old_config_without_a_newer_setting_had_its_default():
    stored = ExperimentConfig().to_dict()
    del stored["seed"]
    assert differences(ExperimentConfig(), stored) == []
    assert differences(ExperimentConfig(seed=3), stored) == ["`seed=3` instead of 0"]


def test_how_many_examples_a_file_holds_out_is_not_known_before_it_is_read(tmp_path):
    file = tmp_path / "a.npz"
    file.write_text("data")
    config = ExperimentConfig(dataset=str(file))
    assert differences(config, {**config.to_dict(), "num_valid": 5}) == []
