"""The index page of all experiments in a folder, an entry for each; without TensorFlow."""

import contextlib
import json
import math
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from .. import __version__
from ..experiments import finished, folder, lock
from ..experiments.finished import FAILURES
from ..experiments.paths import ArtifactPaths
from ..settings.files import short_name
from ..sweeps.paths import STOPPED, read_record, sweeps_of
from ..utils import RunError, echo, fingerprint, one_line, remove_temporary_files, write_text
from ..visualization import csv
from ..visualization.controls import control_of, is_control, trained_alike
from ..visualization.tables import baseline_of
from . import rendering
from .experiment_page import COMPARED
from .settings_table import described_settings
from .tables import curves

INDEX = "index.html"
LOCK = ".index.lock"
# Earlier entries, with digests of what they were made of.
CACHE = ".index.json"
# The format of entries within a version of the package; entries of other formats are made again.
ENTRIES = 4


def write_index(output_dir: str | PathLike) -> Path:
    """Writes `index.html`, the page of all experiments in a folder.

    One process at a time reads and writes, so that of two that end at once the later one sees both.

    Returns:
        The path.

    Raises:
        RunError: if it cannot be written.
    """
    import filelock

    root = Path(output_dir).expanduser()
    with _writing(root), filelock.FileLock(root / LOCK, timeout=60):
        for place in (root, root / rendering.ASSETS):
            remove_temporary_files(place)  # of runs that were killed
        rendering.write_assets(root)
        cache = _read_cache(root)
        write_text(root / INDEX, rendering.index(index_data(root, cache)))
        write_text(root / CACHE, json.dumps(cache) + "\n")
    return root / INDEX


@contextlib.contextmanager
def _writing(root):
    import filelock

    try:
        yield
    except filelock.Timeout:
        raise RunError(f"{root / INDEX} has been locked by another run for a minute.") from None
    except OSError as error:
        raise RunError(f"{root} cannot be written to ({error.strerror or error}).") from error


def try_to_write_index(output_dir: str | PathLike) -> None:
    """Writes `index.html` after a run; a failure is only a warning, because the results exist."""
    try:
        echo(f"Pages to browse: {write_index(output_dir)}")
    except FAILURES as error:
        echo(f"Warning: the page of all experiments could not be written ({error}).")


def index_data(root: Path, cache: dict[str, Any]) -> dict[str, Any]:
    """The contents of the page, as JSON-ready values."""
    entries = entries_of(root, cache)
    counts = {}
    for entry in entries:
        counts[entry["state"]] = counts.get(entry["state"], 0) + 1
    return {
        "entries": entries,
        "counts": counts,
        "datasets": sorted({entry["dataset"] for entry in entries if entry.get("dataset")}),
        "sweeps": _sweeps(root),
        "models": sorted({entry["model"] for entry in entries if entry.get("model")}),
        "written": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
    }


def _sweeps(root):
    """An entry for every sweep, the latest first."""
    found = sorted(sweeps_of(root), key=lambda paths: -paths.record.stat().st_mtime)
    if not found:
        return []
    from . import sweep_page

    return [sweep_page.entry_of(paths) for paths in found]


