"""The objective of an experiment in a sweep, after each epoch and at the end."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..experiments import finished, folder
from ..experiments.comparison import chosen_methods
from ..experiments.paths import ArtifactPaths
from ..pruning.methods import parse
from ..settings.objective import EXPORT_BYTES
from ..visualization import csv

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig
    from ..settings.sweep import SweepConfig


def watch(
    sweep: "SweepConfig", config: "ExperimentConfig", report: Callable[[dict[str, Any]], object]
) -> Callable[..., None]:
    """A function to call after each epoch of training, which reports it.

    If unpromising trials are stopped early, it reports the objective of the current network, pruned
    in one shot by the reference methods; if networks are retrained, which regains accuracy, that of
    the dense network instead.

    Args:
        sweep: the `SweepConfig`.
        config: the `ExperimentConfig`.
        report: takes the report, a dictionary.
    """

    def on_epoch(networks, model, epoch):
        # The last epoch is followed by the objective itself.
        if epoch.epoch < config.epochs:
            report({"epoch": epoch.epoch, **_so_far(sweep, config, networks, model)})

    return on_epoch


def has_early_objective(config: "ExperimentConfig") -> bool:
    """Whether the value after an epoch is the objective, of an unfinished training."""
    return not any(parse(text).trains for text in config.methods)


def _so_far(sweep, config, networks, model):
    if not sweep.ends_early:
        return {}
    dense = networks.weights_of(model)
    metric = sweep.column.removeprefix("valid_")
    if not has_early_objective(config):
        found = [dense]
    else:
        found = (
            networks.pruned(method, dense, networks.rank(method, dense), sweep.k)
            for method in networks.reference
        )
    values = [getattr(networks.validate(weights), metric) for weights in found]
    best = _best(sweep, values)
    return {} if best is None else {"objective": best}


def reached(sweep: "SweepConfig", config: "ExperimentConfig") -> float | None:
    """The objective of a finished experiment: that of its best method other than random pruning;
    None if there is none.

    Args:
        sweep: the `SweepConfig`.
        config: the `ExperimentConfig` of the trial.
    """
    paths = ArtifactPaths.of(config)
    if sweep.objective == EXPORT_BYTES:
        return finished.smallest_file(paths)
    rows: Any
    if config.replicates > 1:
        rows = csv.means_of(finished.summary_of(paths))
    else:
        record: Any = folder.read_record(paths)
        rows = finished.networks_of_record(paths, record)
    requested = [method.name for method in chosen_methods(config) if method.criterion != "random"]
    rows = rows[(rows["k"] == sweep.k) & rows["method"].isin(requested)]
    return _best(sweep, rows[sweep.column].dropna())


def _best(sweep, values):
    values = [float(value) for value in values if math.isfinite(value)]
    return (max if sweep.goal == "max" else min)(values, default=None)
