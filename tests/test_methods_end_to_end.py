"""Methods, plugins and replicates: by the real command, and with a small network in `fault_run`."""

import os
import re
import shutil
import signal
import sys

import numpy as np
import pandas as pd
import pytest
from commands import experiment_in
from fault_run import fault_run
from network_pruning.models import model as models
from network_pruning.models.backend import keras
from network_pruning.models.weights import Weights

STRONG = "weight/obd/global/gradual/finetune"
# The same without gradients of each example, which take most of the time where a network is large.
QUICK = "weight/global/gradual/finetune"
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
KILL_POINTS = 2


def run(fault, output, *flags):
    """A run with a small network on a few digits."""
    return fault_run(fault, *FLAGS, f"--output_dir={output}", *flags)


def table_of(path):
    """A table as it is written: every cell a text."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def rows_by_method(experiment):
    return dict(iter(table_of(experiment / "metrics.csv").groupby("method", sort=False)))


def without_seconds(path):
    return table_of(path).drop(columns="seconds")


def networks(experiment):
    """The kept networks, by their sparsity as text."""
    return {path.name.split("=")[1].split("-")[0]: path for path in network_files(experiment)}


def network_files(experiment):
    return sorted(experiment.glob("networks/*/weights_k=*.hdf5"))


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
    test = digits.test[:1000]  # as few_digits has
    before = {name: (copy / "small" / name).read_bytes() for name in ("results.csv", "history.csv")}
    done = cli(*small, *SHORT, f"--methods={QUICK}")
    assert done.returncode == 0, done.stderr
    assert {name: (copy / "small" / name).read_bytes() for name in before} == before
    rows = rows_by_method(copy / "small")
    baseline = rows.pop("baseline")
    assert list(baseline["k"]) == ["0.0"]
    assert set(rows) == {"weight", "unit", QUICK, "weight/random", "unit/random"}
    for method in rows.values():
        assert list(method["k"]) == ["0.0", "0.5", "0.9", "1.0"]
    assert f"{QUICK} at 90 %" in done.stdout
    trained, chance = rows[QUICK].iloc[2], rows["weight/random"].iloc[2]
    assert float(trained["test_accuracy"]) > float(chance["test_accuracy"])
    assert float(trained["effective_sparsity"]) >= float(trained["sparsity"])
    # Compared is with the dense network; what was trained further, with the control that was too.
    control, untouched = rows.pop(QUICK).iloc[0], set(baseline["test_accuracy"])
    assert {method["test_accuracy"].iloc[0] for method in rows.values()} == untouched
    assert (control["rounds"], control["nonzero"]) == ("1", "2386000")
    assert f"control of {QUICK}" in done.stdout
    model = keras.models.load_model(networks(copy / "small")["0.0"])
    _, accuracy = model.evaluate(test.images, test.labels, verbose=0)
    assert accuracy == pytest.approx(float(control["test_accuracy"]), abs=5e-5)
    assert control["test_accuracy"] not in untouched
    model = keras.models.load_model(networks(copy / "small")["0.9"])
    kernels = Weights.of(model).hidden.values()
    assert sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels) == 2_145_600
    _, accuracy = model.evaluate(test.images, test.labels, verbose=0)
    assert accuracy == pytest.approx(float(trained["test_accuracy"]), abs=5e-5)


def test_nothing_is_done_twice(mine):
    before = (mine / "x/metrics.csv").read_bytes()
    done = run("none", mine)
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at" not in done.stdout
    assert (mine / "x/metrics.csv").read_bytes() == before


def test_other_settings_make_other_networks_beside_the_first(mine):
    before = {path: path.read_bytes() for path in network_files(mine / "x")}
    table = table_of(mine / "x/metrics.csv")
    done = run("none", mine, "--finetune_epochs=2", "--k_vals=0.5")
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at 50 %" in done.stdout
    assert f"{STRONG} at 90 %" not in done.stdout
    after = table_of(mine / "x/metrics.csv")
    assert after[:-2].equals(table)
    assert list(after["k"][-2:]) == ["0.0", "0.5"]  # a control of its own
    new = after.iloc[-1]
    assert (new["method"], new["k"], new["finetune_epochs"]) == (STRONG, "0.5", "2")
    assert (new["dataset"], new["model"], new["distillation"]) == ("digits", "mlp", "0.5")
    assert (new["earlier_k"], new["prune_fraction"], new["shift"]) == ("", "", "1")
    assert (new["epochs"], new["batch_size"], new["keep_best"]) == ("2", "128", "True")
    files = network_files(mine / "x")
    assert len(files) == len(before) + 2
    assert {path: path.read_bytes() for path in before} == before
    assert any(new["recipe"] in path.name for path in files)
    # Back to the first settings: nothing is trained again.
    done = run("none", mine)
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at" not in done.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ("--k_vals=0.5,0.9",),  # without 0
        ("--rewind_epoch=1",),  # not used
        ("--prune_fraction=0.5",),
        ("--k_vals=0.0,0.5,0.9,0.95", "--methods=weight"),  # a method less, a sparsity more
    ],
)
def test_what_a_network_does_not_depend_on_trains_nothing(mine, flags):
    done = run("none", mine, *flags)
    assert done.returncode == 0, done.stderr
    assert f"{STRONG} at" not in done.stdout


def test_a_smaller_sparsity_matters_only_on_the_way_of_a_schedule(mine):
    flags = (*SHORT, "--methods=weight/finetune")
    assert run("none", mine, *flags, "--k_vals=0.9").returncode == 0
    done = run("none", mine, *flags, "--k_vals=0.5,0.9")
    assert "weight/finetune at 50 %" in done.stdout
    assert "weight/finetune at 90 %" not in done.stdout
    done = run("none", mine, "--k_vals=0.3,0.5")
    assert f"{STRONG} at 50 %" in done.stdout  # it comes from 30 % now


def test_without_a_table_networks_are_tested_again_not_trained_again(whole, mine):
    before = {path: path.stat().st_mtime_ns for path in network_files(mine / "x")}
    (mine / "x/metrics.csv").unlink()
    done = run("none", mine)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in network_files(mine / "x")} == before
    again = without_seconds(mine / "x/metrics.csv")
    assert again.equals(without_seconds(whole[0] / "x/metrics.csv"))
    trained = rows_by_method(mine / "x")[STRONG]
    assert list(trained["seconds"] == "") == [True, True, True]


def test_rows_of_tables_without_the_settings_of_the_training_count(mine):
    path = mine / "x/metrics.csv"
    table = table_of(path).drop(columns=["epochs", "batch_size", "learning_rate", "keep_best"])
    table.to_csv(path, index=False)
    done = run("none", mine, "--k_vals=0.0,0.5,0.9,0.95", "--methods=weight")
    assert done.returncode == 0, done.stderr
    assert "Pruned and tested 4 networks; 12 more were tested before." in done.stdout
    after = table_of(path)
    assert after[: len(table)][list(table)].equals(table)
    assert list(after["epochs"]) == [""] * len(table) + ["2"] * 4


def test_a_method_that_removes_a_whole_layer_says_so_once(mine):
    done = run("none", mine, "--methods=weight/magnitude_small/global", "--k_vals=0.99,0.995,0.999")
    assert done.returncode == 0, done.stderr
    # Which layer goes first, and when, is the training's choice: rounding differs by processor.
    assert done.stdout.count("removes the whole layer") == 1


ALIKE = "weight/gradual/finetune,unit/gradual/finetune"


def test_methods_that_train_alike_share_their_control(mine):
    """Trained once; of the table of an earlier run only what is missing is made."""
    done = run("none", mine, f"--methods={ALIKE}", "--k_vals=0.5")
    assert done.returncode == 0, done.stderr
    rows = rows_by_method(mine / "x")
    one, other = (rows[name].iloc[0] for name in ALIKE.split(","))
    assert one["recipe"] != other["recipe"]
    measured = ["k", "rounds", "test_accuracy", "valid_cross_entropy", "test_loss"]
    assert one[measured].equals(other[measured])
    # That of the strong method, which was there before, has had the same training too.
    assert one[measured].equals(rows[STRONG].iloc[0][measured])
    files = {path.read_bytes() for path in network_files(mine / "x") if "k=0.0" in path.name}
    assert len(files) == 1


def test_a_control_of_more_rounds_goes_on_from_that_of_fewer(mine):
    before = table_of(mine / "x/metrics.csv")
    done = run("none", mine, "--control_rounds=2")
    assert done.returncode == 0, done.stderr
    after = table_of(mine / "x/metrics.csv")
    assert after[:-1].equals(before)
    new = after.iloc[-1]
    assert (new["method"], new["k"], new["rounds"]) == (STRONG, "0.0", "2")
    assert new["test_loss"] not in set(before["test_loss"])
    assert "after 2 rounds" in " ".join(done.stdout.split())


def test_settings_that_nothing_uses_are_named_in_a_line(mine):
    done = run("none", mine, "--methods=weight", "--finetune_epochs=6", "--prune_epochs=4")
    (line,) = (line for line in done.stdout.splitlines() if "Not used" in line)
    assert "--distillation, --shift" in line


def test_the_unpruned_control_is_there_without_being_asked_for(tmp_path):
    done = fault_run("none", "--epochs=1", "--k_vals=0.5", f"--output_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    folder = experiment_in(tmp_path)
    rows = table_of(folder / "metrics.csv")
    names = ["weight", "weight", "unit", "weight/random", "unit/random"]
    assert list(rows["method"]) == names
    assert list(rows["k"]) == ["0.0", "0.5", "0.5", "0.5", "0.5"]
    assert len(table_of(folder / "results.csv")) == 1


def test_killed_anywhere_it_ends_the_same_but_for_the_seconds(whole, tmp_path):
    output, events = whole
    expected = without_seconds(output / "x/metrics.csv")
    kept = 0
    # The training of the dense network, a third of the events, has been killed enough elsewhere.
    for point in np.linspace(events // 3, events - 1, KILL_POINTS, dtype=int):
        folder = tmp_path / str(point)
        killed = run(f"kill:{point}", folder)
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        done_before = {
            name: path.stat().st_mtime_ns for name, path in networks(folder / "x").items()
        }
        known = rows_by_method(folder / "x").get(STRONG) if done_before else None
        resumed = run("none", folder)
        assert resumed.returncode == 0, (point, resumed.stderr)
        assert without_seconds(folder / "x/metrics.csv").equals(expected), point
        for k in [] if known is None else known["k"]:
            assert networks(folder / "x")[k].stat().st_mtime_ns == done_before[k], point
            kept += 1
    assert kept > 0


def test_a_network_that_is_gone_is_made_again_and_a_damaged_one_is_named(whole, mine):
    found = networks(mine / "x")
    found["0.9"].unlink()
    found["0.5"].write_bytes(b"nothing")
    done = run("none", mine)
    assert done.returncode == 1
    assert f"{found['0.5'].name} is damaged; remove it" in done.stderr
    assert "Traceback" not in done.stderr
    found["0.5"].unlink()
    assert run("none", mine).returncode == 0
    again = without_seconds(mine / "x/metrics.csv")
    assert again.equals(without_seconds(whole[0] / "x/metrics.csv"))


def test_force_train_leaves_no_network_of_the_old_weights(mine):
    flags = ("--seed=1", "--k_vals=0.5", "--methods=weight")
    done = run("none", mine, *flags, "--force_train")
    assert done.returncode == 0, done.stderr
    done = run("none", mine, *flags)
    assert done.returncode == 0, done.stderr
    assert not networks(mine / "x")
    assert set(table_of(mine / "x/metrics.csv")["seed"]) == {"1"}


def test_a_damaged_table_is_not_overwritten(mine):
    (mine / "x/metrics.csv").write_text("nothing\n1\n")
    done = run("none", mine)
    assert done.returncode == 1
    assert "trained networks are kept" in done.stderr
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
        sparsity = rows[name].set_index("k").loc["0.5", "sparsity"]
        # Half of the items, whose sizes differ where they are units of any layer.
        assert 0.1 < float(sparsity) < 0.7, name
    # Of 30 inputs the last two are a group of their own; more than half it never removes, and
    # that is not called 75 %.
    last = rows["2:4/obd/lr_rewind"].iloc[-1]
    assert float(last["sparsity"]) == pytest.approx(0.5, abs=0.001)
    assert "2:4/obd/lr_rewind at 75 %" not in done.stdout
    assert "2:4/obd/lr_rewind at 49.92 % instead of 75 %:" in done.stdout
    assert (
        "Note: 2:4/obd/lr_rewind cannot reach 75 %: its pattern removes at most 49.92 %"
        in done.stdout
    )
    # One line for each network and each remark, none too long for a terminal.
    lines = [line for line in done.stdout.splitlines() if str(mine) not in line]
    assert max(map(len, lines)) <= 80


def test_another_model_has_a_name_of_its_own(tmp_path):
    flags = ("--epochs=1", f"--output_dir={tmp_path}", "--k_vals=0.5", *SHORT)
    done = fault_run("none", *flags, "--model=lenet_300_100", "--methods=unit/finetune")
    assert done.returncode == 0, done.stderr
    assert "266,610" in done.stdout
    folder = tmp_path / "digits-1-lr=0.001-l1=0.0-l2=0.0-lenet_300_100"
    model = keras.models.load_model(networks(folder)["0.5"])
    assert np.count_nonzero(Weights.of(model).biases["hidden_1"]) == 150
    assert models.build(name="lenet_300_100").count_params() == 266_610


def test_the_plugin_of_the_documentation(cli, copy, small, root):
    text = (root / "docs/methods.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(from network_pruning import .*?)```", text, re.DOTALL)[1]
    assert len(example.splitlines()) <= 10
    name = re.search(r'register_criterion\("(\w+)"\)', example)[1]
    (copy / "my_criteria.py").write_text(example)
    flags = ("--plugins=few_digits,my_criteria", f"--methods=weight/{name}", "--k_vals=0.5")
    done = cli(*small, *flags, cwd=copy)
    assert done.returncode == 0, done.stderr
    assert f"weight/{name}" in rows_by_method(copy / "small")
    # The program as a module of the folder's own name: the plugin finds the same registry.
    if "." not in root.name:
        command = (sys.executable, "-m", f"{root.name}.train")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(copy), os.environ["PYTHONPATH"])),
        }
        done = cli(*small, *flags, command=command, cwd=root.parent, env=environment)
        assert done.returncode == 0, done.stderr


TWO = ("--epochs=1", "--k_vals=0.0,0.9", "--experiment_id=two", "--replicates=2", "--seed=5")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two finished replicates, and what was said of them."""
    output = tmp_path_factory.mktemp("two")
    done = fault_run("none", *TWO, f"--output_dir={output}")
    assert done.returncode == 0, done.stderr
    return output / "two", done.stdout


