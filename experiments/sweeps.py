"""A sweep from its first trial to its summary: what is left to do, what became of it."""

import contextlib
import dataclasses
import datetime
import json
import threading
import time

from ..config import UsageError
from ..data import files, registry
from ..pruning.methods import REFERENCE
from ..utils import RunError, counted, say
from ..visualization import csv, sweep_screen
from . import (
    comparison,
    durations,
    engine,
    folder,
    gallery,
    objectives,
    searching,
    sweep_results,
    sweep_tables,
)
from .paths import ArtifactPaths
from .reports import FAILURES
from .sweep_paths import (
    FAILED,
    FINISHED,
    RUNNING,
    STOPPED,
    WAITING,
    SweepPaths,
    read_record,
    write_record,
)

# While trials run, the record is written at most so often; at the end of one at once, unless there
# are very many.
EVERY_S, TRIALS_A_SECOND = 2, 500


def run(sweep, command):
    """Runs what is left of a sweep, and writes tables, figures and pages of all of it.

    Args:
        sweep: the `SweepConfig`.
        command: how it was started, as a text.

    Raises:
        RunError: if trials failed, after all others have been done; or if none can be run.
    """
    engine.check_installed(sweep.search, sweep.ray_address)
    paths = SweepPaths.of(sweep.output_dir, sweep.sweep_id)
    with folder.locked(paths, "--sweep_id"):
        journal = Journal(sweep, paths, command)
        try:
            if journal.left() or not journal.was_ended:
                _run_trials(sweep, paths, journal)
                journal.is_complete = True
            else:
                say(f"All {counted(len(journal.trials), 'trial')} were done before.")
        finally:
            journal.close()
        sweep_results.try_to_write_results(paths, journal.record)
    gallery.try_to_write_index(sweep.output_dir)
    say(sweep_screen.result(journal.record, journal.best()))
    say(f"Tables, figures and a page are in {paths.root}")
    left = [trial for trial in journal.trials if trial["state"] == WAITING]
    if left:
        raise RunError(f"{counted(len(left), 'trial')} could not be run; the same command goes on.")
    failed = [trial for trial in journal.trials if trial["state"] == FAILED]
    if failed:
        raise RunError(
            f"{counted(len(failed), 'trial')} of {len(journal.trials)} failed; the same command "
            "tries them again."
        )


def _run_trials(sweep, paths, journal):
    search = _search(sweep, journal)
    job = engine.Job(
        request={"sweep": sweep.to_dict()},
        place=paths.root,
        output_dir=paths.output_dir,
        cpus=sweep.cpus_per_trial,
        gpus=sweep.gpus_per_trial,
        address=sweep.ray_address,
        trials=None if search else [trial["drawn"] for trial in journal.left()],
        search=search,
        # Optuna wants an objective with everything it is told.
        every_epoch=search is None or sweep.ends_early,
    )
    say(f"Sweep {sweep.sweep_id}: {sweep_screen.beginning(journal.record)}")
    with sweep_screen.Screen(journal.record, journal.seconds_left, journal.best) as screen:
        journal.screen = screen
        engine.run(job, journal.take)


def _search(sweep, journal):
    if not sweep.search:
        return None
    done = [t for t in journal.trials if t["state"] in (FINISHED, STOPPED)]
    return searching.Search(
        varied=dict(sweep.varied),
        kind=sweep.search,
        seed=sweep.first.seed,
        goal=sweep.goal,
        finished=[(t["drawn"], t["objective"] if t["state"] == FINISHED else None) for t in done],
        unfinished=[t["drawn"] for t in journal.left()],
        number=sweep.samples - len(done),
        epochs=_most_epochs(sweep) if sweep.ends_early else None,
    )


def _most_epochs(sweep):
    epochs = sweep.varied.get("epochs", (sweep.first.epochs,))
    return max(epochs) if isinstance(epochs, tuple) else epochs.high


