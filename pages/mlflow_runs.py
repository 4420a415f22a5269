"""MLflow's runs of an experiment, collected from its folder; without TensorFlow."""

import contextlib
import json
import math
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ..experiments.finished import summary_of
from ..experiments.paths import plain_name
from ..utils import RunError, echo, file_sha256, write_text
from ..visualization import csv
from . import logged
from .mlflow_store import KEY, opened

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

    from ..experiments.paths import ArtifactPaths


# Tags: which run another one is within, and the digest of all that a run has.
PARENT, DIGEST = "mlflow.parentRunId", "network_pruning.digest"
# Of one request.
MOST_METRICS, MOST_PARAMETERS = 1000, 100
# Settings that the seeds of an experiment do not share.
OF_A_SEED = ("seed",)
OF_EXPORTS = ("npk_bytes", "nonzero", "multiply_adds", "valid_accuracy", "test_accuracy")


def write_mlflow(paths: "ArtifactPaths") -> None:
    """Logs an experiment as a run of MLflow, in place of the run that was logged before; nothing is
    done if that is the same.

    Its parameters are the settings, its metrics the training over epochs and each method over
    sparsities, in hundredths of a per cent; its files are tables, figures, the page and an export.
    Several seeds are child runs of a run with their means.

    Args:
        paths: the `ArtifactPaths` of an experiment or of several seeds. No other process may write
            to its folder.

    Raises:
        RunError: if there are no results yet, MLflow is not installed, or it refuses.
    """
    run, key = _Contents.of(paths), _key(paths)
    with opened(_base(paths)) as store:
        old = store.runs_of(key)
        if [each.data.tags.get(DIGEST) for each in old] == [run.digest]:
            _adopt(store, paths, old[0].info.run_id)
            return
        tags = {**run.tags, KEY: key}
        new = store.client.create_run(store.group, run_name=paths.root.name, tags=tags).info
        try:
            run.log(store.client, new.run_id)
        except BaseException:
            store.delete(new)
            raise
        for each in old:
            store.delete(each.info)
        _adopt(store, paths, new.run_id)
        echo(f"Logged to MLflow: {paths.root.name}, at {store.name}")


class _Contents:
    """What a run has.

    Attributes:
        parameters, tags: by name.
        metrics: by name, pairs of step and number.
        time: of the metrics, in milliseconds since 1970.
        files: pairs of a `Path` and the folder in the run that it goes to, or None.
    """

    def __init__(self, paths, record, parameters, metrics, time_of):
        self.parameters = {name: str(value) for name, value in parameters.items()}
        self.metrics = {_allowed(name): points for name, points in metrics.items()}
        self.time = int(1000 * time_of.stat().st_mtime)
        self.tags = _tags(record)
        self.files = [(file, _folder_of(file, paths)) for file in _files(paths)]

    @classmethod
    def of(cls, paths):
        """Of one experiment, or of several seeds."""
        seeds = {} if paths.config.exists() else paths.seeds()
        if not seeds:
            record, settings, rows = logged.finished(paths)
            metrics = {**logged.over_epochs(paths, settings), **_of_methods(rows), **_export(paths)}
            return cls(paths, record, _parameters(settings, rows), metrics, paths.metrics)
        record, settings, rows = logged.finished(next(iter(seeds.values())))
        summary = summary_of(paths)
        if summary is None:
            raise RunError(f"{paths.root} has no summary yet; run the experiment to its end.")
        parameters = {"seeds": ",".join(map(str, seeds)), **_parameters(settings, rows)}
        parameters = {name: v for name, v in parameters.items() if name not in OF_A_SEED}
        metrics = _of_methods(csv.means_of(summary))
        return cls(paths, record, parameters, metrics, paths.summary)

    @property
    def digest(self):
        """The same for the same contents."""
        files = [(file.name, place, file_sha256(file)) for file, place in self.files]
        return sha256(repr((self.parameters, self.metrics, self.tags, files)).encode()).hexdigest()

    def log(self, client: "MlflowClient", run_id: str) -> None:
        """Writes it to a run."""
        from mlflow.entities import Metric, Param

        texts = [Param(name, value) for name, value in self.parameters.items()]
        for part in _parts(texts, MOST_PARAMETERS):
            client.log_batch(run_id, params=part)
        numbers = [
            Metric(name, float(number), self.time, int(step))
            for name, found in self.metrics.items()
            for step, number in found
            if math.isfinite(number)
        ]
        for part in _parts(numbers, MOST_METRICS):
            client.log_batch(run_id, metrics=part)
        for file, place in self.files:
            client.log_artifact(run_id, str(file), place)
        client.set_tag(run_id, DIGEST, self.digest)
        client.set_terminated(run_id)


def _parts(values, size):
    return (values[start : start + size] for start in range(0, len(values), size))


def _parameters(settings, rows):
    listed = {name: ",".join(map(str, settings[name])) for name in ("k_vals", "methods")}
    return {**logged.parameters(settings, rows), **listed}


def _of_methods(rows: "pd.DataFrame") -> logged.Points:
    found = {}
    for method in rows["method"].unique():
        points = logged.over_sparsities(rows, method)
        found |= {f"{plain_name(method)}/{name}": each for name, each in points.items()}
    for k, accuracy in logged.best_accuracies(rows).items():
        found[f"test_accuracy_{f'k_{k}' if k else 'dense'}"] = [(0, accuracy)]
    return found


def _export(paths) -> logged.Points:
    """The numbers of an export."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        after = json.loads(paths.export_record.read_text(encoding="utf-8"))["after"]
        return {f"export/{name}": [(0, after[name])] for name in OF_EXPORTS}
    return {}


def _tags(record):
    versions = record.get("versions", {}).items()
    devices = ", ".join(record.get("devices", ()))
    found = {**{f"version.{name}": version for name, version in versions}, "devices": devices}
    return {**found, "machine": record.get("machine", "")}


def _allowed(name):
    """A name with those characters only that MLflow allows."""
    return re.sub(r"[^\w\-./ ]", "_", name, flags=re.ASCII)


def _files(paths):
    """What is kept with a run: everything but weights and what TensorBoard reads."""
    own = ("*.json", "*.csv", "*.png", "*.gif", "report.html")
    places = {paths.root: own, paths.exports: (*own, "model.*", "README.md")}
    places[paths.replicates] = ("*.csv", "*.png")
    for place, patterns in places.items():
        found = {file for pattern in patterns for file in place.glob(pattern)}
        yield from sorted(f for f in found - {paths.mlflow_run} if not f.name.startswith("."))


def _folder_of(file, paths):
    place = file.parent.relative_to(paths.root)
    return None if place == Path() else place.as_posix()


def _base(paths):
    """The folder with all experiments."""
    above = paths.root.parent.parent
    is_seed = paths.root.parent == above / "replicates"
    if is_seed and paths.root.name.startswith(f"{above.name}-seed="):
        return above.parent
    return paths.root.parent


def _key(paths):
    """What tells the runs of an experiment from all others', wherever its folder is moved to."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(paths.mlflow_run.read_text(encoding="utf-8"))["key"])
    key = f"{paths.root.name}/{uuid4().hex}"
    write_text(paths.mlflow_run, json.dumps({"key": key}) + "\n")
    return key


def _adopt(store, paths, parent):
    """Makes the runs of an experiment's seeds children of its own."""
    for seed in paths.seeds().values():
        if seed.mlflow_run.exists():
            for run in store.runs_of(_key(seed)):
                if run.data.tags.get(PARENT) != parent:
                    store.client.set_tag(run.info.run_id, PARENT, parent)
