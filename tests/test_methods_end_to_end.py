"""Methods, plugins and replicates by the real command, in a subprocess, on real data."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import ROOT
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.models.weights import Weights

SHORT = ("--prune_epochs=1", "--finetune_epochs=1")
STRONG = "weight/lamp/global/gradual/finetune"


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def rows_by_method(experiment):
    rows = {}
    for row in rows_of(experiment / "metrics.csv"):
        rows.setdefault(row["method"], []).append(row)
    return rows


def without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def strong(tmp_path_factory, finished, cli):
    """A finished experiment to which a method that trains has been added, and the flags."""
    output = tmp_path_factory.mktemp("strong")
    shutil.copytree(finished / "small", output / "small")
    flags = ("--epochs=2", "--num_valid=58000", "--k_vals=0.0,0.5,0.9,1.0", "--experiment_id=small")
    flags = (*flags, *SHORT, f"--methods={STRONG}", "--distillation=0.5", f"--output_dir={output}")
    done = cli(*flags)
    assert done.returncode == 0, done.stderr
    return output, flags, done.stdout


def test_a_method_that_trains_joins_the_tables_and_the_reference_stays(strong, finished):
    output, _, stdout = strong
    for name in ("results.csv", "history.csv"):
        assert (output / "small" / name).read_bytes() == (finished / "small" / name).read_bytes()
    rows = rows_by_method(output / "small")
    assert set(rows) == {"weight", "unit", STRONG, "weight/random"}
    for method in rows.values():
        assert [float(row["k"]) for row in method] == [0.0, 0.5, 0.9, 1.0]
    assert f"{STRONG} at 90 %" in stdout
    trained, chance = rows[STRONG][2], rows["weight/random"][2]
    assert float(trained["test_accuracy"]) > float(chance["test_accuracy"])
    assert float(trained["sparsity"]) == pytest.approx(0.9, abs=1e-6)
    assert float(trained["effective_sparsity"]) >= float(trained["sparsity"])
    # The unpruned control is the same for all.
    assert len({row[0]["test_accuracy"] for row in rows.values()}) == 1


def test_pruned_weights_are_exactly_zero_and_plain_keras_loads_them(strong, digits):
    output, _, _ = strong
    folder = output / "small" / "networks" / STRONG.replace("/", "-")
    model = keras.models.load_model(folder / "weights_k=0.9.hdf5")
    hidden = Weights.of(model).hidden
    zeros = sum(int(np.count_nonzero(kernel == 0)) for kernel in hidden.values())
    assert zeros == 2_145_600  # of 2,384,000
    _, accuracy = model.evaluate(digits.test.images, digits.test.labels, verbose=0)
    row = rows_by_method(output / "small")[STRONG][2]
    assert accuracy == pytest.approx(float(row["test_accuracy"]), abs=5e-5)


def test_nothing_is_done_twice_but_what_has_changed(strong, cli):
    output, flags, _ = strong
    before = (output / "small/metrics.csv").read_bytes()
    done = cli(*flags)
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at" not in done.stdout
    assert (output / "small/metrics.csv").read_bytes() == before
    done = cli(*flags, "--finetune_epochs=2", "--k_vals=0.0,0.5")
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at 50 %" in done.stdout
    assert f"{STRONG} at 90 %" not in done.stdout


def test_killed_between_two_sparsities_it_goes_on_with_the_second(cli, copy, strong):
    """The first network is kept, and the table ends the same but for the seconds."""
    _, flags, _ = strong
    flags = (*flags, f"--output_dir={copy}")
    first = copy / "small/networks" / STRONG.replace("/", "-") / "weights_k=0.5.hdf5"
    process = subprocess.Popen(
        [sys.executable, str(ROOT), *flags, "--finetune_epochs=3"],
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if f"{STRONG} at 50 %" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    written = first.stat().st_mtime_ns
    time.sleep(0.01)
    done = cli(*flags, "--finetune_epochs=3")
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at 50 %" not in done.stdout
    assert f"{STRONG} at 90 %" in done.stdout
    assert first.stat().st_mtime_ns == written
    resumed = without_seconds(rows_of(copy / "small/metrics.csv"))
    (copy / "small/metrics.csv").unlink()
    assert cli(*flags, "--finetune_epochs=3").returncode == 0
    assert without_seconds(rows_of(copy / "small/metrics.csv")) == resumed


def test_force_train_leaves_no_network_of_the_old_weights(cli, strong, copy):
    output, flags, _ = strong
    shutil.rmtree(copy / "small")
    shutil.copytree(output / "small", copy / "small")
    flags = [flag for flag in flags if not flag.startswith("--methods")]
    done = cli(*flags, f"--output_dir={copy}", "--force_train", "--seed=1", "--k_vals=0.5")
    assert done.returncode == 0, done.stderr
    done = cli(*flags, f"--output_dir={copy}", "--seed=1", "--k_vals=0.5")
    assert done.returncode == 0, done.stderr
    assert not list(copy.glob("small/networks/*/*"))
    assert {row["seed"] for row in rows_of(copy / "small/metrics.csv")} == {"1"}


def test_every_schedule_and_recovery_on_one_model(cli, copy, small):
    methods = (
        "unit/global/gradual",
        "unit_in_out/gradient/finetune",
        "2:4/obd/lr_rewind",
        "4x4/activation/erk/iterative/weight_rewind",
    )
    flags = ("--k_vals=0.0,0.5,0.75", *SHORT, "--prune_fraction=0.5", "--rewind_epoch=1")
    done = cli(*small, *flags, f"--methods={','.join(methods)}")
    assert done.returncode == 0, done.stderr
    rows = rows_by_method(copy / "small")
    for name in methods:
        assert [float(row["k"]) for row in rows[name]] == [0.0, 0.5, 0.75]
        assert float(rows[name][1]["sparsity"]) == pytest.approx(0.5, abs=0.2)
    assert float(rows["2:4/obd/lr_rewind"][2]["sparsity"]) == 0.5  # more it never removes


def test_another_model_has_a_name_of_its_own(cli, tmp_path):
    flags = ("--epochs=1", "--num_valid=58000", "--k_vals=0.5", f"--output_dir={tmp_path}")
    done = cli(*flags, "--model=lenet_300_100", "--methods=unit/finetune", *SHORT)
    assert done.returncode == 0, done.stderr
    assert "266,610" in done.stdout
    folder = tmp_path / "digits-1-lr=0.001-l1=0.0-l2=0.0-lenet_300_100"
    weights = keras.models.load_model(folder / "networks/unit-finetune/weights_k=0.5.hdf5")
    biases = Weights.of(weights).biases
    assert np.count_nonzero(biases["hidden_1"]) == 150
    assert models.build(name="lenet_300_100").count_params() == 266_610


def test_the_plugin_of_the_readme(cli, copy, small, root):
    text = (root / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(from network_pruning import .*?)```", text, re.DOTALL)[1]
    assert len(example.splitlines()) <= 10
    name = re.search(r'register_criterion\("(\w+)"\)', example)[1]
    (copy / "my_criteria.py").write_text(example)
    flags = ("--plugins=my_criteria", f"--methods=weight/{name}")
    done = cli(*small, *flags, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert f"weight/{name}" in rows_by_method(copy / "small")
    # The program as a module of the folder's own name: the plugin finds the same registry.
    if root.name.isidentifier():
        command = (sys.executable, "-m", f"{root.name}.train")
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        done = cli(*small, *flags, command=command, cwd=root.parent, env=environment)
        assert done.returncode == 0, done.stderr


def test_replicates_are_experiments_of_their_own_with_a_summary(cli, tmp_path):
    flags = ("--epochs=1", "--num_valid=59000", "--k_vals=0.0,0.9", f"--output_dir={tmp_path}")
    done = cli(*flags, "--replicates=2", "--experiment_id=two", "--seed=5")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "two/replicates"
    names = {path.name for path in folder.iterdir()}
    expected = {"two-seed=5", "two-seed=6", "metrics.csv", "summary.csv", "method_comparison.png"}
    assert names == expected
    summary = rows_of(folder / "summary.csv")
    assert [(row["method"], row["k"], row["seeds"]) for row in summary] == [
        ("weight", "0.0", "2"),
        ("weight", "0.9", "2"),
        ("unit", "0.0", "2"),
        ("unit", "0.9", "2"),
    ]
    single = [
        float(rows_by_method(folder / f"two-seed={s}")["weight"][1]["test_accuracy"])
        for s in (5, 6)
    ]
    assert float(summary[1]["test_accuracy_mean"]) == pytest.approx(sum(single) / 2)
    # The single run of this name is another experiment beside them.
    done = cli(*flags, "--experiment_id=two", "--seed=5")
    assert done.returncode == 0, done.stderr
    ours, theirs = tmp_path / "two/results.csv", folder / "two-seed=5/results.csv"
    assert ours.read_bytes() == theirs.read_bytes()
