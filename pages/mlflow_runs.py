"""MLflow's runs of an experiment, collected from its folder; without TensorFlow."""

import contextlib
import importlib
import json
import logging
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiments.finished import summary_of
from ..experiments.paths import plain_name
from ..utils import RunError, one_line, write_text
from ..visualization import csv
from . import logged

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths


# MLflow's name for the group of all runs.
GROUP = "network-pruning"
# Where runs are kept if MLFLOW_TRACKING_URI names no other place, and their files.
DATABASE, FILES = "mlflow.db", "mlflow_files"
PARENT = "mlflow.parentRunId"
# Of one request.
MOST_METRICS, MOST_PARAMETERS = 1000, 100
SEVERAL_SEEDS = ("seed", "replicates")


def check_installed() -> None:
    """Makes sure that runs can be logged.

    Raises:
        RunError: if MLflow is not installed, or the server that MLFLOW_TRACKING_URI names does not
            answer.
    """
    _prepare()
    try:
        for name in ("mlflow", "sqlalchemy", "alembic"):
            importlib.import_module(name)
    except ImportError as error:
        raise RunError(
            f"--log_to=mlflow needs the package {error.name}: pip install "
            "'./network-pruning[mlflow]' from the folder above the checkout."
        ) from error
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri:
        with _explained(uri):
            _client(uri).search_experiments(max_results=1)


def write_mlflow(paths: "ArtifactPaths") -> str:
    """Logs an experiment as a run of MLflow, in place of the run that was logged before.

    Its parameters are the settings, its metrics the training over epochs and each method over
    sparsities, in hundredths of a per cent; its files are tables, figures, the page and an export.
    Several seeds are child runs of a run with their means.

    Args:
        paths: the `ArtifactPaths` of an experiment or of several seeds. No other process may write
            to its folder.

    Returns:
        The address that was written to.

    Raises:
        RunError: if there are no results yet, MLflow is not installed, or it refuses.
    """
    check_installed()
    uri = (
        os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(_base(paths) / DATABASE).resolve()}"
    )
    seeds = () if paths.config.exists() else paths.seeds().values()
    parameters, metrics, tags = _of_seeds(paths) if seeds else _of_experiment(paths)
    with _explained(uri):
        client = _client(uri)
        old = _logged_run(paths, uri)
        if old:
            _delete(client, old)
        run = client.create_run(_group(client, paths), run_name=paths.root.name, tags=tags).info
        _log(client, run.run_id, parameters, metrics)
        for file in _files(paths):
            client.log_artifact(run.run_id, str(file), _folder_of(file, paths))
        client.set_terminated(run.run_id)
        children = filter(None, (_logged_run(seed, uri) for seed in seeds))
        for child in children:
            client.set_tag(child, PARENT, run.run_id)
    text = json.dumps({"tracking_uri": uri, "run_id": run.run_id}, indent=2)
    write_text(paths.mlflow_run, text + "\n")
    return uri


def _prepare():
    """Has MLflow neither report its use to its makers, nor ask a silent server for minutes, unless
    the user wants that."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _client(uri):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@contextlib.contextmanager
def _explained(uri):
    try:
        yield
    except Exception as error:  # of MLflow, of a database or of the network
        raise RunError(f"MLflow at {uri} cannot be written to ({one_line(error, 200)}).") from error


def _base(paths):
    """The folder with all experiments."""
    parent = paths.root.parent
    return parent.parent.parent if parent.name == "replicates" else parent


def _group(client, paths):
    """The identifier of the group of runs, which is made where it is missing."""
    found = client.get_experiment_by_name(GROUP)
    if found:
        return found.experiment_id
    is_server = "MLFLOW_TRACKING_URI" in os.environ  # it knows where files go
    place = None if is_server else (_base(paths) / FILES).resolve().as_uri()
    return client.create_experiment(GROUP, artifact_location=place)


def _logged_run(paths, uri):
    """The identifier of the run that was logged of an experiment before; None if there is none."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(paths.mlflow_run.read_text(encoding="utf-8"))
        if record["tracking_uri"] == uri:
            return record["run_id"]
    return None


def _delete(client, run_id):
    from mlflow.exceptions import MlflowException

    with contextlib.suppress(MlflowException):  # it is gone already
        client.delete_run(run_id)


def _log(client, run_id, parameters, metrics):
    from mlflow.entities import Metric, Param

    texts = [Param(name, str(value)) for name, value in parameters.items()]
    for start in range(0, len(texts), MOST_PARAMETERS):
        client.log_batch(run_id, params=texts[start : start + MOST_PARAMETERS])
    time, points = metrics
    numbers = [
        Metric(name, float(number), time, int(step))
        for name, found in points.items()
        for step, number in found
        if math.isfinite(number)
    ]
    for start in range(0, len(numbers), MOST_METRICS):
        client.log_batch(run_id, metrics=numbers[start : start + MOST_METRICS])


def _of_experiment(paths) -> tuple[dict[str, Any], tuple[int, logged.Points], dict[str, str]]:
    """Parameters, the time in milliseconds and metrics, and tags of one experiment."""
    record, settings, rows = logged.finished(paths)
    metrics = {**logged.over_epochs(paths, settings), **_of_methods(rows)}
    return logged.parameters(settings, rows), (_time(paths.metrics), metrics), _tags(record)


def _of_seeds(paths):
    """The same of several seeds: the means of metrics."""
    record, settings, rows = logged.finished(next(iter(paths.seeds().values())))
    summary = summary_of(paths)
    if summary is None:
        raise RunError(f"{paths.root} has no summary yet; run the experiment to its end.")
    parameters = {
        name: value
        for name, value in logged.parameters(settings, rows).items()
        if name not in SEVERAL_SEEDS
    }
    parameters["seeds"] = ",".join(map(str, paths.seeds()))
    return parameters, (_time(paths.summary), _of_methods(csv.means_of(summary))), _tags(record)


def _of_methods(rows):
    found = {
        f"{plain_name(method)}/{name}": points
        for method in rows["method"].unique()
        for name, points in logged.over_sparsities(rows, method).items()
    }
    for k, accuracy in logged.best_accuracies(rows).items():
        found[f"test_accuracy_{f'k_{k}' if k else 'dense'}"] = [(0, accuracy)]
    return found


def _tags(record):
    versions = {f"version.{name}": version for name, version in record["versions"].items()}
    return {**versions, "machine": record["machine"], "devices": ", ".join(record["devices"])}


def _time(file):
    return int(1000 * file.stat().st_mtime)


def _files(paths):
    """What is kept with a run: everything but weights and what TensorBoard reads."""
    for place in (paths.root, paths.replicates, paths.exports):
        for pattern in ("*.json", "*.csv", "*.png", "*.gif", "*.html"):
            yield from sorted(set(place.glob(pattern)) - {paths.mlflow_run})
    for name in ("model.*", "README.md"):
        yield from sorted(paths.exports.glob(name))


def _folder_of(file: Path, paths):
    place = file.parent.relative_to(paths.root)
    return None if place == Path() else place.as_posix()
