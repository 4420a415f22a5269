"""Where one sweep keeps its files, and its record of trials: `sweeps/<sweep_id>/` of the output
folder. The trials themselves are ordinary experiments beside `sweeps/`."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..utils import RunError, write_text

# What may become of a trial.
WAITING, RUNNING, FINISHED, STOPPED, FAILED = "waiting", "running", "finished", "stopped", "failed"


@dataclass(frozen=True)
class SweepPaths:
    """Where one sweep keeps its files: one method or property per artifact."""

    root: Path

    @classmethod
    def of(cls, output_dir, sweep_id):
        return cls(Path(output_dir).expanduser().resolve() / "sweeps" / sweep_id)

    @property
    def output_dir(self):
        """Where the experiments are."""
        return self.root.parent.parent

    @property
    def record(self):
        """The settings of the sweep, and what became of each trial."""
        return self.root / "sweep.json"

    @property
    def summary(self):
        """Every trial and sparsity, a row each."""
        return self.root / "summary.csv"

    @property
    def importance(self):
        """How much each setting explains."""
        return self.root / "importance.csv"

    @property
    def settings_figure(self):
        return self.root / "settings.png"

    @property
    def curves_figure(self):
        return self.root / "curves.png"

    @property
    def report(self):
        return self.root / "report.html"

    @property
    def lock(self):
        return self.root / ".lock"

    def log(self, experiment_id):
        """What a trial has said."""
        return self.root / "logs" / f"{experiment_id}.txt"

    def holder(self, experiment_id):
        """Which process worked on a trial last."""
        return self.root / "logs" / f".{experiment_id}.holder"

    @property
    def engine(self):
        """What Ray Tune writes."""
        return self.root / ".engine"


def read_record(paths):
    """The record of a sweep, or None if there is none yet.

    Raises:
        RunError: if it cannot be understood.
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
            f"{paths.record} is damaged, so nobody knows what became of the trials. Remove it: "
            "finished experiments are kept, and the same command finds them."
        ) from error


def write_record(paths, record):
    write_text(paths.record, json.dumps(record, indent=1) + "\n")


def sweeps_of(output_dir):
    """The `SweepPaths` of all sweeps in an output folder, by name."""
    every = (SweepPaths(place) for place in sorted(Path(output_dir).glob("sweeps/*/")))
    return [paths for paths in every if paths.record.exists()]
