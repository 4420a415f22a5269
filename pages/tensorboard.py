"""TensorBoard's runs of an experiment, collected from its folder; without TensorFlow."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..experiments import folder
from ..experiments.finished import best_at, networks_of_record
from ..experiments.network_diagnostics import read_diagnostics
from ..experiments.paths import plain_name
from ..settings.experiment import retraining_settings, training_settings
from ..settings.files import short_name
from ..utils import RunError
from ..visualization import csv
from ..visualization.graph import from_control
from ..visualization.tables import baseline_of
from .events import Run, write_events
from .experiment_page import COMPARED
from .settings_table import DEFAULTS

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths


SCALARS = (
    *("test_accuracy", "valid_accuracy", "test_loss"),
    *("compression_ratio", "speedup", "sparsity"),
)


def write_tensorboard(paths: "ArtifactPaths") -> Path:
    """Writes TensorBoard's files of an experiment, replacing earlier ones.

    In the folder `tensorboard` there is a run `training`, whose steps are epochs; one for every
    method, whose steps are sparsities; `figures`; and `summary`, a row of HParams. Steps are
    integers: sparsities are in hundredths of a per cent, 9000 for 0.9. All events have the date of
    the table of networks. The same results give the same bytes, except in `summary`, where settings
    have no order.

    Args:
        paths: the `ArtifactPaths`. No other process may write to its folder.

    Returns:
        The folder.

    Raises:
        RunError: if there are no results yet, they cannot be read, the files cannot be written, or
            tensorboardX is not installed.
    """
    record: Any = folder.read_record(paths)
    rows = None if record is None else networks_of_record(paths, record)
    if rows is None:
        raise RunError(f"{paths.root} has no tested networks yet; run the experiment to its end.")
    settings = {**DEFAULTS, **record["settings"]}
    runs = {
        **{
            plain_name(method): _of_method(paths, rows, method)
            for method in rows["method"].unique()
        },
        "training": _training(paths, settings),
        "figures": _figures(paths),
        "summary": _summary(settings, rows),
    }
    write_events(paths.tensorboard, runs, paths.metrics.stat().st_mtime)
    return paths.tensorboard


def _step(k):
    return round(1e4 * k)


def _training(paths, settings):
    if not settings["epochs"] or not paths.history.exists():
        return Run()
    history = csv.read_history(paths.history)
    epochs = history["epoch"].astype(int)
    names = csv.HISTORY_COLUMNS[1:]
    return Run({name: list(zip(epochs, history[name], strict=True)) for name in names})


def _of_method(paths, rows, method):
    curve = from_control(rows, method)
    steps = curve["k"].map(_step)
    return Run(
        {name: list(zip(steps, curve[name], strict=True)) for name in SCALARS if name in curve},
        _distributions(paths, rows[rows["method"] == method].sort_values("k")),
    )


def _distributions(paths, rows):
    """Histograms of the weights of every hidden layer, or of the norms of its units."""
    found = {}
    for row in rows.itertuples():
        diagnostics = read_diagnostics(paths.diagnostics(row.recipe))
        if diagnostics is None:
            continue
        what = "unit_norms" if str(row.granularity).startswith("unit") else "weights"
        for layer, low, high, counts in zip(
            diagnostics.layers, diagnostics.low, diagnostics.high, diagnostics.counts, strict=True
        ):
            edges = np.linspace(low, high, len(counts) + 1)
            found.setdefault(f"{what}/{layer}", []).append((_step(row.k), edges, counts))
    return found


def _figures(paths):
    figures = (paths.loss_accuracy, paths.pruned_curves, paths.method_comparison)
    return Run(images={file.stem: _pixels(file) for file in figures if file.exists()})


def _pixels(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _summary(settings, rows):
    """The settings that some network depends on, and the accuracies of the networks."""
    used = [name for name in retraining_settings() if name in rows and rows[name].notna().any()]
    hparams = {name: settings[name] for name in (*training_settings(), *used)}
    for name in ("dataset", "model"):
        hparams[name] = short_name(hparams[name])
    metrics = {
        "test_accuracy_dense": baseline_of(rows)["test_accuracy"],
        **{f"test_accuracy_k={k}": _best(rows, k) for k in COMPARED},
    }
    return Run(
        {name: [(0, value)] for name, value in metrics.items()},
        hparams={name: value for name, value in hparams.items() if value is not None},
    )


def _best(rows, k):
    """Test accuracy of the best network at a sparsity; NaN if there is none."""
    best = best_at(rows, k)
    return np.nan if best is None else best["test_accuracy"]
