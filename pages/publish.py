"""The pages that a run writes after its tables."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths
    from ..settings.experiment import ExperimentConfig


def check(config: "ExperimentConfig") -> None:
    """Makes sure, before the work, that the requested pages can be written.

    Raises:
        RunError: if a package is missing.
    """
    if config.tensorboard:
        from .events import check_installed

        check_installed()


def publish(config: "ExperimentConfig", paths: "ArtifactPaths") -> None:
    """Writes an experiment's page and, where the config asks for it, TensorBoard's files.

    Args:
        config: the `ExperimentConfig`.
        paths: the `ArtifactPaths` of the experiment, or of several seeds.
    """
    from .experiment_page import try_to_write_report

    try_to_write_report(paths)
    if config.tensorboard and paths.config.exists():
        from .tensorboard import write_tensorboard

        write_tensorboard(paths)
