import pandas as pd
import pytest
from network_pruning.experiments.replicates import BOUNDS, IDENTITY, WITHOUT_INTERVAL, summarize


def table(*rows):
    """Rows of (k, accuracy) for one method each; everything else is 1."""
    same = dict.fromkeys((*IDENTITY, *BOUNDS, *WITHOUT_INTERVAL), 1.0)
    return pd.DataFrame([{**same, "k": k, "test_accuracy": accuracy} for k, accuracy in rows])


def test_the_interval_by_hand():
    (row,) = summarize(table((0.5, 0.4), (0.5, 0.5), (0.5, 0.6))).to_dict("records")
    assert row["seeds"] == 3
    assert row["test_accuracy_mean"] == pytest.approx(0.5)
    assert row["test_accuracy_sd"] == pytest.approx(0.1)
    # Student's t with two degrees of freedom: 4.302653 at 97.5 %.
    half = 4.302653 * 0.1 / 3**0.5
    assert row["test_accuracy_low"] == pytest.approx(0.5 - half, rel=1e-6)
    assert row["test_accuracy_high"] == pytest.approx(0.5 + half, rel=1e-6)


def test_intervals_end_where_the_quantity_does():
    """Two seeds far apart: the plain interval would go from -2.68 to 4.48."""
    (row,) = summarize(table((0.5, 0.8), (0.5, 1.0))).to_dict("records")
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == (0, 1)
    assert row["compression_ratio_low"] == 1


def test_times_have_no_interval():
    summary = summarize(table((0.5, 0.8), (0.5, 1.0)))
    assert {"seconds_mean", "seconds_sd"} <= set(summary)
    assert not {"seconds_low", "seconds_high"} & set(summary)


def test_a_single_seed_has_a_mean_only():
    (row,) = summarize(table((0.5, 0.8))).to_dict("records")
    assert row["test_accuracy_mean"] == 0.8
    assert all(pd.isna(row[f"test_accuracy_{what}"]) for what in ("sd", "low", "high"))


def test_rows_of_one_method_and_sparsity_belong_together():
    summary = summarize(table((0.5, 0.8), (0.9, 0.1), (0.5, 0.9), (0.9, 0.3)))
    assert list(summary["k"]) == [0.5, 0.9]
    assert list(summary["seeds"]) == [2, 2]
    assert summary["test_accuracy_mean"].to_list() == pytest.approx([0.85, 0.2])
    assert summary["test_accuracy_sd"][1] == pytest.approx(0.2 / 2**0.5)


@pytest.mark.parametrize("column", ["valid_accuracy", "seconds"])
def test_a_value_that_one_seed_lacks_has_no_mean(column):
    rows = table((0.5, 0.8), (0.5, 0.9), (0.9, 0.5), (0.9, 0.6))
    rows.loc[0, column] = None
    summary = summarize(rows)
    assert pd.isna(summary[f"{column}_mean"][0])
    assert summary[f"{column}_mean"][1] == 1
