"""The pages and logs that a run writes after its tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..settings.logs import logs_of
from ..utils import RunError, echo

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths
    from ..settings.experiment import ExperimentConfig
    from ..settings.report import ReportConfig


def check(config: "ExperimentConfig | ReportConfig") -> None:
    """Makes sure, before the work, that the requested logs can be written.

    Raises:
        RunError: if a package is missing, or a place cannot be written to.
    """
    for name in logs_of(config):
        if name == "tensorboard":
            from .events import check_installed

            check_installed()
        else:
            from .mlflow_store import check_store

            check_store(Path(config.output_dir).expanduser())


def publish(config: "ExperimentConfig", paths: "ArtifactPaths") -> None:
    """Writes an experiment's page and the logs that the config asks for. What cannot be written is
    said: the results are there.

    Args:
        config: the `ExperimentConfig`.
        paths: the `ArtifactPaths` of the experiment, or of several seeds.
    """
    from .experiment_page import try_to_write_report

    try_to_write_report(paths)
    for name in logs_of(config):
        try:
            write_log(name, paths)
        except RunError as error:
            again = f"python -m network-pruning.report --log_to={name}"
            echo(f"Not logged: {error} Then log it with {again}")


def write_log(name: str, paths: "ArtifactPaths") -> None:
    """Writes a log of an experiment, or of several seeds, of which TensorBoard shows the single
    ones only.

    Raises:
        RunError: if that is impossible; the message says why.
    """
    if name == "mlflow":
        from .mlflow_runs import write_mlflow

        write_mlflow(paths)
    elif paths.config.exists():
        from .tensorboard import write_tensorboard

        write_tensorboard(paths)
