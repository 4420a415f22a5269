"""Measures this program against the plain one, PyTorch and the machine's limit: `make bench`.

All programs run alternately on one otherwise idle machine; so does the version of this program
before its retraining and its reruns were made faster, taken from the repository's history.

The seconds go to `benchmarks/results.json`, medians with their range to `results.md` and
`docs/speed.md`, a picture of the ratios to `results.png`. Three quarters of an hour; `run.py start
epochs` measures these stages only.
"""

import dataclasses
import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from plain_keras import K_VALS
from plot import save_plot

BENCHMARKS = Path(__file__).resolve().parent
PACKAGE = BENCHMARKS.parent
RESULTS = BENCHMARKS / "results.json"
START, END = "<!-- speed: start -->\n", "<!-- speed: end -->\n"
EPOCHS, ROUNDS, JOBS = 3, 3, 2
# Four times as many, distributed as the twelve are: they cost the same each.
TWELVE = ",".join(map(str, K_VALS))
MANY = ",".join(f"{k + shift:.4f}" for k in K_VALS for shift in (0, 1e-4, 2e-4, 3e-4))


@dataclass(frozen=True)
class Run:
    """What one run of a program printed and took; `memory` is its peak in MB."""

    printed: dict
    seconds: float
    memory: float


def measure(*command, status=0, **environment):
    """Runs a Python command, whose last line of output may be a JSON object."""
    with tempfile.TemporaryFile("w+") as output:
        begun = time.perf_counter()
        words, env = [sys.executable, *map(str, command)], {**os.environ, **environment}
        process = subprocess.Popen(words, stdout=output, env=env)
        _, ended, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        output.seek(0)
        lines = output.read().splitlines()
    if os.waitstatus_to_exitcode(ended) != status:
        raise SystemExit(f"{command} failed")
    last = lines[-1] if lines and lines[-1].startswith("{") else "{}"
    return Run(json.loads(last), seconds, usage.ru_maxrss / 1024)


@dataclass(frozen=True)
class Row:
    """Ours against theirs, each a list of seconds (or MB); `target` is the ratio to stay below."""

    what: str
    ours: list
    against: str
    theirs: list
    target: float

    @property
    def ratio(self):
        return statistics.median(self.ours) / statistics.median(self.theirs)

    def markdown(self):
        met = "yes" if self.ratio <= self.target else "no"
        faster = self.target < 0.72
        ratio, target = (shown(value, faster) for value in (self.ratio, self.target))
        ratios = f"{ratio} | {'≥' if faster else '≤'} {target}"
        ours, theirs = spread(self.ours), spread(self.theirs)
        return f"| {self.what} | {ours} | {self.against} | {theirs} | {ratios} | {met} |"


def shown(ratio, faster):
    """0.5 as "2.0× faster", where that is the aim, or as it is."""
    return f"{1 / ratio:.1f}× faster" if faster else f"{ratio:.2f}×"


def spread(values):
    """The median, and the range in brackets."""
    digits = 0 if statistics.median(values) >= 100 else 2
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def start(_folder, _data):
    """`--help` and a bad flag against the import of absl."""
    absl, help_, bad = [], [], []
    for _ in range(9):
        absl.append(measure("-c", "import absl.app").seconds)
        help_.append(measure(PACKAGE, "train", "--help").seconds)
        bad.append(measure(PACKAGE, "--epochs=0", status=2).seconds)
    yield Row("`train --help` (s)", help_, "import absl.app", absl, 1.6)
    yield Row("a bad flag (s)", bad, "import absl.app", absl, 2)


def epochs(folder, data):
    """Epochs after the first, in which everything is compiled."""
    ours, torch, plain, sgemm = [], [], [], []
    for _ in range(ROUNDS):
        shutil.rmtree(folder / "e", ignore_errors=True)
        flags = (f"--epochs={EPOCHS}", f"--output_dir={folder}", "--experiment_id=e", "--k_vals=0")
        ours += measure(BENCHMARKS / "ours.py", *flags).printed["epochs"][1:]
        torch += measure(BENCHMARKS / "torch_twin.py", data, EPOCHS).printed["epochs"][1:]
        command = (BENCHMARKS / "plain_keras.py", "train", folder, data, EPOCHS)
        plain += measure(*command).printed["epochs"][1:]
        sgemm.append(measure(BENCHMARKS / "sgemm.py").printed["epoch"])
    yield Row("one epoch (s)", ours, "PyTorch, fused Adam", torch, 1)
    yield Row("one epoch (s)", ours, "sgemm alone", sgemm, 1.35)
    yield Row("one epoch (s)", ours, "plain Keras", plain, 1)


