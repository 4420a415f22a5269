"""The paths of one sweep's files, and its record of trials: `sweeps/<sweep_id>/` of the output
folder. The trials themselves are ordinary experiments beside `sweeps/`."""

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from ..experiments.paths import Place
from ..utils import RunError, write_text

# The states of a trial.
WAITING, RUNNING, FINISHED, STOPPED, FAILED = "waiting", "running", "finished", "stopped", "failed"


@dataclass(frozen=True)
class SweepPaths:
    """The paths of one sweep's files: attributes for single ones, a method for logs of trials."""

    root: Path

    record = Place("sweep.json")  # the settings of the sweep, and the state of each trial
    lock = Place(".lock")
    summary = Place("summary.csv")  # every trial and sparsity, a row each
    importance = Place("importance.csv")  # of each setting
    settings_figure = Place("settings.png")
    curves_figure = Place("curves.png")
    report = Place("report.html")
    engine = Place(".engine")  # Ray Tune's own files

    @classmethod
    def of(cls, output_dir: str | PathLike, sweep_id: str) -> "SweepPaths":
        return cls(Path(output_dir).expanduser().resolve() / "sweeps" / sweep_id)

    @property
    def output_dir(self) -> Path:
        """The folder of the experiments."""
        return self.root.parent.parent

    def log(self, experiment_id: str) -> Path:
        """The output of a trial."""
        return self.root / "logs" / f"{experiment_id}.txt"


def read_record(paths: SweepPaths) -> dict[str, Any] | None:
    """The record of a sweep, or None if there is none yet.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        record = json.loads(paths.record.read_text(encoding="utf-8"))
        for trial in record["trials"]:
            trial["experiment_id"], trial["settings"], trial["state"]
        return record
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{paths.record} is damaged, so the states of the trials are not known. Remove it: "
            "finished experiments are kept, and the same command finds them."
        ) from error


def write_record(paths: SweepPaths, record: dict[str, Any]) -> None:
    write_text(paths.record, json.dumps(record, indent=1) + "\n")


def sweeps_of(output_dir: str | PathLike) -> list[SweepPaths]:
    """The `SweepPaths` of all sweeps in an output folder, by name."""
    every = (SweepPaths(place) for place in sorted(Path(output_dir).glob("sweeps/*/")))
    return [paths for paths in every if paths.record.exists()]
