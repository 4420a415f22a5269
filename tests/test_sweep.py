"""Sweeps as their users run them, on a real Ray; where machines die: `test_cluster.py`."""

from commands import ROOT, run_command
from network_pruning.sweeps import ray_connection

from sweeps import (
    FAKE,
    FLAGS,
    contents,
    forked_trials,
    on_cluster,
    python_in_a_path_with_a_space,
    record,
    single,
    states,
    sweep,
    trial_name,
)


def test_the_grid_is_that_of_single_commands_and_is_not_run_twice(tmp_path):
    output, alone = tmp_path / "sweep", tmp_path / "alone"
    grid = ("--seed=0,1", f"--output_dir={output}", on_cluster())
    planned = sweep(*FLAGS, *grid, "--dry_run")
    assert planned.returncode == 0, planned.stderr
    assert "2 experiments:" in planned.stdout
    assert "2 to run." in planned.stdout
    assert not output.exists()

    single(output)  # one is there already
    before = {file: file.stat().st_mtime_ns for file in output.glob("few*/**/*")}
    done = sweep(*FLAGS, *grid)
    assert done.returncode == 0, done.stderr
    names = [trial_name(seed=seed) for seed in (0, 1)]
    assert states(output) == dict.fromkeys(names, "finished")
    assert all(file.stat().st_mtime_ns == time for file, time in before.items())
    assert "2 trials: 2 finished" in done.stdout
    assert "(2 of 2" in done.stdout

    name = trial_name(seed=1)
    single(alone, "--seed=1")
    assert contents(output / name) == contents(alone / name)

    objectives = [trial["objective"] for trial in record(output)["trials"]]
    for trial, objective in zip(names, objectives, strict=True):
        rows = (output / trial / "metrics.csv").read_text().splitlines()
        column = rows[0].split(",").index("valid_accuracy")
        at_k = [
            row.split(",")[column]
            for row in rows
            if ",weight,magnitude,layer" in row or ",unit,magnitude,layer" in row
        ]
        assert str(objective) in at_k
    (place,) = output.glob("sweeps/*")
    for file in ("summary.csv", "importance.csv", "settings.png", "curves.png", "report.html"):
        assert (place / file).stat().st_size > 100, file
    assert f"sweeps/{place.name}/report.html" in (output / "index.html").read_text()

    again = sweep(*FLAGS, *grid)
    assert again.returncode == 0, again.stderr
    assert "All 2 trials were done before." in again.stdout
    planned = sweep(*FLAGS, *grid, "--dry_run", "--seed=0,1,2")
    assert planned.stdout.count("is finished") == 2
    assert "1 to run." in planned.stdout


def test_a_trial_that_fails_does_not_stop_the_others_and_is_listed_with_its_sentence(tmp_path):
    """Nothing is forked or a fake here: the others are networks of the single command. In a path
    with a space, too."""
    start = (python_in_a_path_with_a_space(tmp_path), str(ROOT), "sweep")
    alone = tmp_path / "alone"
    tmp_path /= "new folder"
    short = ("--epochs=1", "--k_vals=0,0.5")
    flags = (*FLAGS, *short, "--learning_rate=0.001,1e30", f"--output_dir={tmp_path}")
    done = run_command(*flags, command=start)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    good, bad = (trial_name(rate=rate, epochs=1) for rate in (0.001, "1e+30"))
    assert states(tmp_path) == {good: "finished", bad: "failed"}
    assert f"Failed: {bad}: Training diverged in epoch 1: the loss is" in said
    assert "1 trial of 2 failed" in done.stderr
    assert "Traceback" not in done.stderr
    (place,) = tmp_path.glob("sweeps/*")
    assert "Training diverged" in (place / "logs" / f"{bad}.txt").read_text()
    assert "Training diverged" in (place / "report.html").read_text()
    single(alone, *short, first=None)
    assert contents(tmp_path / good) == contents(alone / good)


def test_a_search_draws_what_it_is_asked_for_and_ends_hopeless_trials(tmp_path):
    samples = 4
    flags = (
        *FLAGS,
        *("--epochs=9", "--search=optuna", f"--samples={samples}"),
        f"--cpus_per_trial={ray_connection.cores()}",  # one at a time, which ends the same ones
        "--objective=valid_accuracy@0.5",
        *("--learning_rate=loguniform(1e-6,1e-2)", "--batch_size=64,128"),
        f"--output_dir={tmp_path}",
    )
    done = sweep(*flags)
    assert done.returncode == 0, done.stderr
    trials = record(tmp_path)["trials"]
    assert len(trials) == samples
    assert {trial["state"] for trial in trials} <= {"finished", "stopped"}
    for trial in trials:
        rate = trial["settings"]["learning_rate"]
        assert 1e-6 <= rate <= 1e-2
        assert rate == float(f"{rate:.4g}")
        assert trial["settings"]["batch_size"] in (64, 128)
        assert 0 <= trial["objective"] <= 1
        assert f"lr={rate}" in trial["experiment_id"]
        # Where it was judged; that the process ends then is tested with the worker.
        assert trial["epochs"] in ((9,) if trial["state"] == "finished" else (1, 3))
    # ASHA keeps the better third at each rung: not those that are worse than all before.
    worst = [
        trial
        for number, trial in enumerate(trials[1:], 1)
        if trial["objective"] < min(before["objective"] for before in trials[:number])
    ]
    assert worst
    assert {trial["state"] for trial in worst} == {"stopped"}
    again = sweep(*flags)
    assert f"All {samples} trials were done before." in again.stdout


def test_seeds_on_ray_give_the_same_bytes_as_one_after_the_other(tmp_path):
    flags = ("train", *FLAGS, "--threads=1", "--replicates=2", "--experiment_id=seeds")
    for name, more in (("alone", ()), ("ray", (on_cluster(),))):
        words = (*flags, *more, f"--output_dir={tmp_path / name}")
        done = run_command(*words, first=f"{FAKE}\n{forked_trials()}")
        assert done.returncode == 0, done.stderr
    alone, on_ray = (contents(tmp_path / name / "seeds") for name in ("alone", "ray"))
    logs = [name for name in on_ray if ".ray/" in name]
    assert len(logs) == 2
    summary = [
        [*map(drop_seconds, found.pop("replicates/summary.csv").decode().splitlines())]
        for found in (alone, on_ray)
    ]
    assert summary[0] == summary[1]
    assert {name: on_ray[name] for name in on_ray if name not in logs} == alone


def drop_seconds(line):
    """A row of a summary without its last two cells, mean and deviation of seconds."""
    return line.rsplit(",", 2)[0]


def test_nothing_begins_where_ray_is_not(tmp_path):
    done = sweep(*FLAGS, "--seed=0,1", f"--output_dir={tmp_path}", "--ray_address=127.0.0.1:1")
    assert done.returncode == 1
    assert "Ray cannot be reached at --ray_address=127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("few*"))


# A machine that Ray would tell of, so that it need not be started.
MACHINE = """
import contextlib, ray
from network_pruning.sweeps import engine

engine.connected = lambda address: contextlib.nullcontext()
ray.nodes = lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}]
"""


def test_a_trial_that_fits_nowhere_is_refused(tmp_path):
    flags = ("--seed=0,1", f"--output_dir={tmp_path}", "--cpus_per_trial=999")
    done = sweep(*FLAGS, *flags, first=MACHINE)
    assert done.returncode == 2
    assert "No machine has room for a trial with 999 cores" in done.stderr
    assert "the largest has 2" in done.stderr
    assert not list(tmp_path.glob("few*"))
