"""The pages and logs that a run writes after its tables."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from ..settings.logs import logs_of

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths
    from ..settings.experiment import ExperimentConfig


# Of each log: the modules and functions that check whether it can be written, and write it.
LOGS = {
    "tensorboard": (("events", "check_installed"), ("tensorboard", "write_tensorboard")),
    "mlflow": (("mlflow_runs", "check_installed"), ("mlflow_runs", "write_mlflow")),
}


def check(config: "ExperimentConfig") -> None:
    """Makes sure, before the work, that the requested logs can be written.

    Raises:
        RunError: if a package is missing, or a server does not answer.
    """
    for name in logs_of(config):
        _function(*LOGS[name][0])()


def publish(config: "ExperimentConfig", paths: "ArtifactPaths") -> None:
    """Writes an experiment's page and the logs that the config asks for.

    Args:
        config: the `ExperimentConfig`.
        paths: the `ArtifactPaths` of the experiment, or of several seeds.
    """
    from .experiment_page import try_to_write_report

    try_to_write_report(paths)
    write_logs(logs_of(config), paths)


def write_logs(names: Iterable[str], paths: "ArtifactPaths") -> None:
    """Writes logs of an experiment, or of several seeds, of which TensorBoard shows the single
    ones only.

    Raises:
        RunError: if that is impossible; the message says why.
    """
    for name in names:
        if name != "tensorboard" or paths.config.exists():
            _function(*LOGS[name][1])(paths)


def _function(module: str, name: str) -> "Callable[..., object]":
    return getattr(import_module(f".{module}", __package__), name)
