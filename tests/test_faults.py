"""Runs that are killed, starved and raced, on real data with a small network.

The faults are those of `faults.py`. Where a run is cut short, the same command is given again,
and what it ends with is compared with an uninterrupted run, byte for byte.
"""

import random
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import ROOT, run_command
from fault_run import fault_run

FAULTS = Path(__file__).resolve().parent / "faults.py"
FLAGS = (
    "--epochs=3",
    "--batch_size=20",
    "--k_vals=0.5,0.9",
    "--experiment_id=x",
)
COMPARED = ("results.csv", "history.csv", "checkpoints/weights.best.hdf5")
KILL_POINTS = 20
FORCED_KILL_POINTS = 8


def run(fault, output, *flags):
    return fault_run(fault, *FLAGS, f"--output_dir={output}", *flags)


def contents(folder):
    return {name: (folder / "x" / name).read_bytes() for name in COMPARED}


def files(folder):
    """The names of all files."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: its output folder and the number of its events."""
    output = tmp_path_factory.mktemp("whole")
    done = run("none", output)
    assert done.returncode == 0, done.stderr
    return output, done.events


@pytest.fixture(scope="module")
def whole_other(tmp_path_factory):
    """The same with another seed, as `--force_train` is asked for in the tests below."""
    output = tmp_path_factory.mktemp("other")
    assert run("none", output, "--seed=1").returncode == 0
    return output


def spread(seed, points, events):
    """Seeded points, one in each of as many equal parts of the run."""
    chance = random.Random(seed)
    return [1 + int((part + chance.random()) * events / points) for part in range(points)]


def in_pairs(function, cases):
    """Runs the cases two at a time, which is as many as there are cores to count on."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, cases))


def test_killed_anywhere_the_same_command_ends_the_same(whole, tmp_path):
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

    resumed = in_pairs(kill_and_resume, spread(0, KILL_POINTS, events))
    assert len(resumed) == KILL_POINTS
    # Only those that were killed in the first epoch begin again.
    assert sum(resumed) > KILL_POINTS / 2


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


@pytest.mark.alone
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_time_from_outside(whole, tmp_path, seed):
    """By the clock: also within native code, imports and system calls."""
    command = [sys.executable, str(FAULTS), "none", *FLAGS, f"--output_dir={tmp_path}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.Random(seed).uniform(2, 8))
    process.kill()
    process.wait()
    assert run("none", tmp_path).returncode == 0
    assert contents(tmp_path) == contents(whole[0])
    assert files(tmp_path) == files(whole[0])


@pytest.mark.alone
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_soon_with_a_line_that_says_how_to_resume(tmp_path, number, status):
    flags = [f"--output_dir={tmp_path}", "--epochs=500", "--experiment_id=x"]
    process = subprocess.Popen(
        [sys.executable, str(FAULTS), "none", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    begun = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - begun < 5
    assert process.returncode == status
    assert "Interrupted. Run the same command again to resume." in errors
    assert "Traceback" not in errors
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
        done = run("none", tmp_path)
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
    command = (sys.executable, "-c", code, str(ROOT))
    done = run_command("--k_vals=0.5", f"--output_dir={tmp_path}", command=command)
    assert done.returncode == 1
    assert package in done.stderr
    assert "pip install './network-pruning[runner]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_diverged_training_keeps_the_last_good_checkpoint(tmp_path):
    done = run("none", tmp_path, "--learning_rate=1e18")
    assert done.returncode == 1
    assert "Training diverged in epoch" in done.stderr
    assert "lower --learning_rate" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x" / "results.csv").exists()


@pytest.mark.alone
def test_of_two_at_once_one_runs_and_the_other_names_it(tmp_path):
    """Ten races. The winner is killed, so that every race also takes over a dead lock."""
    command = [sys.executable, str(ROOT), *FLAGS, f"--output_dir={tmp_path}"]
    for _ in range(10):
        runs = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        while all(run.poll() is None for run in runs):
            time.sleep(0.02)
        loser, winner = sorted(runs, key=lambda run: run.poll() is None)
        errors = loser.communicate()[1]
        assert winner.poll() is None, errors
        winner.kill()
        winner.communicate()
        assert loser.returncode == 1
        assert re.search(rf"in use by (process {winner.pid} on \S+ since 2\d|another run)", errors)
        assert "Traceback" not in errors


@pytest.mark.alone
def test_different_experiments_run_side_by_side(whole, tmp_path):
    def start(name):
        return run("none", tmp_path, f"--experiment_id={name}").returncode

    assert in_pairs(start, ["a", "b"]) == [0, 0]
    for name in ("a", "b"):
        results = (tmp_path / name / "results.csv").read_bytes()
        assert results == contents(whole[0])["results.csv"]
