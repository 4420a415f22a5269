"""Which settings of a sweep matter, and which value of each is the best."""

import numpy as np
import pandas as pd
import pytest
from network_pruning.sweeps import importance, tables
from network_pruning.sweeps.importance import by_importance
from network_pruning.sweeps.paths import SweepPaths
from sweep_folders import K_VALS, METHODS, write_sweep

TWO_BY_TWO = {"l1_reg": [0.0, 0.001], "batch_size": [32, 64]}


def table_of(paths, record):
    return tables.table_of(record, tables.collect(paths, record))


def shares_of(tmp_path, varied, accuracies, trials=None, **record):
    paths, record = write_sweep(tmp_path, varied, accuracies, trials, **record)
    return importance.importance(record, table_of(paths, record)), record


def explained(shares, of="objective", k=0.99):
    own = shares[(shares["of"] == of) & (shares["k"] == k)]
    return dict(zip(own["setting"], own["explained"], strict=True))


def test_what_the_better_half_has_matters_by_hand(tmp_path):
    """0.5 0.6 / 0.7 0.8: the better two have one value of l1_reg, and each batch_size once."""
    shares, _ = shares_of(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, 0.8])
    assert explained(shares) == {"l1_reg": 1, "batch_size": 0}
    assert explained(shares, "weight", 0.9) == {"l1_reg": 1, "batch_size": 0}
    row = shares.iloc[0]
    assert (row["column"], row["values"], row["trials"]) == ("valid_accuracy", 2, 4)
    assert row["best"] == "0.001"
    assert row["best_mean"] == pytest.approx(0.75 - 0.099)
    assert len(shares) == 2 * (1 + len(METHODS) * len(K_VALS))


def test_shares_sum_to_one_and_those_by_chance_too(tmp_path):
    varied = {"l1_reg": [0.0, 0.1, 0.2], "batch_size": [32, 64], "seed": [0, 1]}
    accuracies = [0.8, 0.81, 0.79, 0.8, 0.6, 0.61, 0.6, 0.62, 0.3, 0.31, 0.3, "failed"]
    shares, record = shares_of(tmp_path, varied, accuracies)
    own = shares[shares["of"] == "objective"].set_index("setting")
    assert own["explained"].sum() == pytest.approx(1)
    assert own["by_chance"].sum() == pytest.approx(1)
    assert own.loc["l1_reg", "explained"] > 0.7 > own.loc["l1_reg", "by_chance"]
    assert by_importance(record, shares)[0] == "l1_reg"
    assert by_importance(record, shares)[-1] == "seed"
    paths = SweepPaths.of(tmp_path, record["sweep_id"])
    again = importance.importance(record, table_of(paths, record))
    pd.testing.assert_frame_equal(again, shares)


def test_equal_trials_are_not_parted_into_better_and_worse(tmp_path):
    """Of 0.5 0.5 / 0.5 0.9 the last alone is better: each setting has half."""
    shares, _ = shares_of(tmp_path, TWO_BY_TWO, [0.5, 0.5, 0.5, 0.9])
    assert explained(shares) == {"l1_reg": 0.5, "batch_size": 0.5}
    shares, _ = shares_of(tmp_path / "other", TWO_BY_TWO, [0.9, 0.9, 0.9, 0.5])
    assert explained(shares) == {"l1_reg": 0.5, "batch_size": 0.5}


def test_a_goal_may_be_small_and_chance_has_no_best(tmp_path):
    shares, _ = shares_of(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, 0.8], goal="min")
    assert shares.iloc[0]["best"] == "0.0"
    by_chance = shares[(shares["of"] == "weight/random") & (shares["setting"] == "l1_reg")]
    assert by_chance["explained"].notna().all()
    assert by_chance["best"].isna().all()


@pytest.mark.parametrize(
    ("varied", "accuracies"), [(TWO_BY_TWO, [0.5] * 4), ({"l1_reg": [0, 1, 2]}, [0.5, 0.6, 0.7])]
)
def test_where_there_is_nothing_to_compare_nothing_is_explained(tmp_path, varied, accuracies):
    shares, _ = shares_of(tmp_path, varied, accuracies)
    assert shares[["explained", "by_chance"]].isna().all(axis=None)
    assert shares.iloc[0]["best"] is not None


def test_of_drawn_numbers_a_quarter_is_the_best(tmp_path):
    rates = [float(f"{10 ** (-number / 4):.4g}") for number in range(12)]
    trials = [{"learning_rate": rate, "batch_size": 32 << n % 2} for n, rate in enumerate(rates)]
    shares, _ = shares_of(
        tmp_path,
        {"learning_rate": "loguniform(0.001, 1)", "batch_size": [32, 64]},
        [0.9 if rate < 0.01 else 0.5 for rate in rates],
        trials,
        search="random",
        samples=12,
    )
    row = shares.iloc[0]
    assert (row["values"], row["best"]) == (4, "0.001778 to 0.005623")
    assert row["explained"] > 0.9


def test_names_that_plotly_would_take_for_html_are_plain(tmp_path):
    evil = {"<img src=x>": ["<b>", "a&b"], "seed": [0, 1]}
    shares, record = shares_of(tmp_path, evil, [0.5, 0.6, 0.7, 0.8])
    assert explained(shares) == {"<img src=x>": 1, "seed": 0}
    (trial, *_) = importance.study_of(record).trials
    assert trial.params == {"&lt;img src=x&gt;": "&lt;b&gt;", "seed": "0"}
    assert np.isfinite(importance.objectives_of(record)).all()
