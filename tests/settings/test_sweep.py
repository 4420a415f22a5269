"""Grids and searches as data: names of trials, the same sweep by the same name, what is drawn."""

import json

import pytest
from absl import flags
from network_pruning.cli.sweep_flags import define_sweep_flags, sweep_config_from_flags
from network_pruning.settings.distributions import Distribution
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.settings.sweep import SweepConfig, sweep_config
from network_pruning.utils import UsageError


def parsed(*arguments):
    values = flags.FlagValues()
    define_sweep_flags("sweep", values)
    values(["sweep", *arguments])
    return sweep_config_from_flags(values)


def test_every_combination_once_the_last_flag_first():
    config = parsed("--seed=0,1", "--l1_reg=0,0.001,1e-3,0.0")
    # In the order of train's flags: l1_reg is before seed.
    assert list(config.grid()) == [
        {"l1_reg": l1, "seed": seed} for l1 in (0.0, 0.001) for seed in (0, 1)
    ]
    assert config.number == 4


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--dataset=digits,fashion"], "digits-20-lr=0.001-l1=0.0-l2=0.0"),
        (["--model=mlp,lenet_5"], "digits-20-lr=0.001-l1=0.0-l2=0.0"),
        (["--seed=3,4"], "digits-20-lr=0.001-l1=0.0-l2=0.0-seed=3"),
        (["--batch_size=64,128", "--seed=3,4"],
         "digits-20-lr=0.001-l1=0.0-l2=0.0-batch_size=64-seed=3"),
        (["--nokeep_best", "--seed=3,4"],
         "digits-20-lr=0.001-l1=0.0-l2=0.0-keep_best=False-seed=3"),
        (["--seed=0,1"], "digits-20-lr=0.001-l1=0.0-l2=0.0"),
        (["--finetune_epochs=2,6", "--seed=3"],
         "digits-20-lr=0.001-l1=0.0-l2=0.0-seed=3-finetune_epochs=2"),
        (["--keep_best=false,true"], "digits-20-lr=0.001-l1=0.0-l2=0.0-keep_best=False"),
        (["--preset=strong,strong_units"], "digits-20-lr=0.001-l1=0.0-l2=0.0-preset=strong"),
        (["--experiment_id=mine", "--l1_reg=0.1,0"], "mine-l1_reg=0.1"),
    ],
)  # fmt: skip
def test_a_trial_has_its_default_name_and_what_that_lacks(arguments, name):
    config = parsed(*arguments)
    assert config.trial(next(config.grid())).experiment_id == name


def test_a_trial_is_the_experiment_of_the_single_command():
    config = parsed("--seed=3,4", "--epochs=7", "--nokeep_best", "--preset=strong", "--shift=0")
    assert config.trial({"seed": 4}) == ExperimentConfig(
        seed=4,
        epochs=7,
        keep_best=False,
        preset="strong",
        methods=("weight/obd/global/gradual/finetune",),
        prune_epochs=8,
        finetune_epochs=25,
        distillation=0.2,
        shift=0,  # what is given goes before the preset
        threads=1,
        experiment_id="digits-7-lr=0.001-l1=0.0-l2=0.0-keep_best=False-seed=4",
    )
    # Under the name that it has there.
    alone = ExperimentConfig(seed=4, epochs=7, keep_best=False)
    assert config.trial({"seed": 4}).experiment_id == alone.experiment_id


def test_threads_are_those_of_a_trial_unless_they_are_given():
    assert parsed("--seed=0,1", "--cpus_per_trial=3").first.threads == 3
    assert parsed("--seed=0,1", "--cpus_per_trial=3", "--threads=5").first.threads == 5


def test_how_a_sweep_is_run_does_not_make_it_another_one():
    same = [
        parsed("--seed=0,1", *more).sweep_id
        for more in ((), ("--cpus_per_trial=2",), ("--ray_address=auto",), ("--output_dir=x",))
    ]
    assert len(set(same)) == 1
    assert same[0].startswith("seed-")
    others = [
        parsed(*more).sweep_id
        for more in (
            ("--seed=0,2",),
            ("--seed=0,1", "--epochs=3"),
            ("--seed=0,1", "--export"),
            ("--seed=0,1", "--objective=valid_accuracy@0.5"),
        )
    ]
    assert len({*same, *others}) == 5