class Journal:
    """The record of a sweep while it runs: takes the engine's events, and writes `sweep.json`.

    Args:
        sweep: the `SweepConfig`.
        paths: the `SweepPaths`; a record of an earlier run of the same sweep is gone on with.
        command: how it was started.

    Raises:
        RunError: if there is a record that cannot be understood, or one of another sweep.
    """

    def __init__(self, sweep, paths, command):
        self.sweep, self.paths, self.screen = sweep, paths, None
        self.is_complete = False
        self._is_told_early = objectives.is_told_early(sweep.first)
        earlier = read_record(paths)
        self._began, self._written, self._lock = time.monotonic(), 0.0, threading.Lock()
        asked = sweep.asked()
        if earlier is not None and earlier.get("asked") != asked:
            raise RunError(
                f"{paths.record} is of another sweep; give another --sweep_id, or the same flags."
            )
        again = earlier is not None and sweep.settings.get("force_train") and earlier["ended"]
        self.was_ended = earlier is not None and earlier["ended"] and not again
        known = {} if earlier is None or again else {_key(t): t for t in earlier["trials"]}
        trials = list(known.values()) if sweep.search else self._grid(known)
        self._spent = 0.0 if again or earlier is None else earlier["seconds"] or 0.0
        for trial in trials:
            if trial["state"] in (RUNNING, WAITING, FAILED):
                trial.update(state=WAITING, note=None, seconds=None)
        self.record = {
            "sweep_id": sweep.sweep_id,
            "command": command,
            "varied": sweep.to_dict()["varied"],
            "search": sweep.search,
            "samples": sweep.samples,
            "objective": sweep.objective,
            "goal": sweep.goal,
            "began": (earlier or {}).get("began")
            or datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "seconds": self._spent,
            "ended": False,
            "trials": trials,
            "asked": asked,
            **_surroundings(),
        }
        self._by_key = {_key(trial): trial for trial in trials}
        self._find_finished()
        if not sweep.search and not self.left():
            self.was_ended = True
        self._write()

    @property
    def trials(self):
        return self.record["trials"]

    def left(self):
        """The trials that are still to be run; of a search, those that were begun before."""
        return [trial for trial in self.trials if trial["state"] == WAITING]

    def _grid(self, known):
        return [
            known.get(_key_of(values), _new(self.sweep, values)) for values in self.sweep.grid()
        ]

    def _find_finished(self):
        """Experiments that are there already, whoever made them, are not run again."""
        load = {}
        for trial in self.trials:
            is_known = trial["state"] == FINISHED
            if self.sweep.settings.get("force_train") or not (
                is_known or trial["state"] == WAITING
            ):
                continue
            config = self.sweep.trial(trial["drawn"])
            if config.replicates > 1:
                done = is_known and ArtifactPaths.of(config).summary.exists()
            else:
                done = _is_done(self.sweep, config, load)
            if done and not is_known:
                objective = objectives.reached(self.sweep, config)
                trial.update(state=FINISHED, objective=objective, epochs=config.epochs)
            elif is_known and not done:
                trial.update(state=WAITING)

    def take(self, event):
        """Takes an event of the engine."""
        with self._lock:
            trial = self._by_key.get(_key_of(self.sweep.rounded(event["values"])))
            if trial is None:
                trial = _new(self.sweep, event["values"])
                self._by_key[_key(trial)] = trial
                self.trials.append(trial)
            before = trial["state"]
            trial["state"] = event["state"]
            for name in ("objective", "seconds", "node", "note"):
                if name in event:
                    trial[name] = event[name]
            if trial["state"] != FINISHED and not self._is_told_early:
                trial["objective"] = None
            if event.get("epoch"):
                trial["epochs"] = event["epoch"]
            ended = trial["state"] not in (RUNNING, WAITING)
            # Thousands of trials end more often than their record can be written.
            patience = len(self.trials) / TRIALS_A_SECOND if ended else EVERY_S
            if time.monotonic() - self._written > patience:
                self._write()
            if self.screen is not None:
                self.screen.show(trial, before, event.get("lost", False))

    def seconds_left(self):
        """How long the rest may take, by what has been done; None where that is not known."""
        done = [t["seconds"] for t in self.trials if t["state"] == FINISHED and t["seconds"]]
        running = sum(trial["state"] == RUNNING for trial in self.trials)
        if not done or not running:
            return None
        ended = sum(t["state"] in (FINISHED, STOPPED, FAILED) for t in self.trials)
        total = self.sweep.number
        return sum(done) / len(done) * (total - ended) / running

    def best(self):
        """What is best by now, as a text; none before a trial has finished."""
        found = sweep_tables.best_of(self.record)
        if not found:
            return ""
        best, objective = found[0], self.record["objective"]
        seeds = len(best["trials"])
        mean = f" (mean of {seeds} seeds)" if seeds > 1 else ""
        with_settings = sweep_tables.described(best["settings"], " with ")
        return (
            f"Best {objective}: {sweep_screen.value(objective, best['mean'])}{mean}{with_settings}"
        )

    def close(self):
        """Writes what is known at the end, or when the sweep is cut short."""
        with self._lock:
            for trial in self.trials:
                if trial["state"] == RUNNING:
                    trial["state"] = WAITING
            unfinished = any(trial["state"] == WAITING for trial in self.trials)
            is_whole = self.is_complete or self.was_ended
            failed = any(trial["state"] == FAILED for trial in self.trials)
            self.record["ended"] = is_whole and not unfinished and not failed
            self._write()

    def _write(self):
        self.record["seconds"] = round(self._spent + time.monotonic() - self._began, 1)
        write_record(self.paths, self.record)
        self._written = time.monotonic()