def entries_of(root: Path, cache: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """An entry for every experiment in a folder, the latest first; broken and unfinished ones too.

    Args:
        root: the folder.
        cache: earlier entries by name, to which new ones are added; None for those that are kept in
            the folder.
    """
    cache = _read_cache(root) if cache is None else cache
    found = [{**entry_of(paths, cache), "when": _when(paths)} for paths in experiments_of(root)]
    stopped = stopped_trials(root)
    for entry in found:
        if entry["state"] == "unfinished" and entry["name"] in stopped:
            note = f"Stopped early as unpromising by the sweep {stopped[entry['name']]}."
            entry |= {"state": "stopped", "note": note}
    return sorted(found, key=lambda entry: -entry["when"])


def stopped_trials(root: Path) -> dict[str, str]:
    """The experiments that sweeps have stopped early: by name, the sweep's name."""
    found = {}
    for paths in sweeps_of(root):
        with contextlib.suppress(*FAILURES):
            record: Any = read_record(paths)
            for trial in record["trials"]:
                if trial["state"] == STOPPED:
                    found[trial["experiment_id"]] = paths.root.name
    return found


def experiments_of(root: Path) -> list[ArtifactPaths]:
    """The `ArtifactPaths` of all experiments in a folder, by name."""
    every = (ArtifactPaths(place) for place in sorted(Path(root).glob("*/")))
    return [p for p in every if p.config.exists() or p.replicates.is_dir()]


def _read_cache(root):
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((Path(root) / CACHE).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def entry_of(paths: ArtifactPaths, cache: dict[str, Any]) -> dict[str, Any]:
    """The entry of one experiment; never fails."""
    about = {
        "name": paths.root.name,
        "href": f"{paths.root.name}/report.html" if paths.report.exists() else None,
        "dataset": None,
        "model": None,
        "settings": {},
        "curves": [],
        "dense": None,
        "best": {},
        "bytes": None,
        "seeds": None,
        "note": None,
    }
    try:
        found = _remembered(paths, cache)
    except FAILURES as error:
        found = {"state": "broken", "note": one_line(error, 200), "href": None}
    if lock.is_held(paths):
        found = {**found, "state": "running", "note": "A run was using it."}
    return {**about, **found}


def _remembered(paths, cache):
    """The cached entry if it was made of the same files, else a new one."""
    seeds = [single.export_record for single in paths.seeds().values()]
    files = (paths.config, paths.metrics, paths.export_record, paths.summary, *seeds)
    contents = [file.read_bytes() if file.exists() else b"-" for file in files]
    made_of = fingerprint(b"".join((f"{__version__}, entries {ENTRIES}".encode(), *contents)))
    with contextlib.suppress(*FAILURES):
        if cache[paths.root.name]["made_of"] == made_of:
            return cache[paths.root.name]["entry"]
    entry = _made(paths)
    cache[paths.root.name] = {"made_of": made_of, "entry": entry}
    return entry


def _made(paths):
    record = folder.read_record(paths)
    rows = finished.networks_of_record(paths, record) if record else None
    summary = finished.summary_of(paths)
    settings = record["settings"] if record else finished.settings_of_seeds(paths)
    about = {
        "dataset": short_name(settings["dataset"]),
        "model": short_name(settings.get("model", "mlp")),
        "settings": {row["flag"]: row["value"] for row in described_settings(settings)},
        "bytes": finished.smallest_file(paths),
        "seeds": len(paths.seeds()) or None,
    }
    shown = rows if summary is None else csv.means_of(summary)
    if shown is None:
        return {**about, "state": "unfinished", "note": "Run its command again to continue."}
    dense = baseline_of(shown)
    if not math.isfinite(dense["test_accuracy"]):
        raise RunError("its table has no test accuracy of the dense network")
    return {
        **about,
        "state": "finished",
        "dense": float(dense["test_accuracy"]),
        "best": {str(k): _best(shown, k) for k in COMPARED},
        "curves": [
            {
                name: curve[name]
                for name in ("method", "floor", "k", "sparsity", "ratio", "accuracy")
            }
            for curve in curves(shown)
        ],
    }


def _best(rows, k):
    """The best network at a sparsity, without random pruning, and its control if it was retrained;
    None if there is none."""
    best = finished.best_at(rows[rows["criterion"] != "random"], k)
    if best is None:
        return None
    alike, control = trained_alike(rows[rows["method"] == best["method"]], best), None
    if is_control(alike).any():
        control = float(control_of(alike, best["method"])["test_accuracy"])
    return {
        "accuracy": float(best["test_accuracy"]),
        "method": best["method"],
        "control": control,
    }


def _when(paths):
    """Seconds since 1970 of the last result."""
    times = [f.stat().st_mtime for f in (paths.metrics, paths.summary, paths.config) if f.exists()]
    return round(max(times, default=0.0))
