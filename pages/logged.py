"""The numbers of an experiment that logs show: TensorBoard's and MLflow's."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..experiments import folder
from ..experiments.finished import best_at, networks_of_record
from ..settings.experiment import retraining_settings, training_settings
from ..settings.files import short_name
from ..utils import RunError
from ..visualization import csv
from ..visualization.graph import from_control
from ..visualization.tables import baseline_of
from .experiment_page import COMPARED
from .settings_table import DEFAULTS

if TYPE_CHECKING:
    import pandas as pd

    from ..experiments.paths import ArtifactPaths


SCALARS = (
    *("test_accuracy", "valid_accuracy", "test_loss"),
    *("compression_ratio", "speedup", "sparsity"),
)
Points = dict[str, list[tuple[int, float]]]  # by name, pairs of step and number


def step_of(k: float) -> int:
    """Steps are integers: hundredths of a per cent of sparsity, 9000 for 0.9."""
    return round(1e4 * k)


def finished(paths: "ArtifactPaths") -> "tuple[dict[str, Any], dict[str, Any], pd.DataFrame]":
    """The record, the settings and the tested networks of a finished experiment.

    Raises:
        RunError: if there are no results yet, or they cannot be read.
    """
    record: Any = folder.read_record(paths)
    rows = None if record is None else networks_of_record(paths, record)
    if rows is None:
        raise RunError(f"{paths.root} has no tested networks yet; run the experiment to its end.")
    return record, {**DEFAULTS, **record["settings"]}, rows


def over_epochs(paths: "ArtifactPaths", settings: Mapping[str, Any]) -> Points:
    """The training; nothing if there was none."""
    if not settings["epochs"] or not paths.history.exists():
        return {}
    history = csv.read_history(paths.history)
    epochs = history["epoch"].astype(int)
    return {name: list(zip(epochs, history[name], strict=True)) for name in csv.HISTORY_COLUMNS[1:]}


def over_sparsities(rows: "pd.DataFrame", method: str) -> Points:
    """The networks of a method."""
    curve = from_control(rows, method)
    steps = curve["k"].map(step_of)
    return {name: list(zip(steps, curve[name], strict=True)) for name in SCALARS if name in curve}


def parameters(settings: Mapping[str, Any], rows: "pd.DataFrame") -> dict[str, Any]:
    """The settings that some network depends on; those that are None are left out."""
    used = [name for name in retraining_settings() if name in rows and rows[name].notna().any()]
    found = {name: settings[name] for name in (*training_settings(), *used)}
    for name in ("dataset", "model"):
        found[name] = short_name(found[name])
    return {name: value for name, value in found.items() if value is not None}


def best_accuracies(rows: "pd.DataFrame") -> dict[float, float]:
    """Test accuracy of the dense network, at 0, and of the best network at some sparsities; NaN
    where there is none."""
    best = {k: best_at(rows, k) for k in COMPARED}
    return {
        0: baseline_of(rows)["test_accuracy"],
        **{k: np.nan if row is None else row["test_accuracy"] for k, row in best.items()},
    }