def _new(sweep, values):
    try:
        name = sweep.trial(values).experiment_id
    except UsageError:  # drawn values that do not go together: the trial will say so
        name = f"no-experiment-{_key_of(values)}"
    return {
        "experiment_id": name,
        "settings": sweep.rounded(values),
        # With all digits: a search goes on from it.
        "drawn": dict(values),
        "state": WAITING,
        "note": None,
        "objective": None,
        "epochs": None,
        "seconds": None,
        "node": None,
    }


def _key(trial):
    return _key_of(trial["settings"])


def _key_of(values):
    return json.dumps(values, sort_keys=True)


def _is_done(sweep, config, load):
    """Whether an experiment has everything that the single command would write."""
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
        # Not every model has units that can be removed: its table tells.
        tested = set(csv.read_metrics(paths.metrics)["method"])
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


def _surroundings():
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from .. import __version__

    versions = {"network-pruning": __version__, "python": platform.python_version()}
    for name in ("ray", "tensorflow", "keras"):
        with contextlib.suppress(PackageNotFoundError):  # it may be called tensorflow-cpu
            versions[name] = version(name)
    return {"versions": versions, "machine": f"{platform.system()} {platform.machine()}"}


def plan(sweep):
    """What would run, as a text: every trial, and how long by the times of finished experiments."""
    rows = durations.noted(sweep.output_dir)
    load, lines, seconds = {}, [], []
    if sweep.search:
        lines.append(f"{counted(sweep.samples, 'experiment')}, drawn by {sweep.search} from")
        lines += [f"  --{name}={_listed(values)}" for name, values in sweep.varied.items()]
        ends = [durations.estimate(config, rows) for config in (sweep.first, sweep.last)]
        middle = None if None in ends else sum(ends) / 2
        seconds = [middle] * sweep.samples
    else:
        for values in sweep.grid():
            config = sweep.trial(values)
            is_single = config.replicates == 1 and not config.force_train
            if is_single and _is_done(sweep, config, load):
                about = "is finished"
            else:
                seconds.append(durations.estimate(config, rows))
                about = sweep_screen.duration(seconds[-1])
            lines.append(f"  {config.experiment_id}  {about}")
        lines.insert(0, f"{counted(sweep.number, 'experiment')}:")
    return "\n".join([*lines, _total(sweep, seconds)])


def _listed(values):
    return ",".join(map(str, values)) if isinstance(values, tuple) else str(values)


def _total(sweep, seconds):
    known = [value for value in seconds if value is not None]
    if not seconds:
        return "All are finished."
    if not known:
        return (
            "How long is not known: no experiment like these has been finished in this folder yet."
        )
    total = sum(known) / len(known) * len(seconds)
    beside = max(1, engine.cores() // sweep.cpus_per_trial)
    guessed = "" if len(known) == len(seconds) else " (some by the others)"
    return (
        f"About {sweep_screen.duration(total)} one after the other{guessed}; on this machine "
        f"{beside} at a time, {sweep_screen.duration(total / min(beside, len(seconds)))} or more."
    )
