"""Runs that are killed, starved and raced, on real data with a fake or a small network.

The faults are those of `faults.py`. Where a run is cut short, the same command is given again,
and what it ends with is compared with an uninterrupted run, byte for byte. What is written when is
tested with a fake (`fake_networks.py`), which is quick enough to be killed nearly everywhere; with
a real network it is killed at a few points as well.
"""

import itertools
import random
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from commands import COLD, run_command
from fault_run import fault_run, start

FLAGS = ("--epochs=3", "--batch_size=20", "--k_vals=0.9", "--experiment_id=x")
COMPARED = ("results.csv", "history.csv", "checkpoints/weights.best.hdf5")
KILL_POINTS = 30
FORCED_KILL_POINTS = 8
REAL_KILL_POINTS = 4


def run(fault, output, *flags, fake=True):
    return fault_run(fault, *FLAGS, f"--output_dir={output}", *flags, fake=fake)


def run_real(fault, output, *flags):
    return run(fault, output, *flags, fake=False)


def contents(folder):
    return {name: (folder / "x" / name).read_bytes() for name in COMPARED}


def files(folder):
    """The names of all files."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def uninterrupted(output, run):
    done = run("none", output)
    assert done.returncode == 0, done.stderr
    return output, done.events


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its output folder and the number of its events."""
    return uninterrupted(tmp_path_factory.mktemp("whole"), run)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The same with a network that is trained."""
    return uninterrupted(tmp_path_factory.mktemp("real"), run_real)


@pytest.fixture(scope="module")
def whole_other(tmp_path_factory):
    """The same with another seed, as `--force_train` is asked for in the tests below."""
    output = tmp_path_factory.mktemp("other")
    assert run("none", output, "--seed=1").returncode == 0
    return output


def spread(seed, points, events):
    """Seeded points, one in each of as many equal parts of the run."""
    chance = random.Random(seed)
    ends = [1 + part * events // points for part in range(points + 1)]
    return [chance.randrange(*part) for part in itertools.pairwise(ends)]


def in_pairs(function, cases):
    """Runs the cases two at a time, which is as many as there are cores to count on."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, cases))


def kill_anywhere(run, whole, points, tmp_path):
    """Kills runs at as many points and resumes them; returns how many did not begin again."""
    output, events = whole
    expected, expected_files = contents(output), files(output)

    def kill_and_resume(point):
        folder = tmp_path / str(point)
        killed = run(f"kill:{point}", folder)
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        resumed = run("none", folder)
        assert resumed.returncode == 0, (point, resumed.stderr)
        assert contents(folder) == expected, point
        assert files(folder) == expected_files, point  # nothing is left over
        return "Resumed after" in resumed.stdout or "Not trained again" in resumed.stdout

    resumed = in_pairs(kill_and_resume, spread(0, points, events))
    assert len(resumed) == points
    return sum(resumed)


def test_killed_anywhere_the_same_command_ends_the_same(whole, tmp_path):
    # Only those that were killed in the first epoch begin again.
    assert kill_anywhere(run, whole, KILL_POINTS, tmp_path) > KILL_POINTS / 2


def test_a_real_network_that_is_killed_is_trained_on_the_same(real, tmp_path):
    assert kill_anywhere(run_real, real, REAL_KILL_POINTS, tmp_path) >= REAL_KILL_POINTS / 2


def test_killed_while_forced_neither_the_old_nor_the_new_is_lost(whole, whole_other, tmp_path):
    output, _ = whole
    old, new, expected_files = contents(output), contents(whole_other), files(whole_other)
    forced = ("--force_train", "--seed=1")
    events = run("none", copied(output, tmp_path / "count"), *forced).events

    def kill_twice(point):
        folder = copied(output, tmp_path / str(point))
        killed = run(f"kill:{point}", folder, *forced)
        assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)
        # Without the flag the old experiment is found; unless all of the new one was complete.
        again = run("none", folder)
        if again.returncode == 0:
            assert "Not trained again" in again.stdout, point
            assert contents(folder) == old, point
        else:
            assert "--seed=0 instead of 1" in again.stderr, point
            assert contents(folder) == new, point
        finished = run("none", folder, *forced)
        assert finished.returncode == 0, (point, finished.stderr)
        assert contents(folder) == new, point
        assert files(folder) == expected_files, point
        return again.returncode

    statuses = in_pairs(kill_twice, spread(1, FORCED_KILL_POINTS, events))
    assert statuses.count(0) > FORCED_KILL_POINTS / 2


def copied(source, target):
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
    return target


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_time_from_outside(real, tmp_path, seed):
    """By the clock: also within native code and system calls."""
    output = tmp_path / "output"
    with (tmp_path / "log").open("w") as log:
        process = start(*FLAGS, f"--output_dir={output}", stdout=log, stderr=log)
        until_written(output / "x" / "config.json")
        time.sleep(random.Random(seed).uniform(0, 3))
        process.kill()
        process.wait()
    assert run_real("none", output).returncode == 0
    assert contents(output) == contents(real[0])
    assert files(output) == files(real[0])


