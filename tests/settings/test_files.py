"""Files and folders that settings name."""

from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.settings.files import default_output_dir


def test_results_are_in_the_checkout_or_where_one_stands(tmp_path, root):
    assert ExperimentConfig().output_dir == str(root / "results")
    assert default_output_dir(tmp_path) == "results"
    (tmp_path / "pyproject.toml").touch()
    assert default_output_dir(tmp_path) == str(tmp_path / "results")
