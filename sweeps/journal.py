"""The record of a sweep while it runs: the state of each trial."""

import contextlib
import dataclasses
import datetime
import json
import platform
import threading
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..data import files, registry
from ..experiments import comparison, folder
from ..experiments.finished import FAILURES
from ..experiments.paths import ArtifactPaths
from ..pruning.methods import REFERENCE
from ..settings.stored import differences
from ..utils import RunError, UsageError
from ..visualization import csv
from . import objectives, screen, tables
from .paths import (
    FAILED,
    FINISHED,
    RUNNING,
    STOPPED,
    WAITING,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig
    from ..settings.sweep import SweepConfig
    from .paths import SweepPaths


# While trials run, the record is written at most every so many seconds; at the end of a trial at
# once, unless there are very many.
EVERY_S, TRIALS_A_SECOND = 2, 500
# The name of trials whose values are not valid together.
NO_EXPERIMENT = "no-experiment-"


class Journal:
    """The record of a sweep while it runs: takes the engine's events, and writes `sweep.json`.

    Args:
        sweep: the `SweepConfig`.
        paths: the `SweepPaths`; a record of an earlier run of the same sweep is continued.
        command: the command line.

    Raises:
        RunError: if there is a record that cannot be read, or one of another sweep.
    """

    def __init__(self, sweep: "SweepConfig", paths: "SweepPaths", command: str) -> None:
        self.sweep, self.paths, self.screen = sweep, paths, None
        self._began, self._written, self._lock = time.monotonic(), 0.0, threading.Lock()
        self._latest_event = self._began
        self._has_early_objective = objectives.has_early_objective(sweep.first)
        earlier = self._earlier()
        self._spent = earlier.get("seconds") or 0.0
        self.record = self._begun(command, earlier)
        self._by_key = {_key(trial): trial for trial in self.trials}
        self._find_finished()
        # Whether all trials are done; an earlier run must have recorded the end of a search.
        self.is_complete = earlier.get("ended", False) or not (
            sweep.search or self.waiting_trials()
        )
        self._write()

    def _earlier(self):
        """The record to continue; an empty one if there is none."""
        earlier = read_record(self.paths) or {}
        if earlier and earlier.get("asked") != self.sweep.identity():
            raise RunError(
                f"{self.paths.record} is of another sweep; give another --sweep_id, or the same "
                "flags."
            )
        starts_over = self.sweep.settings.get("force_train") and earlier.get("ended")
        return {} if starts_over else earlier

    def _begun(self, command, earlier):
        sweep = self.sweep
        trials = earlier.get("trials", [])
        for trial in trials:
            if trial["state"] in (RUNNING, WAITING, FAILED):
                name = _name_of(sweep, trial["drawn"])
                trial.update(state=WAITING, note=None, seconds=None, experiment_id=name)
        if not sweep.search:
            known = {_key(trial): trial for trial in trials}
            trials = [known.get(key_of(v)) or _new(sweep, v) for v in sweep.grid()]
        now = datetime.datetime.now(datetime.UTC)
        return {
            "sweep_id": sweep.sweep_id,
            "command": command,
            "varied": sweep.to_dict()["varied"],
            "search": sweep.search,
            "samples": sweep.samples,
            "objective": sweep.objective,
            "goal": sweep.goal,
            "began": earlier.get("began") or now.isoformat(timespec="seconds"),
            "seconds": self._spent,
            "ended": False,
            "trials": trials,
            "asked": sweep.identity(),
            **_provenance(),
        }

    @property
    def trials(self) -> list[dict[str, Any]]:
        return self.record["trials"]

    def waiting_trials(self) -> list[dict[str, Any]]:
        """The trials that are still to be run; of a search, those that were begun earlier."""
        return [trial for trial in self.trials if trial["state"] == WAITING]

    def _find_finished(self):
        """Marks trials whose experiments exist already, from whatever run, as finished."""
        if self.sweep.settings.get("force_train"):
            return
        possible = [t for t in self.trials if not t["experiment_id"].startswith(NO_EXPERIMENT)]
        configs = [self.sweep.trial(trial["drawn"]) for trial in possible]
        check_free(configs)
        load = {}
        for trial, config in zip(possible, configs, strict=True):
            trial["experiment_id"] = config.experiment_id  # versions may differ in names
            is_known = trial["state"] == FINISHED
            if not is_known and trial["state"] != WAITING:
                continue
            if config.replicates > 1:
                done = is_known and ArtifactPaths.of(config).summary.exists()
            else:
                done = is_done(self.sweep, config, load)
            if done and not is_known:
                objective = objectives.reached(self.sweep, config)
                trial.update(state=FINISHED, objective=objective, epochs=config.epochs)
            elif is_known and not done:
                trial.update(state=WAITING)

    def take(self, event: dict[str, Any]) -> None:
        """Takes an event of the engine."""
        with self._lock:
            self._latest_event = time.monotonic()
            trial = self._by_key.get(key_of(self.sweep.rounded(event["values"])))
            if trial is None:
                trial = _new(self.sweep, event["values"])
                self._by_key[_key(trial)] = trial
                self.trials.append(trial)
            before = trial["state"]
            trial["state"] = event["state"]
            for name in ("objective", "seconds", "node", "note"):
                if name in event:
                    trial[name] = event[name]
            if trial["state"] != FINISHED and not self._has_early_objective:
                trial["objective"] = None
            if event.get("epoch"):
                trial["epochs"] = event["epoch"]
            ended = trial["state"] not in (RUNNING, WAITING)
            # Thousands of trials may end faster than their record can be written.
            patience = len(self.trials) // TRIALS_A_SECOND if ended else EVERY_S
            if time.monotonic() - self._written > patience:
                self._write()
            if self.screen is not None:
                self.screen.show(trial, before, event.get("lost", False))

    def seconds_left(self) -> float | None:
        """An estimate of the remaining time, from finished trials; None if it is not known."""
        done = [t["seconds"] for t in self.trials if t["state"] == FINISHED and t["seconds"]]
        running = sum(trial["state"] == RUNNING for trial in self.trials)
        if not done or not running:
            return None
        ended = sum(t["state"] in (FINISHED, STOPPED, FAILED) for t in self.trials)
        total = self.sweep.number
        since = time.monotonic() - self._latest_event
        return max(0.0, sum(done) / len(done) * (total - ended) / running - since)

    def best(self) -> str | None:
        """The best settings so far for each data set, as text; "" before a trial has finished."""
        objective, lines = self.record["objective"], []
        for best in tables.best_of(self.record):
            seeds = len(best["trials"])
            mean = f" (mean of {seeds} seeds)" if seeds > 1 else ""
            value = screen.value(objective, best["mean"])
            settings = tables.described(best["settings"], " with ")
            lines.append(f"Best {objective}: {value}{mean}{settings}")
        return "\n".join(lines)

    def close(self) -> None:
        """Writes the record at the end, or when the sweep is interrupted."""
        with self._lock:
            for trial in self.trials:
                if trial["state"] == RUNNING:
                    trial["state"] = WAITING
            unfinished = any(trial["state"] == WAITING for trial in self.trials)
            failed = any(trial["state"] == FAILED for trial in self.trials)
            self.record["ended"] = self.is_complete and not unfinished and not failed
            self._write()

    def _write(self):
        self.record["seconds"] = round(self._spent + time.monotonic() - self._began, 1)
        write_record(self.paths, self.record)
        self._written = time.monotonic()


def _name_of(sweep, values):
    try:
        return sweep.trial(values).experiment_id
    except UsageError:  # drawn values that are not valid together: the trial will fail
        return f"{NO_EXPERIMENT}{key_of(values)}"


def _new(sweep, values):
    return {
        "experiment_id": _name_of(sweep, values),
        "settings": sweep.rounded(values),
        # With all digits: a search continues from it.
        "drawn": dict(values),
        "state": WAITING,
        "note": None,
        "objective": None,
        "epochs": None,
        "seconds": None,
        "node": None,
    }


def _key(trial):
    return key_of(trial["settings"])


def key_of(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def check_free(configs: "Iterable[ExperimentConfig]") -> None:
    """Makes sure that the folders of these experiments have no other ones.

    Raises:
        RunError: if some have; the message names the first, and the differences.
    """
    for config in configs:
        if config.replicates > 1:
            continue
        paths = ArtifactPaths.of(config)
        with contextlib.suppress(RunError):  # the trial itself reports a damaged one
            record = folder.read_record(paths) or {"settings": {}}
            differ = differences(config, record["settings"]) if record["settings"] else []
            if differ:
                break
    else:
        return
    raise RunError(
        f"{paths.root} was made with other settings: {', '.join(differ)}. Choose another "
        "--output_dir, or an --experiment_id, which all names of trials begin with; --force_train "
        "replaces them."
    )


def is_done(sweep: "SweepConfig", config: "ExperimentConfig", load: dict[Any, Any]) -> bool:
    """Whether an experiment is complete, as the single command would make it."""
    paths = ArtifactPaths.of(config)
    if not (paths.results.exists() and paths.report.exists()):
        return False
    with contextlib.suppress(UsageError, *FAILURES):
        if config.num_valid is None:
            config = dataclasses.replace(config, num_valid=files.default_num_valid(config.dataset))
        record = folder.read_record(paths)
        if not record or not folder.is_finished(record):
            return False
        data = config.dataset, config.data_dir, config.num_valid
        if data not in load:
            load[data] = registry.load(*data)
        # Not every model has units that can be removed; its table shows it.
        metrics: Any = csv.read_metrics(paths.metrics)
        tested = set(metrics["method"])
        reference = [method for method in REFERENCE if method.name in tested]
        return (
            not folder.changes(config, load[data], record)
            and comparison.is_known(config, reference, paths, record["checkpoint_sha256"])
            and (not sweep.export or _is_exported(sweep, paths))
        )
    return False


def _is_exported(sweep, paths):
    record = json.loads(paths.export_record.read_text(encoding="utf-8"))
    return record["depends"]["max_accuracy_drop"] == sweep.max_accuracy_drop


def _provenance():
    versions = {"network-pruning": __version__, "python": platform.python_version()}
    for name in ("ray", "tensorflow", "keras"):
        with contextlib.suppress(PackageNotFoundError):  # it may be called tensorflow-cpu
            versions[name] = version(name)
    return {"versions": versions, "machine": f"{platform.system()} {platform.machine()}"}