def jobs(folder, data):
    """The whole main job, then its pruning phase alone, then more values of `k`."""
    whole, flags = folder / "whole", (f"--output_dir={folder}", "--experiment_id=job")
    known = folder / "job" / "metrics.csv"
    whole.mkdir()
    ours, plain = [], []
    for _ in range(JOBS):
        shutil.rmtree(folder / "job", ignore_errors=True)
        ours.append(measure(PACKAGE, *flags))
        plain.append(measure(BENCHMARKS / "plain_keras.py", "train+prune", whole, data))
    yield Row("whole job (s)", *_both(ours, "plain Keras", plain, "seconds"), 1 / 2.2)
    yield Row("its peak memory (MB)", *_both(ours, "plain Keras", plain, "memory"), 0.75)
    again, afresh, few, many, limit = [], [], [], [], []
    for _ in range(ROUNDS):
        again.append(measure(BENCHMARKS / "ours.py", *flags).printed["prune"])
        known.unlink()
        afresh.append(measure(BENCHMARKS / "ours.py", *flags).printed["prune"])
        limit.append(24 * measure(BENCHMARKS / "sgemm.py").printed["evaluation"])
        for k_vals, runs in ((TWELVE, few), (MANY, many)):
            known.unlink()
            command = (BENCHMARKS / "ours.py", "--in_turn", *flags, f"--k_vals={k_vals}")
            runs.append(measure(*command))
    pruning = [run.printed["prune"] for run in plain]
    yield Row("rerun, 12 `k` × 2 (s)", again, "plain Keras", pruning, 1 / 12)
    yield Row("rerun, 12 `k` × 2 (s)", again, "sgemm of 24 tests", limit, 1)
    yield Row("the same, nothing kept (s)", afresh, "plain Keras, test only", pruning, 1 / 12)
    yield Row("the same, nothing kept (s)", afresh, "sgemm of 24 tests", limit, 1)
    for stage in ("evaluate", "draw"):
        seconds = [[run.printed[stage][0] for run in runs] for runs in (many, few)]
        yield Row(f"48 `k`: {stage} (s)", seconds[0], "12 `k`", seconds[1], 4)
    yield Row("48 `k`: memory (MB)", *_both(many, "12 `k`", few, "memory"), 1.1)


# The last version that scored whole networks while retraining, and imported TensorFlow to draw.
EARLIER = "919c5de"
# The preset `strong` as it was then: the same work for both versions.
RETRAINING = (
    "--methods=weight/obd/global/gradual/finetune",
    "--prune_epochs=8",
    "--finetune_epochs=12",
    "--distillation=0.5",
    "--shift=1",
    "--k_vals=0.95,0.99,0.995,0.998,0.999",
)


def earlier(folder, _data):
    """Reruns that only draw, and retraining from 95 to 99.9 %, against the earlier version."""
    programs = {"ours": PACKAGE, "theirs": _version(EARLIER, folder / "network_pruning")}
    flags = {name: (f"--output_dir={folder / name}", "--epochs=1") for name in programs}
    for name, program in programs.items():
        measure(program, *flags[name])
    reruns = {name: [] for name in programs}
    for _ in range(5):
        for name, program in programs.items():
            reruns[name].append(measure(program, *flags[name]).seconds)
    yield Row("a rerun that only draws (s)", *_against_earlier(reruns), 1 / 2.5)
    retraining = {name: [] for name in programs}
    for number in range(JOBS):
        for name, program in programs.items():
            again = (*flags[name], *RETRAINING, f"--experiment_id=strong-{number}")
            measure(program, *again)
            rows = pd.read_csv(folder / name / f"strong-{number}" / "metrics.csv")
            rows = rows[(rows["schedule"] == "gradual") & (rows["k"] > 0.95)]
            retraining[name].append(float(rows["seconds"].sum()))
    yield Row("strong, 95 to 99.9 % (s)", *_against_earlier(retraining), 1 / 1.4)


def _against_earlier(seconds):
    return seconds["ours"], "this program before", seconds["theirs"]


# The last version that knew networks of dense layers only.
BEFORE_OWN_MODELS = "3f5e382"


def own(folder, _data):
    """The reference network, against the version before any model could be taken."""
    before = _version(BEFORE_OWN_MODELS, folder / "network_pruning")
    programs = {"ours": BENCHMARKS, "theirs": before / "benchmarks"}
    epochs, reruns = ({name: [] for name in programs} for _ in range(2))
    for number in range(ROUNDS):
        for name, program in programs.items():
            flags = (f"--output_dir={folder / name}", f"--experiment_id={number}")
            done = measure(program / "ours.py", *flags, f"--epochs={EPOCHS}")
            epochs[name] += done.printed["epochs"][1:]
    for _ in range(3 * ROUNDS):
        for name, program in programs.items():
            flags = (f"--output_dir={folder / name}", "--experiment_id=0", f"--epochs={EPOCHS}")
            reruns[name].append(measure(program.parent, *flags).seconds)
    against = "before own models"
    yield Row("one epoch (s)", epochs["ours"], against, epochs["theirs"], 1.03)
    yield Row("a rerun that only draws (s)", reruns["ours"], against, reruns["theirs"], 1.03)


