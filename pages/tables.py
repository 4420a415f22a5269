"""Data for the figures and tables of an experiment's page: curves, layer sparsities, rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..utils import percent
from ..visualization import console, csv, graph
from ..visualization.controls import is_control, of_methods
from ..visualization.tables import baseline_of, json_numbers, missed, pair_of

# The most important columns come first: the table may be wider than the screen.
TABLE_COLUMNS = (
    *("method", "k", "sparsity", "test_accuracy", "valid_accuracy", "compression_ratio"),
    *("speedup", "rounds", "effective_sparsity", "test_cross_entropy", "test_loss"),
    *("nonzero", "living", "multiply_adds", "recipe"),
)
SUMMARY_COLUMNS = (
    *("method", "k", "sparsity_mean", "test_accuracy_mean", "test_accuracy_sd"),
    *("test_accuracy_low", "test_accuracy_high", "valid_accuracy_mean"),
    *("compression_ratio_mean", "speedup_mean", "rounds", "seeds"),
)
# What the columns of both tables are, in the report's words; docs/methods.md has all columns.
MEANINGS = {
    "method": "what is pruned and how; methods with random prune at random, for comparison",
    "k": "the target sparsity",
    "sparsity": "the share of the hidden weights that are zero",
    "test_accuracy": "the share of the test examples that are classified correctly",
    "valid_accuracy": "the same for the validation examples, which networks are chosen on",
    "compression_ratio": "all parameters of the dense network over the effective ones",
    "speedup": "theoretical: the dense network's multiply-adds over those of the effective weights",
    "rounds": "rounds of further training after the dense network's; 0 is no retraining",
    "effective_sparsity": "sparsity with weights without influence on the outputs counted too",
    "test_cross_entropy": "the loss on the test examples without the L1 and L2 penalty",
    "test_loss": "the same with the penalty",
    "nonzero": "weights and biases that are not zero",
    "living": "the effective parameters: weights that are not zero and have an influence on the "
    "outputs, and the biases of units with such an influence",
    "multiply_adds": "multiply-adds of the effective weights for one example",
    "recipe": "a digest of everything that the network depends on; it names the network's file",
    "sparsity_mean": "the share of the hidden weights that are zero, the mean over the seeds",
    "test_accuracy_mean": "mean test accuracy over the seeds",
    "test_accuracy_sd": "its sample standard deviation over the seeds",
    "test_accuracy_low": "the lower end of its 95 % interval",
    "test_accuracy_high": "the upper end of its 95 % interval",
    "valid_accuracy_mean": "mean validation accuracy over the seeds",
    "compression_ratio_mean": "all parameters of the dense network over the effective ones, the "
    "mean over the seeds",
    "speedup_mean": "theoretical: the dense network's multiply-adds over those of the effective "
    "weights, the mean over the seeds",
    "seeds": "the number of seeds",
}
# The limits of an interval; the accuracies of two seeds, which have no interval.
SPREAD = ("low", "high", "one", "other")


def baseline(rows: pd.DataFrame) -> dict[str, float | None]:
    """Accuracy and loss of the untouched dense network."""
    dense = baseline_of(rows)
    accuracy, loss = json_numbers([dense["test_accuracy"], dense.get(_loss_of(rows))])
    return {"accuracy": accuracy, "loss": loss}


def _loss_of(rows):
    return "test_loss" if "test_loss" in rows else "test_cross_entropy"


def curves(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The points of every method's curve: of a table of networks, or of means."""
    rows = _with_seeds(rows).assign(missed=missed(rows).astype(float))
    found = []
    for method, group in of_methods(rows).groupby("method", sort=False):
        own = graph.from_control(rows, method)
        found.append(
            {
                "method": method,
                "floor": bool((group["criterion"] == "random").all()),
                **{
                    name: json_numbers(own[column])
                    for name, column in (
                        *(("k", "k"), ("sparsity", "sparsity"), ("missed", "missed")),
                        ("ratio", "compression_ratio"),
                        ("speedup", "speedup"),
                        ("accuracy", "test_accuracy"),
                        ("valid", "valid_accuracy"),
                        ("loss", _loss_of(own)),
                        *((name, f"test_accuracy_{name}") for name in SPREAD),
                    )
                    if column in own
                },
            }
        )
    return found


def _with_seeds(rows):
    """Means, with the accuracies of the seeds where there are only two, without an interval."""
    if "seeds" not in rows:
        return rows
    one, other = pair_of(rows)
    return rows.assign(test_accuracy_one=one, test_accuracy_other=other)


def layer_sparsities(rows: pd.DataFrame) -> dict[str, Any]:
    """The share of each hidden layer that is zero, by method and sparsity."""
    columns = [column for column in rows if column.startswith("sparsity_")]
    columns = [column for column in columns if rows[column].notna().any()]
    return {
        "names": [column.removeprefix("sparsity_") for column in columns],
        "rows": [
            {
                "method": row["method"],
                "k": row["k"],
                "shares": json_numbers(row[column] for column in columns),
            }
            for row in rows.to_dict("records")
        ],
    }


def table(rows: pd.DataFrame, columns: Sequence[Any]) -> dict[str, Any]:
    """The rows as cells, with a mark where clearly fewer weights were removed than requested."""
    columns = [column for column in columns if column in rows and rows[column].notna().any()]
    sparsity = columns.index("sparsity" if "sparsity" in columns else "sparsity_mean")
    cells = [
        [_cell(column, value) for column, value in zip(columns, values, strict=True)]
        for values in rows[columns].itertuples(index=False)
    ]
    for row, control in zip(cells, is_control(rows), strict=True):
        if control:
            row[columns.index("k")]["text"] += ", control"
    for row, less in zip(cells, missed(csv.means_of(rows)), strict=True):
        if less:
            row[sparsity]["text"] += f" {console.LESS}"
    meanings = {column: MEANINGS[column] for column in columns}
    return {"columns": columns, "meanings": meanings, "rows": cells}


def _cell(column, value):
    """A number to sort by, and the text that is shown."""
    if pd.isna(value):
        return {"value": None, "text": "–"}
    if isinstance(value, str):
        return {"value": value, "text": value}
    if np.isinf(value):
        return {"value": 1e300, "text": "∞"}
    if column == "k":
        text = percent(float(value))
    elif "accuracy" in column or "sparsity" in column:
        text = f"{100 * value:.2f} %"
    elif column.startswith(("compression_ratio", "speedup")):
        text = f"{value:,.{int(value < 100)}f}×"
    else:
        text = f"{value:,}" if isinstance(value, int | np.integer) else f"{value:.4f}"
    return {"value": float(value), "text": text}