def test_the_usual_objective_is_accuracy_at_the_largest_sparsity_up_to_90_percent():
    assert parsed("--seed=0,1").objective == "valid_accuracy@0.9"
    assert parsed("--seed=0,1", "--k_vals=0.5,0.99").objective == "valid_accuracy@0.5"
    assert parsed("--seed=0,1", "--k_vals=0.99,0.995").objective == "valid_accuracy@0.99"
    config = parsed("--seed=0,1", "--objective=export_bytes")
    assert (config.goal, config.k, config.export) == ("min", None, True)


def test_what_is_drawn():
    config = parsed(
        *("--search=optuna", "--samples=5", "--learning_rate=loguniform(1e-4, 1e-2)"),
        *("--epochs=randint(2,9)", "--batch_size=64,128"),
    )
    assert list(config.varied.items()) == [
        ("batch_size", (64, 128)),
        ("epochs", Distribution("randint", 2, 9)),
        ("learning_rate", Distribution("loguniform", 1e-4, 1e-2)),
    ]
    values = {"batch_size": 64, "epochs": 5, "learning_rate": 0.00123456}
    assert config.rounded(values)["learning_rate"] == 0.001235
    assert config.trial(values).experiment_id == (
        "digits-5-lr=0.001235-l1=0.0-l2=0.0-batch_size=64"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seed=0,1", "--plugins=a,b", "--k_vals=0.5,0.9"],
        ["--search=random", "--l1_reg=uniform(0,0.1)", "--keep_best=true,false"],
        ["--search=optuna", "--samples=7", "--epochs=lograndint(1,50)", "--noasha"],
    ],
)
def test_it_comes_back_from_json(arguments):
    config = parsed(*arguments)
    assert sweep_config(json.loads(json.dumps(config.to_dict()))) == config


def files(tmp_path, *contents):
    paths = [tmp_path / str(number) / "a.npz" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.parent.mkdir()
        path.write_text(content)
    return ",".join(map(str, paths))


@pytest.mark.parametrize("more", [[], ["--experiment_id=mine"]])
def test_files_are_called_by_their_content(tmp_path, more):
    config = parsed(f"--dataset={files(tmp_path, 'one', 'two')}", *more)
    first, second = (config.trial(values).experiment_id for values in config.grid())
    assert first != second
    assert ("mine-dataset=a-" if more else "a-") in first


@pytest.mark.parametrize("more", [[], ["--experiment_id=mine"]])
def test_the_same_experiment_twice_is_refused(tmp_path, more):
    with pytest.raises(UsageError, match="Two combinations are the same experiment"):
        parsed(f"--dataset={files(tmp_path, 'same', 'same')}", *more)


def test_values_are_checked_together():
    assert parsed("--epochs=30,40", "--rewind_epoch=25,30").number == 4
    with pytest.raises(UsageError, match="`rewind_epoch` must lie between 0 and 30, not 35"):
        parsed("--epochs=30,40", "--rewind_epoch=25,35")


def test_names_that_are_too_long_end_in_a_digest():
    flags = [f"--{name}=1,2" for name in ("batch_size", "finetune_epochs", "prune_epochs", "shift")]
    flags += ["--prune_fraction=0.11111111111,0.2", "--finetune_learning_rate=0.0011111111,0.2"]
    flags += ["--distillation=0.111111111111,0.2", "--rewind_epoch=1,2", "--seed=1,2"]
    config = parsed(*flags)
    names = {config.trial(values).experiment_id for values in config.grid()}
    assert len(names) == config.number == 2**9
    assert max(map(len, names)) <= 200


def test_sweeps_of_earlier_versions_are_found():
    assert parsed("--seed=0,1").sweep_id == "seed-204860f5"


@pytest.mark.parametrize("more", [["--force_train"], ["--data_dir=x"], ["--yes"]])
def test_what_trains_the_same_is_the_same_sweep(more):
    assert parsed("--seed=0,1", *more).sweep_id == parsed("--seed=0,1").sweep_id


@pytest.mark.parametrize("more", [["--noasha"], ["--export", "--max_accuracy_drop=0.01"]])
def test_what_comes_out_otherwise_is_another_sweep(more):
    assert parsed("--seed=0,1", *more).sweep_id != parsed("--seed=0,1").sweep_id


def test_library_callers_are_checked_too():
    with pytest.raises(UsageError, match="Nothing varies"):
        SweepConfig()
    with pytest.raises(UsageError, match="These are 1,001 experiments"):
        SweepConfig(varied={"seed": tuple(range(1001))})
    assert SweepConfig(varied={"seed": tuple(range(1001))}, yes=True).number == 1001