def until_written(path, text=""):
    """Waits for a file with a text in it."""
    while not path.exists() or text not in path.read_text():
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_with_a_line_that_says_how_to_resume(tmp_path, number, status):
    """Long before the end of the training: of 500 epochs few have been finished."""
    said, errors = tmp_path / "said", tmp_path / "errors"
    flags = (f"--output_dir={tmp_path}", "--epochs=500", "--experiment_id=x")
    with said.open("w") as stdout, errors.open("w") as stderr:
        process = start(*flags, stdout=stdout, stderr=stderr)
        until_written(tmp_path / "x" / "history.csv", "\n1,")
        process.send_signal(number)
        assert process.wait() == status
    sentence = "Interrupted. Run the same command again to resume."
    assert sentence in errors.read_text()
    assert "Traceback" not in errors.read_text()
    assert len((tmp_path / "x" / "history.csv").read_text().splitlines()) < 250
    assert not (tmp_path / "x" / ".lock").exists()


@pytest.mark.parametrize("write", [1, 2, 3, 4, 8, 11, 13, 16, 20, 26])
def test_a_full_disk_is_said_plainly_and_loses_nothing(whole, tmp_path, write):
    full = run(f"full:{write}", tmp_path)
    # What only pages need is no reason to stop.
    said = full.stderr if full.returncode == 1 else full.stdout
    assert full.returncode == 1 or "Warning: " in said
    assert "cannot be written (No space left on device)" in said
    assert "Traceback" not in full.stderr
    assert not [name for name in files(tmp_path) if ".network-pruning-" in name]
    assert run("none", tmp_path).returncode == 0
    assert contents(tmp_path) == contents(whole[0])


def test_a_really_full_disk(tmp_path):
    """A file system of 60 KB: the checkpoint does not fit, and HDF5 is the one to notice."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system to fill")
    try:
        done = run_real("none", tmp_path)
        assert done.returncode == 1
        assert "weights.best.hdf5 cannot be written" in done.stderr
        assert "Traceback" not in done.stderr
        assert files(tmp_path) == {"x/config.json"}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_out_of_memory_is_said_plainly(tmp_path):
    done = run("oom", tmp_path)
    assert done.returncode == 1
    assert "Out of memory. Try a smaller --batch_size" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["tensorflow", "keras", "matplotlib", "filelock", "tqdm"])
def test_a_missing_package_is_named(tmp_path, package):
    # A module that is None in `sys.modules` cannot be imported.
    code = (
        f"import runpy, sys; sys.modules[{package!r}] = None; sys.argv = sys.argv[1:];"
        "sys.path.insert(0, ''); runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = (COLD[0], "-c", code, COLD[1])
    done = run_command("--k_vals=0.5", f"--output_dir={tmp_path}", command=command)
    assert done.returncode == 1
    assert package in done.stderr
    assert "pip install './network-pruning[runner]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_diverged_training_keeps_the_last_good_checkpoint(tmp_path):
    done = run_real("none", tmp_path, "--learning_rate=1e18")
    assert done.returncode == 1
    assert "Training diverged in epoch" in done.stderr
    assert "lower --learning_rate" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x" / "results.csv").exists()


def test_of_two_at_once_one_runs_and_the_other_names_it(tmp_path):
    """Ten races. The winner is killed, so that every race also takes over a dead lock."""
    flags = (*FLAGS, "--epochs=500", f"--output_dir={tmp_path / 'output'}")
    for number in range(10):
        logs = [tmp_path / f"{number}-{name}" for name in "ab"]
        with logs[0].open("w") as one, logs[1].open("w") as two:
            runs = [start(*flags, stdout=log, stderr=log) for log in (one, two)]
            while all(run.is_running() for run in runs):
                time.sleep(0.02)
            loser, winner = sorted(range(2), key=lambda run: runs[run].is_running())
            said = logs[loser].read_text()
            assert runs[winner].is_running(), said
            runs[winner].kill()
            runs[winner].wait()
        assert runs[loser].wait() == 1
        holder = rf"in use by (process {runs[winner].pid} on \S+ since 2\d|another run)"
        assert re.search(holder, said)
        assert "Traceback" not in said


def test_different_experiments_run_side_by_side(real, tmp_path):
    def start(name):
        return run_real("none", tmp_path, f"--experiment_id={name}").returncode

    assert in_pairs(start, ["a", "b"]) == [0, 0]
    for name in ("a", "b"):
        results = (tmp_path / name / "results.csv").read_bytes()
        assert results == contents(real[0])["results.csv"]