def test_replicates_are_experiments_of_their_own_with_a_summary(two, tmp_path):
    shutil.copytree(two[0], tmp_path / "two")
    folder = tmp_path / "two/replicates"
    names = {path.name for path in folder.iterdir()}
    expected = {"two-seed=5", "two-seed=6", "metrics.csv", "summary.csv", "method_comparison.png"}
    assert names == expected
    summary = table_of(folder / "summary.csv")
    names = ("weight", "unit", "weight/random", "unit/random")
    assert list(summary["method"]) == [name for name in names for _ in range(2)]
    assert list(summary["k"]) == ["0.0", "0.9"] * 4
    assert set(summary["seeds"]) == {"2"}
    single = [rows_by_method(folder / f"two-seed={seed}")["weight"].iloc[1] for seed in (5, 6)]
    mean = sum(float(row["test_accuracy"]) for row in single) / 2
    assert float(summary["test_accuracy_mean"].iloc[1]) == pytest.approx(mean)
    # The single run of this name is another experiment, beside them.
    done = fault_run("none", *TWO, f"--output_dir={tmp_path}", "--replicates=1")
    assert done.returncode == 0, done.stderr
    ours, theirs = tmp_path / "two/results.csv", folder / "two-seed=5/results.csv"
    assert ours.read_bytes() == theirs.read_bytes()


