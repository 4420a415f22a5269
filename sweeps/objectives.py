"""What a sweep looks for: how good an experiment is, after each epoch and at its end."""

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
    sweep: "SweepConfig", config: "ExperimentConfig", tell: Callable[[dict[str, Any]], object]
) -> Callable[..., None]:
    """What is called after each epoch of training, and tells of it.

    Where hopeless trials end early, that is what the objective would be if the network were pruned
    as it is, at once, by the reference methods; where networks are trained after they have been
    pruned, they make up for that, so that it is the value of the dense network instead.

    Args:
        sweep: the `SweepConfig`.
        config: the `ExperimentConfig`.
        tell: takes a dictionary.
    """

    def told(networks, model, epoch):
        # The last one is followed by the objective itself: nothing is hopeless any more.
        if epoch.epoch < config.epochs:
            tell({"epoch": epoch.epoch, **_so_far(sweep, config, networks, model)})

    return told


def is_told_early(config: "ExperimentConfig") -> bool:
    """Whether what is told after an epoch is the objective, though of an unfinished training."""
    return not any(parse(text).trains for text in config.methods)


def _so_far(sweep, config, networks, model):
    if not sweep.ends_early:
        return {}
    dense = networks.weights_of(model)
    metric = sweep.column.removeprefix("valid_")
    if not is_told_early(config):
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
    """The objective of a finished experiment, of its best method but chance; None without one.

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
    asked = [method.name for method in chosen_methods(config) if method.criterion != "random"]
    rows = rows[(rows["k"] == sweep.k) & rows["method"].isin(asked)]
    return _best(sweep, rows[sweep.column].dropna())


def _best(sweep, values):
    values = [float(value) for value in values if math.isfinite(value)]
    return (max if sweep.goal == "max" else min)(values, default=None)
