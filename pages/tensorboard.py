"""TensorBoard's runs of an experiment, collected from its folder; without TensorFlow."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..experiments.network_diagnostics import read_diagnostics
from ..experiments.paths import plain_name
from . import logged
from .events import Run, write_events

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths


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
    _, settings, rows = logged.finished(paths)
    runs = {
        **{
            plain_name(method): Run(
                logged.over_sparsities(rows, method), _distributions(paths, rows, method)
            )
            for method in rows["method"].unique()
        },
        "training": Run(logged.over_epochs(paths, settings)),
        "figures": _figures(paths),
        "summary": _summary(settings, rows),
    }
    write_events(paths.tensorboard, runs, paths.metrics.stat().st_mtime)
    return paths.tensorboard


def _distributions(paths, rows, method):
    """Histograms of the weights of every hidden layer, or of the norms of its units."""
    found = {}
    for row in rows[rows["method"] == method].sort_values("k").itertuples():
        diagnostics = read_diagnostics(paths.diagnostics(row.recipe))
        if diagnostics is None:
            continue
        what = "unit_norms" if str(row.granularity).startswith("unit") else "weights"
        for layer, low, high, counts in zip(
            diagnostics.layers, diagnostics.low, diagnostics.high, diagnostics.counts, strict=True
        ):
            edges = np.linspace(low, high, len(counts) + 1)
            found.setdefault(f"{what}/{layer}", []).append((logged.step_of(row.k), edges, counts))
    return found


def _figures(paths):
    figures = (paths.loss_accuracy, paths.pruned_curves, paths.method_comparison)
    return Run(images={file.stem: _pixels(file) for file in figures if file.exists()})


def _pixels(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _summary(settings, rows):
    """A row of HParams: the settings, and the accuracies of the best networks."""
    metrics = {
        f"test_accuracy_{f'k={k}' if k else 'dense'}": accuracy
        for k, accuracy in logged.best_accuracies(rows).items()
    }
    return Run(
        {name: [(0, value)] for name, value in metrics.items()},
        hparams=logged.parameters(settings, rows),
    )
