"""Grids and searches that cannot be run end in a sentence, before Ray or anything is started."""

import pytest
from commands import run_command

BAD = [
    (["--seed=0"], "Nothing varies"),
    ([], "Nothing varies"),
    (["--sede=0,1"], "Unknown command line flag 'sede'"),
    (["--seed=0,x"], "--seed: 'x' is not a whole number"),
    (["--seed=0,,1"], "--seed: there is an empty value"),
    (["--seed="], "--seed: there is an empty value"),
    (["--seed=0,-1"], "--seed must lie between 0"),
    (["--l1_reg=0,inf"], "--l1_reg must be at least 0"),
    (["--epochs=1,0"], "--epochs=0 prunes a saved model"),
    (["--keep_best=true,perhaps"], "--keep_best: 'perhaps' is not true or false"),
    (["--dataset=digits,cats"], "cats"),
    (["--model=mlp,lenet"], "lenet"),
    (["--preset=strong,weak"], "--preset: 'weak' is not known"),
    (["--output_dir=a", "--replicates=2,3"], "--replicates is the same for all experiments"),
    (["--seed=0,1", "nonsense"], "'nonsense' is not a flag"),
    ([f"--seed={','.join(map(str, range(10_000)))}"], "These are 10,000 experiments"),
    (["--learning_rate=loguniform(1e-4,1e-2)"], "only a search draws values"),
    (["--search=grid", "--seed=0,1"], "--search: choose one of random, optuna"),
    (["--search=random", "--seed=0,1"], "would choose the luckiest"),
    (["--search=random", "--l1_reg=0,1", "--samples=3"], "there are only 2 combinations"),
    (["--search=random", "--l1_reg=0,1", "--samples=0"], "--samples must be at least 1"),
    (["--samples=3", "--seed=0,1"], "--samples needs --search"),
    (["--search=random", "--l1_reg=loguniform(0,1)"], "must be above 0"),
    (["--search=random", "--l1_reg=uniform(1,0)"], "must be below the second"),
    (["--search=random", "--l1_reg=normal(0,1)"], "is not a distribution"),
    (["--search=random", "--l1_reg=uniform(a,1)"], "are not both numbers"),
    (["--search=random", "--epochs=uniform(1,9)"], "take one of randint, lograndint"),
    (["--search=random", "--dataset=uniform(1,9)"], "values separated by commas"),
    (["--search=random", "--l1_reg=uniform(-1,1)"], "--l1_reg must be at least 0"),
    (["--seed=0,1", "--objective=test_accuracy@0.9"], "would choose by the test set"),
    (["--seed=0,1", "--objective=accuracy@0.9"], "'accuracy' is not known"),
    (["--seed=0,1", "--objective=valid_accuracy"], "give a sparsity as well"),
    (["--seed=0,1", "--objective=valid_accuracy@0.42"], "0.42 is not among --k_vals"),
    (["--seed=0,1", "--num_valid=0", "--objective=valid_accuracy@0.9"], "without validation"),
    (["--num_valid=1000,0", "--search=random", "--samples=2"], "without validation"),
    (
        ["--l1_reg=0,1", "--replicates=2", "--objective=nonzero@0.9"],
        "with --replicates choose one of",
    ),
    (["--seed=0,1", "--experiment_id=x/y"], "is not a plain folder name"),
    (["--seed=0,1", "--replicates=2"], "so that some would count twice"),
    (["--seed=0,1", "--max_accuracy_drop=0.1"], "needs --export"),
    (["--search=random", "--l1_reg=loguniform(1e-6)"], "is not a distribution"),
    (["--l1_reg=0,1", "--replicates=2", "--export"], "--export needs experiments of one seed"),
    (["--seed=0,1", "--cpus_per_trial=0"], "--cpus_per_trial must be at least 1"),
    (["--seed=0,1", "--gpus_per_trial=-1"], "--gpus_per_trial must be at least 0"),
    (["--seed=0,1", "--ray_address=nowhere"], "--ray_address: 'nowhere' is not local, auto"),
    (["--seed=0,1", "--sweep_id=../x"], "--sweep_id '../x' is not a plain folder name"),
    (["--seed=0,1", "--k_vals=0.5,2"], "--k_vals: 2 is not a fraction"),
    (["--seed=0,1", "--methods=weight/nothing"], "nothing"),
]


@pytest.mark.usefixtures("without_tensorflow")
@pytest.mark.parametrize(("flags", "sentence"), BAD, ids=[" ".join(flags)[:40] for flags, _ in BAD])
def test_bad_grids_are_refused_in_a_sentence_before_ray_is_asked(tmp_path, flags, sentence):
    # The last one counts, where a case has one of its own.
    done = run_command("sweep", f"--output_dir={tmp_path}", *flags, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    said = " ".join(done.stderr.split())
    assert sentence in said
    assert said.startswith("network-pruning: ")
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_tensorflow")
def test_help_is_there_without_ray(tmp_path):
    done = run_command("sweep", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "--[no]dry_run" in done.stdout
    assert "--learning_rate" in done.stdout
