"""Methods, plugins and replicates: by the real command, and with a small network in `fault_run`."""

import csv
import os
import re
import shutil
import signal
import sys

import numpy as np
import pytest
from fault_run import fault_run
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.models.weights import Weights

STRONG = "weight/obd/global/gradual/finetune"
SHORT = ("--prune_epochs=1", "--finetune_epochs=1")
FLAGS = (
    "--epochs=2",
    "--k_vals=0.0,0.5,0.9",
    "--experiment_id=x",
    f"--methods={STRONG}",
    "--distillation=0.5",
    "--shift=1",
    *SHORT,
)
KILL_POINTS = 4


def run(fault, output, *flags):
    """A run with a small network on a few digits."""
    return fault_run(fault, *FLAGS, f"--output_dir={output}", *flags)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def rows_by_method(experiment):
    rows = {}
    for row in rows_of(experiment / "metrics.csv"):
        rows.setdefault(row["method"], []).append(row)
    return rows


def without_seconds(path):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows_of(path)]


def networks(experiment):
    return {path.name: path for path in experiment.glob("networks/*/*.hdf5")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run with a method that trains: its folder and the number of its events."""
    output = tmp_path_factory.mktemp("whole")
    done = run("none", output)
    assert done.returncode == 0, done.stderr
    return output, done.events


@pytest.fixture
def mine(whole, tmp_path):
    """A copy of it."""
    shutil.copytree(whole[0] / "x", tmp_path / "x")
    return tmp_path


def test_a_method_that_trains_joins_the_tables_and_the_reference_stays(cli, copy, small, digits):
    """The real command adds it to a finished experiment; plain Keras loads the networks."""
    before = {name: (copy / "small" / name).read_bytes() for name in ("results.csv", "history.csv")}
    done = cli(*small, *SHORT, f"--methods={STRONG}")
    assert done.returncode == 0, done.stderr
    assert {name: (copy / "small" / name).read_bytes() for name in before} == before
    rows = rows_by_method(copy / "small")
    assert set(rows) == {"weight", "unit", STRONG, "weight/random"}
    for method in rows.values():
        assert [float(row["k"]) for row in method] == [0.0, 0.5, 0.9, 1.0]
    assert f"{STRONG} at 90 %" in done.stdout
    trained, chance = rows[STRONG][2], rows["weight/random"][2]
    assert float(trained["test_accuracy"]) > float(chance["test_accuracy"])
    assert float(trained["effective_sparsity"]) >= float(trained["sparsity"])
    # The unpruned control is the same for all.
    assert len({row[0]["test_accuracy"] for row in rows.values()}) == 1
    model = keras.models.load_model(networks(copy / "small")["weights_k=0.9.hdf5"])
    kernels = Weights.of(model).hidden.values()
    assert sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels) == 2_145_600
    _, accuracy = model.evaluate(digits.test.images, digits.test.labels, verbose=0)
    assert accuracy == pytest.approx(float(trained["test_accuracy"]), abs=5e-5)


def test_nothing_is_done_twice(mine):
    before = (mine / "x/metrics.csv").read_bytes()
    done = run("none", mine)
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at" not in done.stdout
    assert (mine / "x/metrics.csv").read_bytes() == before


def test_other_settings_make_other_networks(mine):
    done = run("none", mine, "--finetune_epochs=2", "--k_vals=0.5")
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at 50 %" in done.stdout
    assert f"{STRONG} at 90 %" not in done.stdout


def test_the_unpruned_control_is_there_without_being_asked_for(tmp_path):
    done = fault_run("none", "--epochs=1", "--k_vals=0.5", f"--output_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.iterdir()
    rows = [(row["method"], row["k"]) for row in rows_of(folder / "metrics.csv")]
    assert rows == [("weight", "0.0"), ("weight", "0.5"), ("unit", "0.5")]
    assert len(rows_of(folder / "results.csv")) == 1


def test_killed_anywhere_it_ends_the_same_but_for_the_seconds(whole, tmp_path):
    output, events = whole
    expected = without_seconds(output / "x/metrics.csv")
    first = run("none", tmp_path / "dense", "--methods=weight")
    assert first.returncode == 0, first.stderr
    begin = first.events // 2  # the training has been killed enough elsewhere
    kept = 0
    for point in np.linspace(begin, events - 1, KILL_POINTS, dtype=int):
        folder = tmp_path / str(point)
        killed = run(f"kill:{point}", folder)
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        done_before = {
            name: path.stat().st_mtime_ns for name, path in networks(folder / "x").items()
        }
        known = rows_by_method(folder / "x").get(STRONG, []) if done_before else []
        resumed = run("none", folder)
        assert resumed.returncode == 0, (point, resumed.stderr)
        assert without_seconds(folder / "x/metrics.csv") == expected, point
        for row in known[1:]:
            name = f"weights_k={row['k']}.hdf5"
            assert networks(folder / "x")[name].stat().st_mtime_ns == done_before[name], point
            kept += 1
    assert kept > 0


def test_a_network_that_is_gone_is_made_again_and_a_damaged_one_is_named(whole, mine):
    found = networks(mine / "x")
    found["weights_k=0.9.hdf5"].unlink()
    found["weights_k=0.5.hdf5"].write_bytes(b"nothing")
    done = run("none", mine)
    assert done.returncode == 1
    assert "weights_k=0.5.hdf5 is damaged; remove it" in done.stderr
    assert "Traceback" not in done.stderr
    found["weights_k=0.5.hdf5"].unlink()
    assert run("none", mine).returncode == 0
    again = without_seconds(mine / "x/metrics.csv")
    assert again == without_seconds(whole[0] / "x/metrics.csv")


def test_force_train_leaves_no_network_of_the_old_weights(mine):
    flags = ("--seed=1", "--k_vals=0.5", "--methods=weight")
    done = run("none", mine, *flags, "--force_train")
    assert done.returncode == 0, done.stderr
    done = run("none", mine, *flags)
    assert done.returncode == 0, done.stderr
    assert not networks(mine / "x")
    assert {row["seed"] for row in rows_of(mine / "x/metrics.csv")} == {"1"}


def test_a_damaged_table_is_not_overwritten(mine):
    (mine / "x/metrics.csv").write_text("nothing\n1\n")
    done = run("none", mine)
    assert done.returncode == 1
    assert "remove it to test all networks again" in done.stderr
    assert (mine / "x/metrics.csv").read_text() == "nothing\n1\n"


def test_every_kind_of_schedule_and_recovery(mine):
    methods = (
        "unit/global/gradual",
        "unit_in_out/gradient/finetune",
        "2:4/obd/lr_rewind",
        "4x4/activation/erk/iterative/weight_rewind",
        "weight/lamp/global/iterative",
    )
    flags = ("--k_vals=0.0,0.5,0.75", "--prune_fraction=0.5", "--rewind_epoch=1")
    done = run("none", mine, *flags, f"--methods={','.join(methods)}")
    assert done.returncode == 0, done.stderr
    rows = rows_by_method(mine / "x")
    for name in methods:
        (asked,) = (row for row in rows[name] if float(row["k"]) == 0.5)
        # Half of the items, whose sizes differ where they are units of any layer.
        assert 0.1 < float(asked["sparsity"]) < 0.7, name
    # Of 30 inputs the last two are a group of their own; more than half it never removes.
    assert float(rows["2:4/obd/lr_rewind"][-1]["sparsity"]) == pytest.approx(0.5, abs=0.001)


def test_another_model_has_a_name_of_its_own(tmp_path):
    flags = ("--epochs=1", f"--output_dir={tmp_path}", "--k_vals=0.5", *SHORT)
    done = fault_run("none", *flags, "--model=lenet_300_100", "--methods=unit/finetune")
    assert done.returncode == 0, done.stderr
    assert "266,610" in done.stdout
    folder = tmp_path / "digits-1-lr=0.001-l1=0.0-l2=0.0-lenet_300_100"
    model = keras.models.load_model(networks(folder)["weights_k=0.5.hdf5"])
    assert np.count_nonzero(Weights.of(model).biases["hidden_1"]) == 150
    assert models.build(name="lenet_300_100").count_params() == 266_610


def test_the_plugin_of_the_readme(cli, copy, small, root):
    text = (root / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(from network_pruning import .*?)```", text, re.DOTALL)[1]
    assert len(example.splitlines()) <= 10
    name = re.search(r'register_criterion\("(\w+)"\)', example)[1]
    (copy / "my_criteria.py").write_text(example)
    flags = ("--plugins=my_criteria", f"--methods=weight/{name}", "--k_vals=0.5")
    done = cli(*small, *flags, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert f"weight/{name}" in rows_by_method(copy / "small")
    # The program as a module of the folder's own name: the plugin finds the same registry.
    if "." not in root.name:
        command = (sys.executable, "-m", f"{root.name}.train")
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        done = cli(*small, *flags, command=command, cwd=root.parent, env=environment)
        assert done.returncode == 0, done.stderr


def test_replicates_are_experiments_of_their_own_with_a_summary(tmp_path):
    flags = ("--epochs=1", "--k_vals=0.0,0.9", f"--output_dir={tmp_path}", "--experiment_id=two")
    done = fault_run("none", *flags, "--replicates=2", "--seed=5")
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
    single = [rows_by_method(folder / f"two-seed={seed}")["weight"][1] for seed in (5, 6)]
    mean = sum(float(row["test_accuracy"]) for row in single) / 2
    assert float(summary[1]["test_accuracy_mean"]) == pytest.approx(mean)
    # The single run of this name is another experiment, beside them.
    done = fault_run("none", *flags, "--seed=5")
    assert done.returncode == 0, done.stderr
    ours, theirs = tmp_path / "two/results.csv", folder / "two-seed=5/results.csv"
    assert ours.read_bytes() == theirs.read_bytes()
