"""Which networks an export chooses from."""

import json

import pytest
from network_pruning.experiments.finished_networks import known_rows
from network_pruning.predict import _plugins_hint
from network_pruning.utils import UsageError

ROWS = [{"method": method, "k": 0.5} for method in ("weight", "weight/theirs", "unit")]


def test_networks_of_plugins_that_are_not_given_are_left_out_and_named(capsys):
    assert [row["method"] for row in known_rows(ROWS, None)] == ["weight", "unit"]
    assert capsys.readouterr().out == "Left out, because they need --plugins: weight/theirs.\n"
    assert known_rows(ROWS[:1], "weight") == ROWS[:1]
    assert capsys.readouterr().out == ""


def test_who_asks_for_one_of_them_is_told_what_is_missing():
    with pytest.raises(UsageError, match="weight/theirs is of a plugin; name its module with --pl"):
        known_rows(ROWS, "weight/theirs")


def test_a_plugin_of_the_experiment_that_is_not_found_is_named_as_such(cli, tmp_path):
    (tmp_path / "x").mkdir()
    record = {"settings": {"plugins": ["not_here"]}}
    (tmp_path / "x" / "config.json").write_text(json.dumps(record))
    done = cli("export", "--experiment_id=x", f"--output_dir={tmp_path}")
    assert done.returncode == 2
    made = "The experiment was made with --plugins=not_here, which the export needs. "
    assert f"{made}--plugins: 'not_here' cannot be imported" in done.stderr


def test_predict_says_how_layers_of_ones_own_are_registered():
    said = "it needs a>b, which is not registered with keras.saving.register_keras_serializable"
    assert _plugins_hint(ValueError(said)) == " Name the module that registers it with --plugins."
    assert _plugins_hint(ValueError("it is damaged")) == ""
