from dataclasses import dataclass

import pytest
from network_pruning.utils import RunError
from network_pruning.visualization import csv


@dataclass
class Epoch:
    epoch: int
    loss: float
    accuracy: float
    val_loss: float | None
    val_accuracy: float | None


def row(loss, accuracy):
    return {"test_loss": loss, "test_accuracy": accuracy}


def test_the_results_table_to_the_byte(tmp_path):
    weight = [row(0.08351, 0.977), row(1.65436, 0.95532)]
    unit = [row(0.08351, 0.977), row(2.28914, 0.1733)]
    csv.write_results(tmp_path / "results.csv", (0.0, 0.995), weight, unit)
    assert (tmp_path / "results.csv").read_bytes() == (
        b"Sparsity (%),Test Accuracy (Weight),Test Accuracy (Unit),"
        b"Test Loss: (Weight),Test Loss: (Unit)\n"
        b"0.0000,0.9770,0.9770,0.0835,0.0835\n"
        b"0.9950,0.9553,0.1733,1.6544,2.2891\n"
    )


def test_a_history_is_read_as_it_was_written(tmp_path):
    epochs = [Epoch(1, 1 / 3, 0.5, 0.25, 0.125), Epoch(2, 0.1, 0.75, 0.2, 0.5)]
    csv.write_history(tmp_path / "history.csv", epochs)
    rows = csv.read_history(tmp_path / "history.csv")
    assert rows == [vars(epoch) for epoch in epochs]


def test_no_validation_is_an_empty_cell(tmp_path):
    csv.write_history(tmp_path / "history.csv", [Epoch(1, 0.5, 0.5, None, None)])
    assert (tmp_path / "history.csv").read_text().endswith("1,0.5,0.5,,\n")
    assert csv.read_history(tmp_path / "history.csv")[0]["val_loss"] is None


@pytest.mark.parametrize("text", ["nonsense\n1\n", "epoch,loss,accuracy,val_loss,val_accuracy\nx,"])
def test_another_table_is_refused(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(RunError, match="is not a training history"):
        csv.read_history(tmp_path / "history.csv")


METRICS = {
    **dict.fromkeys(csv.METRICS_TEXTS, "text"),
    "seed": 3,
    "k": 0.1,
    "nonzero": 7,
    "multiply_adds": 8,
    "valid_accuracy": None,
    "test_accuracy": 1 / 3,
}


def test_metrics_are_read_as_they_were_written(tmp_path):
    table = [METRICS, {**METRICS, "k": 0.2, "valid_accuracy": 0.5}]
    csv.write_metrics(tmp_path / "metrics.csv", table)
    assert csv.read_metrics(tmp_path / "metrics.csv") == table
    assert csv.read_metrics(tmp_path / "none.csv") == []


@pytest.mark.parametrize("text", ["nonsense\n1\n", ",".join(METRICS) + "\n" + "x," * 20])
def test_another_table_is_not_taken_for_metrics(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(RunError, match="remove it to test all networks again"):
        csv.read_metrics(tmp_path / "metrics.csv")
