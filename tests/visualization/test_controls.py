import pandas as pd
import pytest
from network_pruning.pruning import methods
from network_pruning.visualization import controls

COLUMNS = ["method", "schedule", "recovery", "k", "rounds", "test_accuracy"]
TRAINS = "weight/gradual"
ROWS = pd.DataFrame(
    [
        ("baseline", "oneshot", "none", 0.0, 0, 0.98),
        ("weight", "oneshot", "none", 0.0, 0, 0.98),
        ("weight", "oneshot", "none", 0.9, 0, 0.9),
        ("unit", "oneshot", "none", 0.9, 0, 0.8),
        (TRAINS, "gradual", "none", 0.0, 1, 0.99),
        (TRAINS, "gradual", "none", 0.9, 1, 0.985),
    ],
    columns=COLUMNS,
)


def test_the_row_is_called_as_the_method_is():
    assert methods.BASELINE.name == controls.BASELINE
    assert methods.named("baseline") is methods.BASELINE
    assert methods.named("unit") == methods.Method("unit")


@pytest.mark.parametrize(("method", "accuracy"), [("weight", 0.98), ("unit", 0.98), (TRAINS, 0.99)])
def test_what_networks_of_a_method_are_compared_with(method, accuracy):
    assert controls.control_of(ROWS, method)["test_accuracy"] == accuracy


def test_without_a_row_of_its_own_the_baseline_is_that_of_a_method_that_does_not_train():
    rows = controls.of_methods(ROWS)
    assert set(rows["method"]) == {"weight", "unit", TRAINS}
    assert controls.baseline_of(rows)["method"] == "weight"


def test_a_table_of_an_earlier_version_has_no_control():
    assert controls.control_of(ROWS.drop(columns="rounds"), TRAINS) is None
    assert controls.compared_with(ROWS.drop(columns="rounds")) == ""


def test_baseline_and_control_in_a_sentence():
    text = controls.compared_with(ROWS)
    assert "Baseline, the untouched dense network: 98.00 %." in text
    assert text.endswith("(0 % of methods that retrain): 99.00 % after one round.")
    other = ROWS.assign(method="unit/gradual", test_accuracy=0.97)[ROWS["rounds"] > 0]
    both = pd.concat([ROWS, other], ignore_index=True)
    assert controls.compared_with(both).endswith(
        ": 99.00 % after one round (weight/gradual), 97.00 % after one round (unit/gradual)."
    )
    after = ROWS.assign(rounds=ROWS["rounds"] * 4)
    assert controls.compared_with(after).endswith(": 99.00 % after 4 rounds.")
    more = ROWS.assign(rounds=ROWS["rounds"] * [1, 1, 1, 1, 1, 3])
    assert "were retrained in 3 rounds; --control_rounds=3 gives" in controls.compared_with(more)
    assert controls.compared_with(ROWS[ROWS["method"] != TRAINS]) == ""


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


def test_the_control_is_the_further_trained_network_of_the_same_settings(rows):
    for place, accuracy in ((4, 0.95), (6, 0.99)):
        alike = controls.trained_alike(rows, rows.to_dict("records")[place])
        assert controls.control_of(alike, TRAINED)["test_accuracy"] == accuracy


@pytest.mark.parametrize(
    ("column", "other"), [("finetune_learning_rate", 0.01), ("plugins", "mine@0123")]
)
def test_what_is_empty_for_one_is_not_the_same_as_what_another_has(rows, column, other):
    """The learning rate of fine-tuning is empty at its default, and so are plugins."""
    rows = rows.assign(**{column: pd.Series([None] * 5 + [other] * 2, dtype=object)})
    rows["finetune_epochs"] = rows["finetune_epochs"].where(rows["finetune_epochs"].isna(), 5)
    for place, accuracy in ((4, 0.95), (6, 0.99)):
        alike = controls.trained_alike(rows, rows.to_dict("records")[place])
        assert controls.control_of(alike, TRAINED)["test_accuracy"] == accuracy


def test_the_control_of_a_method_that_does_not_train_is_the_baseline(rows):
    alike = controls.trained_alike(rows, rows.to_dict("records")[2])
    assert controls.control_of(alike, "weight")["method"] == "baseline"


def test_trained_networks_have_files_controls_too(rows):
    assert list(controls.is_trained(rows)) == [False, False, False, True, True, True, True]
    assert not controls.is_trained(rows.drop(columns="rounds"))[3]
