"""One trial of a sweep, an experiment in a process of its own, started by a worker.

`cli.trial` starts it. The command `train` gives the same bytes.
"""

import dataclasses
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiments import lock, plugins, runner
from ..experiments.paths import ArtifactPaths
from ..settings.experiment import experiment_config
from ..settings.export import ExportConfig
from ..settings.sweep import sweep_config
from ..utils import echo, limit_threads
from .paths import SweepPaths

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig
    from ..settings.sweep import SweepConfig


# How long to wait for another run in the same folder.
PATIENCE_S = 60


class UnfitError(Exception):
    """This machine cannot run trials, but another one may."""


def run(
    request: dict[str, Any],
    report: Callable[[dict[str, Any]], object],
    publish: "Callable[[ExperimentConfig, ArtifactPaths], object]",
    check: "Callable[[ExperimentConfig], object]",
) -> None:
    """Runs a trial.

    Args:
        request: a dictionary with `sweep`, as `SweepConfig.to_dict` makes it, and `values` of the
            varied settings; or `experiments`, settings by seed, of which `values` names one. Also
            `output_dir`, the folder of the experiments, and `place`, the folder of the sweep.
        report: takes reports, dictionaries.
        publish: makes the pages, see `runner.run`.
        check: makes sure that the pages of a config can be made.

    Raises:
        RunError, UsageError: if the experiment fails.
    """
    sweep = sweep_config(request["sweep"]) if "sweep" in request else None
    config = config_of(request, sweep)
    limit_threads(config.threads)  # before NumPy is imported
    plugins.load(config.plugins)
    config = runner.checked(config)
    place = SweepPaths(Path(request["place"]))
    if not place.root.is_dir():
        raise UnfitError(
            f"{place.root} does not exist on {platform.node()}; all machines must share the output "
            "folder."
        )
    _redirect_output(place.log(config.experiment_id))  # type: ignore[arg-type]
    report({"experiment_id": config.experiment_id})
    paths = ArtifactPaths.of(config)
    for single in (paths, *(paths.seeds().values() if config.replicates > 1 else ())):
        lock.wait(single, PATIENCE_S)

    from . import objectives

    if sweep is None:
        runner.run(config, publish)
    else:
        check(config)
        runner.experiment(config, publish, objectives.watch(sweep, config, report))
        if sweep.export:
            _export(config, sweep.max_accuracy_drop, publish)
        reached = objectives.reached(sweep, config)
        known = {} if reached is None else {"objective": reached}
        report({"epoch": config.epochs, "is_last": True, **known})


def config_of(request: dict[str, Any], sweep: "SweepConfig | None") -> "ExperimentConfig":
    """The `ExperimentConfig` of a request; `sweep` is None for one of several seeds."""
    values = request["values"]
    if not sweep:
        config = experiment_config(request["experiments"][str(values["seed"])])
    else:
        config = sweep.trial(values)
    if str(Path(config.output_dir).expanduser().resolve()) == request["output_dir"]:
        return config
    # The home or current folder may differ from where the sweep was started.
    if sweep:
        return sweep.trial(values, request["output_dir"])
    return dataclasses.replace(config, output_dir=request["output_dir"])


def _redirect_output(log):
    """Sends all further output to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(descriptor, stream.fileno())
    echo(f"--- {time.strftime('%Y-%m-%d %H:%M:%S %z')}, process {os.getpid()}")


def _export(config, max_accuracy_drop, publish):
    from ..experiments.exports import export

    _, paths = export(
        ExportConfig(
            experiment_id=config.experiment_id,
            output_dir=config.output_dir,
            max_accuracy_drop=max_accuracy_drop,
        )
    )
    with lock.locked(paths):
        publish(config, paths)
