"""The CSV tables: `history.csv`, one row per epoch; `results.csv`, one row per sparsity; and
`metrics.csv`, one row per method and sparsity with all that is known of a network."""

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
        weight: rows of weight pruning with `test_accuracy` and `test_loss`, one for each sparsity.
        unit: the same for unit pruning.
    """
    rows = [
        [k, w["test_accuracy"], u["test_accuracy"], w["test_loss"], u["test_loss"]]
        for k, w, u in zip(k_vals, weight, unit, strict=True)
    ]
    _write(path, RESULTS_COLUMNS, rows, "%.4f")


# Of `metrics.csv`: what is not named is a number.
METRICS_TEXTS = (
    "experiment",
    "method",
    "granularity",
    "criterion",
    "scope",
    "schedule",
    "recovery",
    "recipe",
    "checkpoint",
)
METRICS_COUNTS = ("seed", "nonzero", "multiply_adds")


def write_metrics(path, rows):
    """Writes rows, dictionaries with the same keys, with all digits."""
    _write(path, list(rows[0]), [list(row.values()) for row in rows], "%r")


def read_metrics(path):
    """The rows that `write_metrics` wrote; none if there is no file.

    Raises:
        RunError: if it is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {column: _value(column, text) for column, text in row.items()}
                for row in csv.DictReader(file)
            ]
        if any(not set(METRICS_TEXTS) <= set(row) for row in rows):
            raise ValueError("columns are missing")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} is not a table of this program ({error}); restore it, or remove it to test "
            "all networks again."
        ) from error
    return rows


def _value(column, text):
    if column in METRICS_TEXTS:
        return text
    if column in METRICS_COUNTS:
        return int(text)
    return float(text) if text else None


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
