from dataclasses import dataclass

import pandas as pd
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


def test_the_results_table_to_the_byte(tmp_path):
    weight, unit = (
        pd.DataFrame({"k": [0.0, 0.995], "test_loss": losses, "test_accuracy": accuracies})
        for losses, accuracies in (
            ([0.08351, 1.65436], [0.977, 0.95532]),
            ([0.08351, 2.28914], [0.977, 0.1733]),
        )
    )
    csv.write_results(tmp_path / "results.csv", weight, unit)
    assert (tmp_path / "results.csv").read_bytes() == (
        b"Sparsity (%),Test Accuracy (Weight),Test Accuracy (Unit),"
        b"Test Loss: (Weight),Test Loss: (Unit)\n"
        b"0.0000,0.9770,0.9770,0.0835,0.0835\n"
        b"0.9950,0.9553,0.1733,1.6544,2.2891\n"
    )


def test_a_history_is_read_as_it_was_written(tmp_path):
    epochs = [Epoch(1, 1 / 3, 0.5, 0.25, 0.125), Epoch(2, 0.1, 0.75, 0.2, 0.5)]
    csv.write_history(tmp_path / "history.csv", epochs)
    history = csv.read_history(tmp_path / "history.csv")
    assert history.to_dict("records") == [vars(epoch) for epoch in epochs]
    assert (tmp_path / "history.csv").read_text() == (
        "epoch,loss,accuracy,val_loss,val_accuracy\n"
        "1,0.3333333333333333,0.5,0.25,0.125\n"
        "2,0.1,0.75,0.2,0.5\n"
    )


def test_no_validation_is_an_empty_cell(tmp_path):
    csv.write_history(tmp_path / "history.csv", [Epoch(1, 0.5, 0.5, None, None)])
    assert (tmp_path / "history.csv").read_text().endswith("1,0.5,0.5,,\n")
    assert csv.read_history(tmp_path / "history.csv")["val_loss"].isna().all()


@pytest.mark.parametrize("text", ["nonsense\n1\n", "epoch,loss,accuracy,val_loss,val_accuracy\nx,"])
def test_another_table_is_refused(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(RunError, match="is not a training history"):
        csv.read_history(tmp_path / "history.csv")


METRICS = {
    **dict.fromkeys(csv.METRICS_TEXTS, "text"),
    "seed": 3,
    "k": 0.1,
    "prune_epochs": None,
    "keep_best": False,
    "learning_rate": 0.001,
    "nonzero": 7,
    "multiply_adds": 8,
    "valid_accuracy": None,
    "test_accuracy": 1 / 3,
}


def test_metrics_are_read_as_they_were_written(tmp_path):
    rows = [METRICS, {**METRICS, "k": 0.2, "valid_accuracy": 0.5, "prune_epochs": 4}]
    rows.append({**METRICS, "keep_best": None, "learning_rate": None})
    rows.append({**METRICS, "experiment": "nan", "plugins": None, "seed": 2**32 - 1})
    table = csv.typed(pd.DataFrame(rows))
    csv.write_metrics(tmp_path / "metrics.csv", table)
    read = csv.read_metrics(tmp_path / "metrics.csv")
    pd.testing.assert_frame_equal(read, table)
    assert read["experiment"][3] == "nan"
    again = tmp_path / "again.csv"
    csv.write_metrics(again, read)
    assert again.read_bytes() == (tmp_path / "metrics.csv").read_bytes()
    assert csv.read_metrics(tmp_path / "none.csv") is None


def test_columns_may_stand_in_any_order_and_more_may_come(tmp_path):
    """Rows are told by the names of their columns, never by position."""
    table = csv.typed(pd.DataFrame([METRICS]))
    csv.write_metrics(tmp_path / "metrics.csv", table[sorted(table)].assign(later=1.5))
    read = csv.read_metrics(tmp_path / "metrics.csv")
    pd.testing.assert_frame_equal(read[list(table)], table)


def test_columns_of_others_stay_as_they_are(tmp_path):
    path = tmp_path / "metrics.csv"
    csv.write_metrics(path, csv.typed(pd.DataFrame([METRICS, METRICS])))
    first, one, two = path.read_text().splitlines()
    added = [f"{first},note,grade,code", f"{one},,,007", f'{two},"well done, all",1,1e3', ""]
    path.write_text("\n".join(added))
    read = csv.read_metrics(path)
    assert read["note"][1] == "well done, all"
    csv.write_metrics(path, csv.typed(pd.DataFrame(read.to_dict("records"))))
    assert path.read_text().splitlines() == added[:-1]


@pytest.mark.parametrize("column", ["k", "test_accuracy", "seed", "keep_best", "sparsity_hidden_1"])
def test_columns_of_ours_are_what_they_should_be(tmp_path, column):
    table = pd.DataFrame([{**METRICS, "sparsity_hidden_1": 0.5, column: "x"}])
    csv.write_metrics(tmp_path / "metrics.csv", table)
    with pytest.raises(RunError, match="is not a table of this program"):
        csv.read_metrics(tmp_path / "metrics.csv")


@pytest.mark.parametrize("text", ["nonsense\n1\n", ",".join(METRICS) + "\n" + "x," * 22, ""])
def test_another_table_is_not_taken_for_metrics(tmp_path, text):
    (tmp_path / "metrics.csv").write_text(text)
    with pytest.raises(RunError, match="trained networks are kept"):
        csv.read_metrics(tmp_path / "metrics.csv")
