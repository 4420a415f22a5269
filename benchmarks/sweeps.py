"""What sweeps cost and gain: `python benchmarks/sweeps.py`, alone on the machine; twenty minutes.

Prints a table for docs/cluster.md: a trial against the single command, packed trials against one
after the other, and the pieces from which larger clusters are projected.
"""

import json
import os
import platform
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
ROUNDS = 3
LONG = ("--dataset=digits", "--epochs=4", "--k_vals=0,0.5,0.9,0.99")
SMALL = ("--dataset=digits", "--epochs=3", "--k_vals=0,0.5,0.9,0.99", "--model=lenet_300_100")
NOTHING = 100


def main():
    """Prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*overhead(Path(folder)), *packed(Path(folder)), *pieces(Path(folder))]
    ray, tensorflow = version("ray"), version("tensorflow")
    print(f"\n{CORES} cores, {platform.machine()}, Ray {ray}, TensorFlow {tensorflow}\n")
    print("| what | measured |\n| --- | ---: |")
    for what, measured in rows:
        print(f"| {what} | {measured} |")


def command(name, *flags):
    """Runs a command of the program; returns its seconds."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, str(PACKAGE), name, *map(str, flags)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def record(output):
    (path,) = output.glob("sweeps/*/sweep.json")
    return json.loads(path.read_text())


def overhead(folder):
    """A trial that has all cores, from the start of its process on, against the single command."""
    trials, alone, whole = [], [], []
    for number in range(ROUNDS):
        output = folder / f"overhead-{number}"
        alone.append(command("train", *LONG, f"--threads={CORES}", f"--output_dir={output}/alone"))
        flags = ("--seed=0,1", f"--cpus_per_trial={CORES}", f"--output_dir={output}/sweep")
        whole.append(command("sweep", *LONG, *flags))
        trials += [trial["seconds"] for trial in record(output / "sweep")["trials"]]
        size = bytes_of(output / "alone")
        shutil.rmtree(output)
    ratio = statistics.median(trials) / statistics.median(alone)
    start = statistics.median(whole) - 2 * statistics.median(trials)
    yield "single command (s)", spread(alone)
    yield "the same as a trial (s)", spread(trials)
    yield "ratio", f"{ratio:.3f}"
    yield "start and end of a sweep, Ray and pages included (s)", f"{start:.1f}"
    yield "a trial writes (MB)", f"{size / 1e6:.1f}"


def packed(folder):
    """16 small trials with a core each against as many commands with all cores."""
    output = folder / "packed"
    alone = sum(
        command(
            "train", *SMALL, f"--seed={s}", f"--experiment_id={s}", f"--output_dir={output}/alone"
        )
        for s in range(16)
    )
    seeds = ",".join(map(str, range(16)))
    together = command("sweep", *SMALL, f"--seed={seeds}", f"--output_dir={output}/sweep")
    yield "16 small commands, one after the other (s)", f"{alone:.0f}"
    yield "the same as a sweep, a core each (s)", f"{together:.0f}"
    yield "ratio", f"{alone / together:.2f}×"


def pieces(folder):
    """How fast trials are handed out, by trials that do nothing; how soon the first begins."""
    runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    from network_pruning.sweeps import engine, ray_connection

    program = folder / "nothing"
    (program / "cli").mkdir(parents=True)
    (program / "cli/trial.py").touch()
    answer = "print('network-pruning', sys.argv[-1] == '--version' and VERSION)"
    said = f"import sys; VERSION = {engine.__version__!r}; {answer} if len(sys.argv) > 2 else None"
    (program / "__main__.py").write_text(said)
    engine.PACKAGE_DIR = program
    ray_connection.check_installed()
    place = folder / "pieces"
    place.mkdir()
    times = []
    begun = time.perf_counter()
    engine.run(
        engine.Job(
            request={},
            place=place,
            output_dir=place,
            cpus=1,
            gpus=0.0,
            address="local",
            trials=[{"number": number} for number in range(NOTHING)],
        ),
        lambda event: times.append((time.perf_counter() - begun, event["state"])),
    )
    started = [at for at, state in times if state == "running"]
    ended = [at for at, state in times if state == "finished"]
    yield "from the command to the first trial (s)", f"{started[0]:.1f}"
    rate = (len(ended) - 1) / (ended[-1] - ended[0])
    yield f"trials that do nothing, on {CORES} cores (1/s)", f"{rate:.1f}"


def bytes_of(place):
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def spread(values):
    """The median, and the range in brackets."""
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


if __name__ == "__main__":
    main()