def test_means_of_every_method_are_shown(two):
    folder, said = two
    for _, row in table_of(folder / "replicates/summary.csv").iterrows():
        assert f"{100 * float(row['test_accuracy_mean']):.2f}" in said
        assert not row["test_accuracy_low"]  # two seeds have no interval
    assert "mean of 2 seeds, compression ratio:" in said


def test_another_range_of_seeds_joins_the_summary(two, tmp_path):
    shutil.copytree(two[0], tmp_path / "two")
    flags = (*TWO, f"--output_dir={tmp_path}")
    done = fault_run("none", *flags, "--seed=6")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Not trained again") == 1
    assert "The summary includes earlier seeds with the same settings: 5." in done.stdout
    assert "The summary of seeds 5, 6, 7 is in" in done.stdout
    summary = table_of(tmp_path / "two/replicates/summary.csv")
    assert set(summary["seeds"]) == {"3"}
    assert "mean of 3 seeds (95 % interval), compression ratio:" in done.stdout
    for _, row in summary.iterrows():
        low, high = (100 * float(row[f"test_accuracy_{end}"]) for end in ("low", "high"))
        assert f"({low:.2f}–{high:.2f})" in done.stdout
        assert 0 <= low <= high <= 100
    # Seeds that lack a network of these settings do not count.
    done = fault_run("none", *flags, "--k_vals=0.5")
    assert "The summary of seeds 5, 6 is in" in done.stdout
    assert "\n    50 %" in done.stdout
    assert "\n     0 %" not in done.stdout  # which was not asked for


