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
    assert controls.baseline_of(rows[rows["method"] == TRAINS]) is None


def test_a_table_of_an_earlier_version_has_no_control():
    assert controls.control_of(ROWS.drop(columns="rounds"), TRAINS) is None
    assert controls.compared_with(ROWS.drop(columns="rounds")) == ""


def test_baseline_and_control_in_a_sentence():
    text = controls.compared_with(ROWS)
    assert "Baseline, the dense network as it is: 98.00 %." in text
    assert text.endswith("(at 0 % of methods that train): 99.00 % after one round.")
    after = ROWS.assign(rounds=ROWS["rounds"] * 4)
    assert controls.compared_with(after).endswith(": 99.00 % after 4 rounds.")
    more = ROWS.assign(rounds=ROWS["rounds"] * [1, 1, 1, 1, 1, 3])
    assert "have had 3 rounds of it; --control_rounds=3 gives" in controls.compared_with(more)
    assert controls.compared_with(ROWS[ROWS["method"] != TRAINS]) == ""
