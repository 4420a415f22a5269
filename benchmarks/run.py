"""Measures this program against the plain one, PyTorch and the machine's limit: `make bench`.

All programs run alternately on one otherwise idle machine; medians with their range go to
`benchmarks/results.md`. About twenty minutes.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
PACKAGE = BENCHMARKS.parent
EPOCHS, ROUNDS = 3, 3
MANY = ",".join(f"{k / 48:.4f}" for k in range(48))


def measure(*command):
    """Runs a command; returns its last line of output as JSON, the seconds and the peak memory."""
    with tempfile.TemporaryFile("w+") as output:
        begun = time.perf_counter()
        process = subprocess.Popen([sys.executable, *map(str, command)], stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        output.seek(0)
        lines = output.read().splitlines()
    last = lines[-1] if lines and lines[-1].startswith("{") else "{}"
    if status and "--help" not in command and "--epochs=0" not in command:
        raise SystemExit(f"{command} failed with status {status}")
    return json.loads(last), seconds, usage.ru_maxrss / 1024


class Table:
    """Rows of ours against theirs, each a list of seconds (or MB) from alternating runs."""

    def __init__(self):
        self.rows = []

    def add(self, what, ours, theirs, against, target, better="ratio"):
        ratio = statistics.median(ours) / statistics.median(theirs)
        met = ratio <= target if better == "ratio" else 1 / ratio >= target
        shown = f"{ratio:.2f}×" if better == "ratio" else f"{1 / ratio:.1f}× faster"
        goal = f"≤ {target}×" if better == "ratio" else f"≥ {target}× faster"
        self.rows.append((what, spread(ours), against, spread(theirs), shown, goal, met))
        print(self.rows[-1], flush=True)


def spread(values):
    """The median, and the range in brackets."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}–{max(values):.3g})"


def bench_start(table):
    """`--help` and a bad flag against the import of absl."""
    seconds = {"absl": [], "help": [], "bad flag": []}
    for _ in range(9):
        seconds["absl"].append(measure("-c", "import absl.app")[1])
        seconds["help"].append(measure(PACKAGE, "--help")[1])
        seconds["bad flag"].append(measure(PACKAGE, "--epochs=0")[1])
    for what in ("help", "bad flag"):
        table.add(f"{what} (s)", seconds[what], seconds["absl"], "import absl.app", 2)


def bench_epochs(table, folder, data):
    """Epochs after the first, in which everything is compiled."""
    seconds = {"ours": [], "torch": [], "plain": [], "sgemm": []}
    evaluation = []
    for _ in range(ROUNDS):
        shutil.rmtree(folder / "e", ignore_errors=True)
        flags = (f"--output_dir={folder}", "--experiment_id=e", "--k_vals=0")
        ours = measure(BENCHMARKS / "ours.py", f"--epochs={EPOCHS}", *flags)[0]
        seconds["ours"] += ours["epochs"][1:]
        torch = measure(BENCHMARKS / "torch_twin.py", data, EPOCHS)[0]
        seconds["torch"] += torch["epochs"][1:]
        plain = measure(BENCHMARKS / "plain_keras.py", "train", folder, data, EPOCHS)[0]
        seconds["plain"] += plain["epochs"][1:]
        limit = measure(BENCHMARKS / "torch_twin.py", data, "sgemm")[0]
        seconds["sgemm"].append(limit["epoch"])
        evaluation.append(limit["evaluation"])
    table.add("one epoch (s)", seconds["ours"], seconds["torch"], "PyTorch, fused Adam", 1.0)
    table.add("one epoch (s)", seconds["ours"], seconds["sgemm"], "sgemm limit", 1.35)
    table.add("one epoch (s)", seconds["ours"], seconds["plain"], "plain Keras", 1.0, "faster")
    return evaluation


def bench_job(table, folder, data, evaluation):
    """The whole main job once, then its pruning phase alone."""
    whole = folder / "whole"
    whole.mkdir()
    flags = (f"--output_dir={folder}", "--experiment_id=job")
    _, ours, our_memory = measure(PACKAGE, *flags)
    command = (BENCHMARKS / "plain_keras.py", "train+prune", whole, data)
    measured, plain, plain_memory = measure(*command)
    table.add("the whole main job (s)", [ours], [plain], "plain Keras", 2.2, "faster")
    table.add("its peak memory (MB)", [our_memory], [plain_memory], "plain Keras", 0.75)
    seconds = {"ours": [], "plain": [measured["prune"]], "many": []}
    for number in range(ROUNDS):
        seconds["ours"].append(measure(BENCHMARKS / "ours.py", *flags)[0]["prune"])
        many = (*flags, f"--k_vals={MANY}")
        seconds["many"].append(measure(BENCHMARKS / "ours.py", *many)[0]["prune"])
        if number == 1:  # it takes minutes
            command = (BENCHMARKS / "plain_keras.py", "prune", whole, data)
            seconds["plain"].append(measure(*command)[0]["prune"])
    limit = [24 * value for value in evaluation]
    table.add(
        "pruning, 12 k × 2 (s)", seconds["ours"], seconds["plain"], "plain Keras", 12, "faster"
    )
    table.add("pruning, 12 k × 2 (s)", seconds["ours"], limit, "24 evaluations, sgemm", 1.0)
    table.add("pruning, 48 k × 2 (s)", seconds["many"], seconds["ours"], "12 k × 2", 4.0)


def write(table):
    """The table as Markdown."""
    packages = ("tensorflow", "keras", "torch", "numpy", "matplotlib")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines = [
        f"Measured on {date.today()} on {processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {versions}. Medians (range) of alternating runs.\n",
        "| what | ours | against | theirs | ratio | target | met |",
        "| --- | ---: | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {what} | {ours} | {against} | {theirs} | {shown} | {goal} | {'yes' if met else 'no'} |"
        for what, ours, against, theirs, shown, goal, met in table.rows
    ]
    (BENCHMARKS / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def processor():
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def main():
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else default_data()
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        bench_start(table)
        evaluation = bench_epochs(table, Path(folder), data)
        bench_job(table, Path(folder), data, evaluation)
    write(table)


def default_data():
    """Where the program keeps its data."""
    import platformdirs

    cache = platformdirs.user_cache_dir("network-pruning")
    return Path(os.environ.get("NETWORK_PRUNING_DATA") or cache)


if __name__ == "__main__":
    main()