def callback(_folder, _data):
    """Epochs of Keras' `fit` after the first, with the callback that prunes and without."""
    for backend, target in (("tensorflow", 1.05), ("jax", 1.1), ("torch", 1.05)):
        seconds = measure(BENCHMARKS / "fit.py", KERAS_BACKEND=backend).printed
        what = f"`fit` with `Pruning`, {backend} (s)"
        yield Row(what, seconds["pruning"], "`fit`", seconds["plain"], target)


def large(_folder, _data):
    """One-shot pruning of many weights, against the selection in NumPy that it needs."""
    for backend in ("tensorflow", "jax", "torch"):
        seconds = measure(BENCHMARKS / "large.py", KERAS_BACKEND=backend).printed
        what = f"`prune` of 100 M weights, {backend} (s)"
        yield Row(what, seconds["prune"], "np.partition", seconds["partition"], 3)


def runtimes(_folder, _data):
    """What is exported against the dense network: in the same runtime and in that in which the
    dense network is fastest, then with fewer units, last in Keras."""
    found = measure(BENCHMARKS / "runtimes.py").printed
    for batch, times in found.items():
        small = {name: each for name, each in times.items() if name.startswith("exported")}
        best = min(small, key=lambda name: statistics.median(small[name]))
        dense = {name: each for name, each in times.items() if name.startswith("dense")}
        fastest = min(dense, key=lambda name: statistics.median(dense[name]))
        what = f"{best}, batch {batch} (ms)"
        for against in dict.fromkeys((best.replace("exported", "dense"), fastest)):
            if against in dense:
                yield Row(what, small[best], against, dense[against], 1)
        for runtime in ("Keras compiled", "LiteRT", "NumPy"):
            name, against = f"fewer units, {runtime}", f"dense, {runtime}"
            target = 1 / 8 if batch != "1" else 1
            fewer = f"80 % of units removed, {runtime}, batch {batch} (ms)"
            yield Row(fewer, times[name], against, times[against], target)
        for runtime, target in (("Keras compiled", 1 / 8), ("Keras predict", 1 / 100)):
            yield Row(what, small[best], f"dense, {runtime}", times[f"dense, {runtime}"], target)
    memory = {
        which: [measure(BENCHMARKS / "runtimes.py", "--memory", which).memory for _ in range(3)]
        for which in ("dense", "shrunk", "NumPy")
    }
    dense = "dense, Keras predict", memory["dense"]
    yield Row("exported, Keras: peak memory (MB)", memory["shrunk"], *dense, 1)
    yield Row("exported, NumPy: peak memory (MB)", memory["NumPy"], *dense, 0.75)


def _version(commit, folder):
    """The program as it was, from the repository's history, in `folder`."""
    command = ("git", "-C", str(PACKAGE), "archive", commit)
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def _both(ours, against, theirs, value):
    return [getattr(run, value) for run in ours], against, [getattr(run, value) for run in theirs]


def machine():
    """Where and with what this was measured."""
    packages = ("tensorflow", "jax", "torch", "keras", "numpy", "matplotlib")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"Measured on {date.today()} on {processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {versions}. Medians (range) of alternating runs."
    )


def processor():
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def default_data():
    """Where the program keeps its data."""
    import platformdirs

    cache = platformdirs.user_cache_dir("network-pruning")
    return Path(os.environ.get("NETWORK_PRUNING_DATA") or cache)


def main():
    names = sys.argv[1:] or list(STAGES)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            rows = []
            for row in STAGES[name](Path(folder), default_data()):
                rows.append(row)
                print(row.markdown(), flush=True)
            results[name] = {"measured": machine(), "rows": [dataclasses.asdict(r) for r in rows]}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    report(results)


def report(results):
    """Writes table and picture of what has been measured, and puts the table into its page.

    A stage that has never been measured is left out.
    """
    measured = [results[name] for name in STAGES if name in results]
    rows = [Row(**row) for result in measured for row in result["rows"]]
    places = sorted({result["measured"] for result in measured})
    lines = [
        *(f"{place}\n" for place in places),
        "| what | ours | against | theirs | ratio | target | met |",
        "| --- | ---: | --- | ---: | ---: | ---: | --- |",
        *(row.markdown() for row in rows),
    ]
    text = "\n".join(lines) + "\n"
    (BENCHMARKS / "results.md").write_text(text, encoding="utf-8")
    save_plot(rows, BENCHMARKS / "results.png")
    put_into_page(text, PACKAGE / "docs" / "speed.md", START, END)


STAGES = {
    "start": start,
    "epochs": epochs,
    "jobs": jobs,
    "earlier": earlier,
    "own": own,
    "callback": callback,
    "large": large,
    "runtimes": runtimes,
}


def put_into_page(text, page, start, end):
    """Replaces what stands between the marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    page.write_text(before + start + text + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
