"""The page over all experiments of a folder: a card for each; without TensorFlow."""

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
# Cards as they were made, with digests of what they were made of.
MEMORY = ".index.json"
# What cards are made of has changed so often within a version: others are made anew.
CARDS = 3


def write_index(output_dir: str | PathLike) -> Path:
    """Writes `index.html` over all experiments in a folder.

    One process at a time looks and writes, so that of two that end at once the later one sees both.

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
        memory = _memory(root)
        write_text(root / INDEX, rendering.index(gallery_of(root, memory)))
        write_text(root / MEMORY, json.dumps(memory) + "\n")
    return root / INDEX


@contextlib.contextmanager
def _writing(root):
    import filelock

    try:
        yield
    except filelock.Timeout:
        raise RunError(f"{root / INDEX} is being written by another run for a minute.") from None
    except OSError as error:
        raise RunError(f"{root} cannot be written to ({error.strerror or error}).") from error


def try_to_write_index(output_dir: str | PathLike) -> None:
    """The same after a run, whose results stand without a page; a failure is said."""
    try:
        echo(f"Pages to browse: {write_index(output_dir)}")
    except FAILURES as error:
        echo(f"Warning: the page over all experiments could not be written ({error}).")


def gallery_of(root: Path, memory: dict[str, Any]) -> dict[str, Any]:
    """What the page shows, as JSON takes it."""
    cards = cards_of(root, memory)
    counts = {}
    for card in cards:
        counts[card["state"]] = counts.get(card["state"], 0) + 1
    return {
        "cards": cards,
        "counts": counts,
        "datasets": sorted({card["dataset"] for card in cards if card.get("dataset")}),
        "sweeps": _sweeps(root),
        "models": sorted({card["model"] for card in cards if card.get("model")}),
        "written": f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
    }


def _sweeps(root):
    """What there is to say of every sweep, the latest first."""
    found = sorted(sweeps_of(root), key=lambda paths: -paths.record.stat().st_mtime)
    if not found:
        return []
    from . import sweep_page

    return [sweep_page.card_of(paths) for paths in found]


def cards_of(root: Path, memory: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A card for every experiment in a folder, the latest first; broken and unfinished ones too.

    Args:
        root: the folder.
        memory: cards made before, by name; what is made now joins it. None for those that are kept
            in the folder.
    """
    memory = _memory(root) if memory is None else memory
    found = [{**card_of(paths, memory), "when": _when(paths)} for paths in experiments_of(root)]
    stopped = stopped_trials(root)
    for card in found:
        if card["state"] == "unfinished" and card["name"] in stopped:
            note = f"The sweep {stopped[card['name']]} stopped it early as hopeless."
            card |= {"state": "stopped", "note": note}
    return sorted(found, key=lambda card: -card["when"])


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


def _memory(root):
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((Path(root) / MEMORY).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def card_of(paths: ArtifactPaths, memory: dict[str, Any]) -> dict[str, Any]:
    """What there is to say of one experiment; never fails."""
    about = {
        "name": paths.root.name,
        "href": f"{paths.root.name}/report.html" if paths.report.exists() else None,
        "dataset": None,
        "model": None,
        "settings": {},
        "curves": [],
        "dense": None,
        "told": {},
        "bytes": None,
        "seeds": None,
        "note": None,
    }
    try:
        found = _remembered(paths, memory)
    except FAILURES as error:
        found = {"state": "broken", "note": one_line(error, 200), "href": None}
    if lock.is_held(paths):
        found = {**found, "state": "running", "note": "Somebody was working on it."}
    return {**about, **found}


def _remembered(paths, memory):
    """The card as it was made before of the same files, or made now."""
    seeds = [single.export_record for single in paths.seeds().values()]
    files = (paths.config, paths.metrics, paths.export_record, paths.summary, *seeds)
    contents = [file.read_bytes() if file.exists() else b"-" for file in files]
    made_of = fingerprint(b"".join((f"{__version__}, cards {CARDS}".encode(), *contents)))
    with contextlib.suppress(*FAILURES):
        if memory[paths.root.name]["made_of"] == made_of:
            return memory[paths.root.name]["card"]
    card = _made(paths)
    memory[paths.root.name] = {"made_of": made_of, "card": card}
    return card


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
        return {**about, "state": "unfinished", "note": "Its command, given again, goes on."}
    dense = baseline_of(shown)
    if not math.isfinite(dense["test_accuracy"]):
        raise RunError("its table has no test accuracy of the dense network")
    return {
        **about,
        "state": "finished",
        "dense": float(dense["test_accuracy"]),
        "told": {str(k): _best(shown, k) for k in COMPARED},
        "curves": [
            {
                name: curve[name]
                for name in ("method", "floor", "k", "sparsity", "ratio", "accuracy")
            }
            for curve in curves(shown)
        ],
    }


def _best(rows, k):
    """What a card shows of the best network at a sparsity, random pruning left out, and of its
    control where it was retrained; None for none."""
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
