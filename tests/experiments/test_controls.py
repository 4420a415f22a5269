"""Which rows of `metrics.csv` pruned networks are compared with."""

import pandas as pd
import pytest
from network_pruning.experiments import controls

TRAINED = "weight/gradual/finetune"


def row(method, k, rounds=0, finetune_epochs=None, test_accuracy=0.9):
    trains = method == TRAINED
    return {
        "method": method,
        "schedule": "gradual" if trains else "oneshot",
        "recovery": "finetune" if trains else "none",
        "k": k,
        "rounds": rounds,
        "finetune_epochs": finetune_epochs,
        "shift": 1 if trains else None,
        "test_accuracy": test_accuracy,
    }


@pytest.fixture
def rows():
    rows = pd.DataFrame(
        [
            row("weight", 0.0, test_accuracy=0.901),
            row("baseline", 0.0, test_accuracy=0.902),
            row("weight", 0.9),
            row(TRAINED, 0.0, 1, 5, test_accuracy=0.95),
            row(TRAINED, 0.9, 1, 5),
            row(TRAINED, 0.0, 1, 9, test_accuracy=0.99),
            row(TRAINED, 0.9, 1, 9),
        ]
    )
    return rows.astype({"finetune_epochs": "Int64", "shift": "Int64"})


def test_the_baseline_is_the_row_of_this_name_or_an_unpruned_one_that_was_not_trained(rows):
    assert controls.baseline_of(rows)["test_accuracy"] == 0.902
    others = rows[rows["method"] != "baseline"].sort_values("method", key=lambda m: m != TRAINED)
    assert controls.baseline_of(others)["test_accuracy"] == 0.901
    assert controls.baseline_of(rows[rows["k"] > 0]) is None


def test_the_control_is_the_further_trained_network_of_the_same_settings(rows):
    for place, accuracy in ((4, 0.95), (6, 0.99)):
        alike = controls.trained_alike(rows, rows.to_dict("records")[place])
        assert controls.control_of(alike, TRAINED)["test_accuracy"] == accuracy


def test_the_control_of_a_method_that_does_not_train_is_the_baseline(rows):
    alike = controls.trained_alike(rows, rows.to_dict("records")[2])
    assert controls.control_of(alike, "weight")["method"] == "baseline"


def test_tables_of_earlier_versions_have_no_controls(rows):
    earlier = rows[rows["method"] != "baseline"].drop(columns="rounds")
    assert not controls.is_control(earlier).any()
    assert controls.control_of(earlier, TRAINED) is None
    assert controls.control_of(earlier, "weight")["test_accuracy"] == 0.901


def test_trained_networks_have_files_controls_too(rows):
    assert list(controls.is_trained(rows)) == [False, False, False, True, True, True, True]
    assert not controls.is_trained(rows.drop(columns="rounds"))[3]
