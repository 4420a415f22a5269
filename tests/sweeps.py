"""Sweeps in tests: small trials, a cluster of two nodes, and what is compared."""

import csv
import io
import json
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

from commands import ROOT, run_command

SWEEP = (sys.executable, str(ROOT), "sweep")
# Nothing but starting TensorFlow takes time.
FLAGS = (
    *("--dataset=few_digits", "--plugins=few_digits", "--num_valid=500", "--model=tiny"),
    *("--epochs=2", "--k_vals=0,0.5,0.9"),
)
NAME = "few_digits-{epochs}-lr={rate}-l1={l1}-l2=0.0-tiny-num_valid=500"
# What tells when, how fast and where something was done.
TIMES = ("report.html",)


def sweep(*flags, **options):
    return run_command("sweep", *flags, **options)


def python_in_a_path_with_a_space(tmp_path):
    """A Python in a folder of such a name, with the packages of this one: Ray starts its workers
    through a shell."""
    place = tmp_path / "new folder" / ".venv"
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "all.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return str(place / "bin" / "python")


def single(output, *flags):
    """What the single command writes with one thread, as the trials have."""
    done = run_command("train", *FLAGS, "--threads=1", f"--output_dir={output}", *flags)
    assert done.returncode == 0, done.stderr
    return done


def trial_name(l1="0.0", epochs=2, rate=0.001, seed=0):
    """The folder of a trial."""
    name = NAME.format(l1=l1, epochs=epochs, rate=rate)
    return f"{name}-seed={seed}" if seed else name


def contents(experiment):
    """What an experiment consists of, by path, without times and the folder it lies in."""
    found = {}
    for file in sorted(p for p in experiment.rglob("*") if p.is_file()):
        content = file.read_bytes().replace(str(experiment.parent).encode(), b"<output>")
        if file.name == "metrics.csv":
            content = _without(content, "seconds")
        if file.name not in TIMES:
            found[str(file.relative_to(experiment))] = content
    return found


def _without(table, column):
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    return json.dumps([{**row, column: None} for row in rows]).encode()


def record(output):
    """The record of the only sweep in an output folder."""
    (path,) = Path(output).glob("sweeps/*/sweep.json")
    return json.loads(path.read_text())


def states(output):
    """What became of the trials of the only sweep, by experiment."""
    return {trial["experiment_id"]: trial["state"] for trial in record(output)["trials"]}


def start(*flags, **options):
    """A sweep in the background; both its streams in one."""
    return subprocess.Popen(
        [*SWEEP, *map(str, flags)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def epochs_done(output, name):
    """How many epochs of an experiment are finished."""
    try:
        return len((Path(output) / name / "history.csv").read_text().splitlines()) - 1
    except OSError:
        return 0


def wait_until(condition, seconds=180):
    """Waits for something to become true, and returns it."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)
    return found


def processes_in(output):
    """The numbers of the processes of trials that write to an output folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            log = str((place / "fd" / "1").readlink())
        except OSError:
            continue
        if b"trial" in words and log.startswith(str(output)):
            found.append(int(place.name))
    return found
