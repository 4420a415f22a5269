"""The CSV tables, as pandas' data frames: `history.csv`, one row per epoch; `results.csv`, one row
per sparsity; and `metrics.csv`, one row per network with all of its metrics and settings."""

from collections import defaultdict
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

from ..utils import RunError, write_text

if TYPE_CHECKING:
    import pandas as pd


HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
RESULTS_COLUMNS = (
    "Sparsity (%)",
    "Test Accuracy (Weight)",
    "Test Accuracy (Unit)",
    "Test Loss: (Weight)",
    "Test Loss: (Unit)",
)
# Columns of `metrics.csv`. Others are the user's own, except for the sparsities of layers.
METRICS_TEXTS = (
    "experiment",
    "dataset",
    "model",
    "method",
    "granularity",
    "criterion",
    "scope",
    "schedule",
    "recovery",
    "earlier_k",
    "plugins",
    "recipe",
    "checkpoint",
)
METRICS_COUNTS = (
    "batch_size",
    "epochs",
    "num_valid",
    "seed",
    "calibration_examples",
    "prune_epochs",
    "finetune_epochs",
    "rewind_epoch",
    "shift",
    "rounds",
    "nonzero",
    "living",
    "multiply_adds",
)
METRICS_NUMBERS = (
    "learning_rate",
    "l1_reg",
    "l2_reg",
    "k",
    "prune_fraction",
    "finetune_learning_rate",
    "distillation",
    "sparsity",
    "effective_sparsity",
    "compression_ratio",
    "speedup",
    "valid_accuracy",
    "valid_cross_entropy",
    "test_accuracy",
    "test_cross_entropy",
    "test_loss",
    "seconds",
)
METRICS_TYPES = {
    **dict.fromkeys(METRICS_TEXTS, object),
    **dict.fromkeys(METRICS_COUNTS, "Int64"),
    **dict.fromkeys(METRICS_NUMBERS, float),
    "keep_best": "boolean",
}


def write_history(path: str | PathLike, epochs: Iterable[Any]) -> None:
    """Writes one row per epoch; the validation columns are empty where nothing is held out.

    Args:
        path: the file to write.
        epochs: objects with the attributes HISTORY_COLUMNS.
    """
    import pandas as pd

    rows = [[getattr(epoch, column) for column in HISTORY_COLUMNS] for epoch in epochs]
    _write(path, pd.DataFrame(rows, columns=HISTORY_COLUMNS))


def read_history(path: str | PathLike) -> "pd.DataFrame":
    """A history as a table; missing values are NaN.

    Raises:
        RunError: if the file is missing or not such a table.
    """
    try:
        history = _read(path)[list(HISTORY_COLUMNS)].astype(float)
        if history.empty or history["loss"].isna().any():
            raise ValueError("rows are missing")
    except (OSError, KeyError, ValueError) as error:
        raise RunError(
            f"{path} is not a training history ({_first_line(error)}); restore it, or train again "
            "with --force_train."
        ) from error
    return history


def write_results(path: str | PathLike, weight: "pd.DataFrame", unit: "pd.DataFrame") -> None:
    """Writes the table of the reference experiment.

    Args:
        path: the file to write.
        weight: the metrics of weight pruning, with `k`, `test_accuracy` and `test_loss`.
        unit: those of unit pruning, at the same sparsities; empty for a network without units that
            can be removed.
    """
    import pandas as pd

    by_k = [rows.set_index("k").reindex(weight["k"]) for rows in (weight, unit)]
    columns = (
        weight["k"],
        *(rows[what] for what in ("test_accuracy", "test_loss") for rows in by_k),
    )
    results = pd.DataFrame(dict(zip(RESULTS_COLUMNS, map(list, columns), strict=True)))
    _write(path, results, float_format="%.4f")


def write_metrics(path: str | PathLike, metrics: "pd.DataFrame") -> None:
    """Writes a table of networks, or a summary of several seeds, with all digits."""
    _write(path, metrics)


def read_metrics(path: str | PathLike) -> "pd.DataFrame | None":
    """The table that `write_metrics` wrote, or None if there is no file.

    Missing values are NaN, in columns of counts and of `keep_best` NA. Columns added by users are
    read as texts.

    Raises:
        RunError: if it is not such a table.
    """
    try:
        metrics = _read(path, dtype=defaultdict(lambda: object, METRICS_TYPES))
        if not {"method", "k", "recipe", "checkpoint"} <= set(metrics.columns):
            raise ValueError("columns are missing")
        return typed(metrics)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            f"{path} is not a table of this program ({_first_line(error)}); restore it, or remove "
            "it: trained networks are kept, and all are tested again."
        ) from error


def means_of(summary: "pd.DataFrame") -> "pd.DataFrame":
    """A summary of several seeds as a table of networks: the means under the plain names."""
    return summary.rename(columns=lambda name: name.removesuffix("_mean"))


def typed(metrics: "pd.DataFrame") -> "pd.DataFrame":
    """A table of networks with the types of its columns; columns of users stay as they are."""
    types = {column: _type_of(column) for column in metrics.columns}
    # A copy has the columns of a type together, so that rows are chosen faster.
    return metrics.astype({column: kind for column, kind in types.items() if kind}).copy()


def _type_of(column):
    return float if column.startswith("sparsity_") else METRICS_TYPES.get(column)


def _read(path, **options):
    import pandas as pd

    # An experiment may be called "nan" or "None": only an empty cell is missing.
    return pd.read_csv(
        path,
        keep_default_na=False,
        na_values=[""],
        float_precision="round_trip",
        encoding="utf-8",
        **options,
    )


def _write(path, table, **options):
    write_text(path, table.to_csv(index=False, lineterminator="\n", **options))


def _first_line(error):
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
