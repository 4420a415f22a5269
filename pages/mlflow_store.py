"""Where MLflow keeps runs: a server, or a file in the folder with all experiments."""

import contextlib
import importlib
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..utils import RunError, one_line

# MLflow's name for the group of all runs.
GROUP = "network-pruning"
# Where runs are kept if MLFLOW_TRACKING_URI names no other place; and beside any SQLite file, the
# files of runs.
DATABASE, FILES, LOCK = "mlflow.db", "mlflow_files", ".mlflow.lock"
SQLITE = "sqlite:///"
# A tag: which experiment a run is of.
KEY = "network_pruning.key"


@dataclass(frozen=True)
class Store:
    """An open place.

    Attributes:
        client: an `MlflowClient`.
        group: the identifier of the group of all runs.
        name: its address, without a user's name and password.
    """

    client: Any
    group: str
    name: str

    def runs_of(self, key: str) -> list[Any]:
        """The runs with this key."""
        return self.client.search_runs([self.group], filter_string=f"tags.`{KEY}` = '{key}'")

    def delete(self, run: Any) -> None:
        """Removes the run with this `RunInfo` and, of a local one, its files, which MLflow would
        keep."""
        self.client.delete_run(run.run_id)
        parts = urlsplit(run.artifact_uri)
        place = Path(unquote(parts.path)).parent
        if parts.scheme == "file" and place.name == run.run_id:
            shutil.rmtree(place, ignore_errors=True)


def check_store(base: Path) -> None:
    """Makes sure that runs can be logged.

    Args:
        base: the folder with all experiments.

    Raises:
        RunError: if MLflow is not installed, or the place cannot be written to.
    """
    uri = _uri(base)
    with _explained(uri):
        if not _prepared(uri):
            _client(uri).search_experiments(max_results=1)


@contextlib.contextmanager
def opened(base: Path) -> Iterator[Store]:
    """The `Store`. In one file one process of this program writes at a time: all would set it up.

    Args:
        base: the folder with all experiments.

    Raises:
        RunError: as `check_store`, and within the block if MLflow refuses.
    """
    uri = _uri(base)
    with _explained(uri):
        database = _prepared(uri)
        with _locked(database):
            client = _client(uri)
            yield Store(client, _group(client, database), _shown(uri))


def _prepared(uri):
    """Imports MLflow and makes sure that the file of a database, which is returned, can be written
    to; None for a server."""
    _import()
    database = _database(uri)
    if database:  # MLflow would try again for minutes
        database.parent.mkdir(parents=True, exist_ok=True)
        database.open("ab").close()
    return database


def _import():
    """Imports MLflow, which neither reports its use to its makers nor asks a silent server for
    minutes, unless the user wants that."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    try:
        for name in ("mlflow", "sqlalchemy", "alembic"):
            importlib.import_module(name)
    except ImportError as error:
        raise RunError(
            f"--log_to=mlflow needs the package {error.name}: pip install "
            "'./network-pruning[mlflow]' from the folder above the checkout."
        ) from error
    for name, level in (("mlflow", "WARNING"), ("alembic", "WARNING"), ("urllib3", "ERROR")):
        logging.getLogger(name).setLevel(level)


def _uri(base):
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{(base / DATABASE).resolve()}"


def _database(uri):
    """The file of an SQLite database; None of another place."""
    return Path(unquote(uri.removeprefix(SQLITE))) if uri.startswith(SQLITE) else None


def _shown(uri):
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}").geturl()


def _client(uri):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@contextlib.contextmanager
def _explained(uri: str) -> Iterator[None]:
    """Makes one sentence of the errors of MLflow, of a database or of the network."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        text = one_line(str(error).replace(uri, _shown(uri)), 400)
        if any(isinstance(each, ConnectionError) for each in _causes(error)):
            text = "nothing answers there; start the server, or correct MLFLOW_TRACKING_URI"
        raise RunError(f"MLflow at {_shown(uri)} cannot be written to: {text}.") from error


def _causes(error):
    while error is not None:
        yield error
        error = error.__context__


@contextlib.contextmanager
def _locked(database: Path | None) -> Iterator[None]:
    if database is None:
        yield
        return
    from filelock import FileLock

    with FileLock(database.parent / LOCK):
        yield


def _group(client, database):
    place = (database.parent / FILES).resolve().as_uri() if database else None
    found = client.get_experiment_by_name(GROUP)
    if found is None:
        return client.create_experiment(GROUP, artifact_location=place)
    if database and database.name == DATABASE and found.artifact_location != place:
        raise RunError(
            f"{database} was written in another folder, which it remembers for the files of runs; "
            f"remove it, and {FILES} beside it, then log all experiments again with "
            "python -m network-pruning.report --log_to=mlflow."
        )
    return found.experiment_id