def test_a_forced_run_that_is_killed_in_the_second_seed_goes_on(two, tmp_path):
    """The first seed, which it has trained anew, is not trained a third time."""

    def forced(fault, name):
        return fault_run(fault, *TWO, f"--output_dir={tmp_path / name}", "--force_train")

    def checkpoint(name, seed):
        return tmp_path / name / f"two/replicates/two-seed={seed}/checkpoints/weights.best.hdf5"

    for name in ("whole", "killed"):
        shutil.copytree(two[0], tmp_path / name / "two")
    whole = forced("none", "whole")
    assert whole.returncode == 0, whole.stderr
    assert "Not trained again" not in whole.stdout
    killed = forced(f"kill:{int(0.75 * whole.events)}", "killed")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "Replicate 2 of 2" in killed.stdout
    before = checkpoint("killed", 5).stat().st_mtime_ns
    resumed = forced("none", "killed")
    assert resumed.returncode == 0, resumed.stderr
    assert "Not trained again" in resumed.stdout.split("Replicate 2 of 2")[0]
    assert checkpoint("killed", 5).stat().st_mtime_ns == before
    tables = [
        without_seconds(tmp_path / name / "two/replicates/metrics.csv")
        for name in ("whole", "killed")
    ]
    assert tables[0].equals(tables[1])
    # Done: the next time the flag means what it says.
    names = {path.name for path in (tmp_path / "killed/two/replicates").iterdir()}
    assert not any("forced" in name for name in names)
