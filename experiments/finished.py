"""Queries of a finished experiment's tables; without TensorFlow."""

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..pruning.methods import REFERENCE
from ..utils import CLEARLY_LESS, RunError
from ..visualization import csv
from ..visualization.tables import in_order
from . import folder
from .intervals import FEWEST_SEEDS

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig
    from .paths import ArtifactPaths


# Errors of reading a folder whose files have been edited by hand.
FAILURES = (RunError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)


def networks_of_record(paths: "ArtifactPaths", record: dict[str, Any]) -> pd.DataFrame | None:
    """The rows of `metrics.csv` that belong to an experiment's dense network, the latest of each
    method and sparsity, in their order; None if there are none, or no unpruned one."""
    metrics = csv.read_metrics(paths.metrics)
    if metrics is None or "dataset" not in metrics:
        return None
    rows = metrics[
        (metrics["checkpoint"] == record.get("checkpoint_sha256"))
        & (metrics["seed"] == record["settings"].get("seed", 0))
    ]
    rows = rows.drop_duplicates(["method", "k"], keep="last").reset_index(drop=True)
    rows = in_order(rows, requested_methods(record["settings"]))
    return rows if (rows["k"] == 0).any() else None


def requested_methods(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the methods of a run, in the order of its tables."""
    return (*(method.name for method in REFERENCE), *(settings.get("methods") or ()))


def summary_of(paths: "ArtifactPaths") -> pd.DataFrame | None:
    """The summary of several seeds; None if there is none, or none of the dense network.

    Raises:
        RunError: if it cannot be read.
    """
    if not paths.summary.exists():
        return None
    try:
        summary = pd.read_csv(paths.summary, keep_default_na=False, na_values=[""])
        limits = [name for name in summary if name.endswith(("_low", "_high"))]
        # Earlier versions wrote an interval of two seeds as well.
        summary[limits] = summary[limits].mask(summary["seeds"] < FEWEST_SEEDS)
        return summary if (summary["k"] == 0).any() else None
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{paths.summary} is not a table of this program ({error}).") from error


def settings_of_seeds(paths: "ArtifactPaths") -> dict[str, Any]:
    """The settings of an experiment with several seeds, from the first one's record."""
    seeds = paths.seeds()
    for single in seeds.values():
        record = folder.read_record(single)
        if record:
            return {
                **record["settings"],
                "replicates": len(seeds),
                "experiment_id": paths.root.name,
                "output_dir": str(paths.root.parent),
            }
    raise RunError(f"{paths.replicates} has no experiments any more.")


def best_at(rows: pd.DataFrame, k: float) -> pd.Series | None:
    """The network at a sparsity with the best validation accuracy (test accuracy if no examples
    were held out); None if none reached it: patterns such as 2:4 may allow less."""
    rows = rows[(rows["k"] == k) & (rows["sparsity"] >= k - CLEARLY_LESS)]
    rows = rows[rows["test_accuracy"].notna()]
    column = "valid_accuracy" if rows["valid_accuracy"].notna().any() else "test_accuracy"
    return rows.loc[rows[column].idxmax()] if len(rows) else None


def smallest_file(paths: "ArtifactPaths") -> int | None:
    """The bytes of the smallest `.npk` file that has been exported, of any seed."""
    sizes = []
    for place in (paths, *paths.seeds().values()):
        with contextlib.suppress(*FAILURES):
            record = json.loads(place.export_record.read_text(encoding="utf-8"))
            sizes.append(int(record["after"]["npk_bytes"]))
    return min(sizes, default=None)


def kept_epoch(config: "ExperimentConfig", history: pd.DataFrame) -> int:
    """The number of the epoch whose checkpoint was kept, from 1."""
    losses = history["loss" if history["val_loss"].isna().any() else "val_loss"]
    return 1 + int(losses.argmin()) if config.keep_best else len(losses)
