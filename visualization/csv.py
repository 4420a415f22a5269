"""The CSV tables: `history.csv`, one row per epoch, and `results.csv`, one row per sparsity."""

import csv
import io

from ..utils import RunError, write_text

HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
RESULTS_COLUMNS = (
    "Sparsity (%)",
    "Test Accuracy (Weight)",
    "Test Accuracy (Unit)",
    "Test Loss: (Weight)",
    "Test Loss: (Unit)",
)


def write_history(path, epochs):
    """Writes one row per epoch; the validation columns are empty where nothing is held out.

    Args:
        path: the file to write.
        epochs: objects with the attributes HISTORY_COLUMNS.
    """
    rows = [[getattr(epoch, column) for column in HISTORY_COLUMNS] for epoch in epochs]
    _write(path, HISTORY_COLUMNS, rows, "%r")


def read_history(path):
    """The rows of a history as dictionaries of numbers, or None for an empty cell.

    Raises:
        RunError: if the file is missing or not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {column: float(row[column]) if row[column] else None for column in HISTORY_COLUMNS}
                for row in csv.DictReader(file)
            ]
        if not rows:
            raise ValueError("no rows")
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise RunError(
            f"{path} is not a training history ({error}); restore it, or train anew with "
            "--force_train."
        ) from error
    return rows


def write_results(path, k_vals, weight, unit):
    """Writes the table of the reference experiment.

    Args:
        path: the file to write.
        k_vals: sparsities as fractions; the first column holds them unchanged.
        weight: metrics of weight pruning with `loss` and `accuracy`, one for each sparsity.
        unit: the same for unit pruning.
    """
    rows = [
        [k, w.accuracy, u.accuracy, w.loss, u.loss]
        for k, w, u in zip(k_vals, weight, unit, strict=True)
    ]
    _write(path, RESULTS_COLUMNS, rows, "%.4f")


def _write(path, columns, rows, number_format):
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(value, number_format) for value in row] for row in rows)
    write_text(path, text.getvalue())


def _cell(value, number_format):
    if value is None:
        return ""
    return number_format % value if isinstance(value, float) else str(value)
