"""Sweeps in tests: small trials, a cluster of two nodes, and what is compared."""

import atexit
import csv
import functools
import io
import json
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

import forks
import pytest
from commands import ROOT, run_command, start_command
from network_pruning.settings.sweep import SweepConfig

# Next to nothing to train, prune and draw.
FLAGS = (
    *("--dataset=few_digits", "--plugins=few_digits", "--num_valid=500", "--model=tiny"),
    *("--epochs=2", "--k_vals=0,0.5,0.9"),
)
SETTINGS = {
    **{"dataset": "few_digits", "plugins": ["few_digits"], "num_valid": 500, "model": "tiny"},
    **{"epochs": 2, "k_vals": ["0", "0.5", "0.9"]},
}
NAME = "few_digits-{epochs}-lr={rate}-l1={l1}-l2=0.0-tiny-num_valid=500"
# What tells when, how fast and where something was done.
TIMES = ("report.html",)


# What a forked command runs first, so that its networks are fakes.
FAKE = "__import__('fake_trials').replace_networks()"
# Stands for the program where workers start a trial: it asks a server of the tests to fork one.
# Else it is the program itself.
FORKED_TRIAL = """
import os, runpy, signal, sys

if sys.argv[1] != "trial":
    sys.argv[0] = {root!r}
    runpy.run_path({root!r}, run_name="__main__")
    sys.exit()
sys.path[0] = {tests!r}
import forks

streams = dict(stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
program, words = "commands:run_program", ["trial"]
process = forks.start(program, {first!r}, words, address={address!r}, **streams)
signal.signal(signal.SIGTERM, lambda number, _: process.send_signal(number))
status = process.wait()
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""
# What a forked sweep does first: its trials are started so.
START_FORKED = """
import network_pruning.sweeps.engine
network_pruning.sweeps.engine.PACKAGE_DIR = {folder!r}
"""


@functools.cache
def forking_program():
    """The folder of a program whose trials are forked, and their networks are fakes: the rest of
    the trials is real."""
    folder = tempfile.TemporaryDirectory(prefix="network-pruning-trials-")
    atexit.register(folder.cleanup)
    paths = {"root": str(ROOT), "tests": str(Path(__file__).parent)}
    program = FORKED_TRIAL.format(address=forks.address_of("all"), first=FAKE, **paths)
    Path(folder.name, "__main__.py").write_text(program)
    Path(folder.name, "cli").mkdir()
    Path(folder.name, "cli", "trial.py").touch()  # what a worker looks for
    return folder.name


def forked_trials():
    """Source that a command runs first, so that its trials are those of `forking_program`."""
    return START_FORKED.format(folder=forking_program())


@functools.cache
def cluster():
    """A cluster of two nodes with one core each, for all tests of this process: starting Ray takes
    longer than most sweeps here."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    atexit.register(started.shutdown)
    started.add_node(num_cpus=1)
    started.wait_for_nodes()
    return started


def on_cluster():
    """The flag of sweeps on it."""
    return f"--ray_address={cluster().address}"


def request_of(output):
    """What a trial of a sweep called `mine` is sent besides its values, which are seeds."""
    place = output / "sweeps" / "mine"
    place.mkdir(parents=True)
    sweep = SweepConfig({**SETTINGS, "output_dir": str(output)}, {"seed": (0, 1)})
    return {"sweep": sweep.to_dict(), "output_dir": str(output), "place": str(place)}


def sweep(*flags, first="", **options):
    """A sweep with forked trials of fakes, finished; it runs some source before."""
    return run_command("sweep", *flags, first=forked_trials() + first, **options)


def start(output, *flags):
    """The same in the background, in the folder around the output, see `said_by`."""
    words = ("sweep", *flags, f"--output_dir={output}")
    options = {"first": forked_trials(), "cwd": output.parent}
    with _log(output).open("w") as log:
        return start_command(*words, stdout=log, stderr=log, **options)


def said_by(output):
    """What a sweep in the background has said, with white space as between words."""
    return " ".join(_log(output).read_text().split())


def _log(output):
    return Path(f"{output}.log")


def python_in_a_path_with_a_space(tmp_path):
    """A Python in a folder of such a name, with the packages of this one: Ray starts its workers
    through a shell."""
    place = tmp_path / "new folder" / ".venv"
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "all.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return str(place / "bin" / "python")


def single(output, *flags, first=FAKE):
    """What the single command writes with one thread, as the trials have; of fakes, too, unless it
    runs something else first."""
    words = ("train", *FLAGS, "--threads=1", f"--output_dir={output}", *flags)
    done = run_command(*words, first=first)
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


def epochs_done(output, name):
    """How many epochs of an experiment are finished."""
    try:
        return len((Path(output) / name / "history.csv").read_text().splitlines()) - 1
    except OSError:
        return 0


def wait_until(condition):
    """Waits for something to become true, and returns it; every test has a timeout."""
    while not (found := condition()):
        time.sleep(0.1)
    return found


def processes_in(output):
    """The numbers of the processes of trials that write to an output folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            log = str((place / "fd" / "1").readlink())
        except OSError:
            continue
        if log.startswith(f"{output}/"):
            found.append(int(place.name))
    return found
