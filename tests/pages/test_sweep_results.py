"""What came out of a sweep: tables, shares of variance, and what is said of them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_pruning.pages import index_page, sweep_page, sweep_results
from network_pruning.sweeps import tables
from network_pruning.sweeps.levels import levels_of
from sweep_folders import K_VALS, METHODS, grid, write_sweep

TWO_BY_TWO = {"l1_reg": [0.0, 0.001], "batch_size": [32, 64]}


def results(paths, record):
    table = tables.summary(paths, record)
    shares = tables.importance(record, table)
    return table, shares


def explained(shares, of="objective", k=0.99):
    own = shares[(shares["of"] == of) & (shares["k"] == k)]
    return dict(zip(own["setting"], own["explained"], strict=True))


def test_what_each_setting_explains_by_hand(tmp_path):
    """0.5 0.6 / 0.7 0.8: means 0.55 and 0.75, 0.6 and 0.7; variances 0.01 and 0.0025 of 0.0125."""
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, 0.8])
    _, shares = results(paths, record)
    expected = {"l1_reg": 0.8, "batch_size": 0.2, tables.REST: 0}
    assert explained(shares) == pytest.approx(expected)
    assert explained(shares, "weight", 0.9) == pytest.approx(expected)
    row = shares.iloc[0]
    assert (row["column"], row["values"], row["trials"]) == ("valid_accuracy", 2, 4)
    assert row["best"] == "0.001"
    assert row["best_mean"] == pytest.approx(0.75 - 0.099)
    assert row["by_chance"] == pytest.approx(1 / 3)
    assert len(shares) == 3 * (1 + len(METHODS) * len(K_VALS))


def test_with_interaction_the_rest_is_what_they_do_together(tmp_path):
    """0.5 0.5 / 0.5 0.9: each explains a third alone, and a third together."""
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5, 0.5, 0.5, 0.9])
    found = explained(results(paths, record)[1])
    assert found == pytest.approx({"l1_reg": 1 / 3, "batch_size": 1 / 3, tables.REST: 1 / 3})


def test_what_is_not_complete_has_no_rest(tmp_path):
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, "failed"])
    assert tables.REST not in explained(results(paths, record)[1])


def test_a_goal_may_be_small_and_chance_has_no_best(tmp_path):
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, 0.8], goal="min")
    _, shares = results(paths, record)
    assert shares.iloc[0]["best"] == "0.0"
    by_chance = shares[(shares["of"] == "weight/random") & (shares["setting"] == "l1_reg")]
    assert by_chance["explained"].notna().all()
    assert by_chance["best"].isna().all()


def test_where_nothing_differs_nothing_is_explained(tmp_path):
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5] * 4)
    assert all(pd.isna(share) for share in explained(results(paths, record)[1]).values())


def test_drawn_numbers_are_in_bins_of_equal_counts(tmp_path):
    rates = [10 ** (-number / 4) for number in range(12)]
    paths, record = write_sweep(
        tmp_path,
        {"learning_rate": "loguniform(0.001, 1)"},
        [0.9 if rate < 0.01 else 0.5 for rate in rates],
        [{"learning_rate": rate} for rate in rates],
        search="random",
        samples=12,
    )
    _, shares = results(paths, record)
    row = shares.iloc[0]
    assert (row["values"], row["best"]) == (4, "0.00178 to 0.00562")
    assert row["explained"] == pytest.approx(1)
    assert tables.REST not in set(shares["setting"])
    levels = levels_of(rates, "loguniform(0.001, 1)")
    assert np.bincount(levels.codes).tolist() == [3, 3, 3, 3]
    assert (levels.on_axis, levels.log) == (True, True)


def test_few_drawn_numbers_are_on_an_axis_too():
    levels = levels_of([0.1, 0.001], "loguniform(0.001, 1)")
    assert (levels.on_axis, levels.log, levels.binned) == (True, True, False)
    assert levels.names == ["0.001", "0.1"]
    assert not levels_of([0.1, 0.2], "uniform(0, 1)").log


def test_numbers_of_a_list_are_themselves_however_many():
    levels = levels_of(range(8), list(range(8)))
    assert levels.names == list(map(str, range(8)))
    assert not levels.on_axis
    assert len(levels.at_most(4)) == 4


def test_files_of_one_name_stay_apart():
    assert levels_of(["/a/x.npz", "/b/x.npz"], []).names == ["/a/x.npz", "/b/x.npz"]
    assert levels_of(["/a/x.npz", "/b/y.npz"], []).names == ["x.npz", "y.npz"]
    assert levels_of(["d", "b", "a", "c", "e"], list("abcde")).at_most(4).names == [
        *"abc",
        "2 others",
    ]


def test_the_summary_tells_means_and_intervals_over_seeds(tmp_path):
    varied = {"l1_reg": [0.0, 0.001], "seed": [0, 1, 2]}
    paths, record = write_sweep(tmp_path, varied, [0.4, 0.5, 0.6, 0.7, 0.8, "failed"])
    table, _ = results(paths, record)
    assert len(table) == 5 * len(METHODS) * len(K_VALS)
    dense = table[(table["method"] == "weight") & (table["k"] == 0)]
    assert dense["seed"].tolist() == [0, 1, 2, 0, 1]
    assert dense["seeds"].tolist() == [3, 3, 3, 2, 2]
    assert dense["valid_accuracy_mean"].tolist() == pytest.approx([0.5] * 3 + [0.75] * 2)
    assert dense["valid_accuracy_sd"].iloc[0] == pytest.approx(0.1)
    # Student's t with two degrees of freedom: 4.302653 at 97.5 %.
    assert dense["valid_accuracy_low"].iloc[0] == pytest.approx(0.5 - 4.302653 * 0.1 / 3**0.5)
    assert pd.isna(dense["test_accuracy_high"].iloc[3])  # of two seeds
    assert dense["objective"].tolist() == pytest.approx([0.301, 0.401, 0.501, 0.601, 0.701])


def test_without_seeds_there_are_no_means(tmp_path):
    paths, record = write_sweep(tmp_path, {"methods": [["weight"], ["unit"]]}, [0.5, 0.6])
    table, _ = results(paths, record)
    assert not any(name.endswith("_mean") or name == "seeds" for name in table)
    assert set(table["methods"]) == {"weight", "unit"}
    exports = tmp_path / "trial-1" / "exports"
    exports.mkdir()
    (exports / "export.json").write_text(json.dumps({"after": {"npk_bytes": 700}}))
    table, _ = results(paths, record)
    assert table.groupby("experiment_id")["export_bytes"].max().tolist()[1] == 700


@pytest.mark.parametrize("broken", ["config.json", "metrics.csv"])
@pytest.mark.parametrize("content", [None, "{", '{"settings": {}}'])
def test_a_broken_experiment_costs_its_own_rows_only(tmp_path, broken, content):
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, 0.8])
    if content is None:
        (tmp_path / "trial-2" / broken).unlink()
    else:
        (tmp_path / "trial-2" / broken).write_text(content)
    sweep_results.write_results(paths, record)
    table = pd.read_csv(paths.summary)
    assert set(table["experiment_id"]) == {"trial-0", "trial-1", "trial-3"}
    page = sweep_page.page_of(paths, record)
    assert [failure["name"] for failure in page["failures"]] == ["trial-2"]


@pytest.mark.parametrize("accuracies", [["waiting", "failed"], [0.5, "running"], [0.5, "stopped"]])
def test_of_no_trial_or_one_there_are_tables_with_heads(tmp_path, accuracies):
    paths, record = write_sweep(tmp_path, {"l1_reg": [0.0, 0.1]}, accuracies, ended=False)
    sweep_results.write_results(paths, record)
    table, shares = pd.read_csv(paths.summary), pd.read_csv(paths.importance)
    assert list(table)[:4] == ["experiment_id", "state", "l1_reg", "method"]
    assert list(shares) == list(tables.IMPORTANCE_COLUMNS)
    assert shares["explained"].isna().all()
    finished = accuracies[0] == 0.5
    assert len(table) == (len(METHODS) * len(K_VALS) if finished else 0)
    assert paths.settings_figure.exists() == paths.curves_figure.exists() == finished
    assert "The sweep has not ended" in paths.report.read_text()


def test_figures_of_trials_that_are_no_more_go(tmp_path):
    paths, record = write_sweep(tmp_path, {"l1_reg": [0.0, 0.1]}, [0.5, 0.6])
    sweep_results.write_results(paths, record)
    assert paths.settings_figure.exists()
    for trial in record["trials"]:
        trial.update(state="waiting", objective=None)
    sweep_results.write_results(paths, record)
    assert not paths.settings_figure.exists()
    assert not paths.curves_figure.exists()


def test_the_best_settings_are_those_of_the_best_mean_over_seeds(tmp_path):
    varied = {"dataset": ["digits", "fashion"], "l1_reg": [0.0, 0.001], "seed": [0, 1]}
    accuracies = [0.7, 0.9, 0.81, 0.83, 0.3, 0.5, 0.5, "failed"]
    paths, record = write_sweep(tmp_path, varied, accuracies)
    best = tables.best_of(record)
    assert [entry["settings"] for entry in best] == [
        {"dataset": "digits", "l1_reg": 0.001},
        {"dataset": "fashion", "l1_reg": 0.0},  # of the other one seed only has finished
    ]
    page = sweep_page.page_of(paths, record)
    assert page["sentences"][0] == "8 trials: 7 finished, 1 failed."
    assert page["sentences"][1].startswith(
        "Best by valid_accuracy@0.99: dataset=digits, l1_reg=0.001 (72.10 %, the mean of 2 seeds); "
        "71.10 % of the test examples right when 99 % of the weights are gone (weight)."
    )
    (seed,) = (row for row in page["importance"] if row["setting"] == "seed")
    assert (seed["best"], seed["mean"]) == (None, None)
    assert page["sentences"][-1].startswith("dataset matters most: alone it explains ")


def test_an_objective_in_bytes_tells_of_the_exported_file(tmp_path):
    varied = {"l1_reg": [0.0, 0.1]}
    paths, record = write_sweep(tmp_path, varied, [0.5, 0.6], objective="export_bytes", goal="min")
    for number, size in enumerate((2000, 1000)):
        record["trials"][number]["objective"] = size
        exports = tmp_path / f"trial-{number}" / "exports"
        exports.mkdir()
        sizes = {"npk_bytes": size, "test_accuracy": 0.45}
        export = {"after": sizes, "before": {"raw_bytes": 10_000}}
        (exports / "export.json").write_text(json.dumps(export))
    page = sweep_page.page_of(paths, record)
    assert page["sentences"][1] == (
        "Best by export_bytes: l1_reg=0.1 (1,000 bytes); the exported files have 45.00 % of the "
        "test examples right."
    )
    cells = [cell["text"] for cell in page["table"]["rows"][0]["cells"]]
    assert cells == ["0.1", "1,000 bytes", "45.00 %", "10.0×", "3", "1.5"]


def test_the_index_tells_of_sweeps_broken_ones_too(tmp_path):
    paths, record = write_sweep(tmp_path, {"l1_reg": [0.0, 0.1]}, [0.5, 0.6])
    sweep_results.write_results(paths, record)
    broken = tmp_path / "sweeps" / "broken"
    broken.mkdir()
    (broken / "sweep.json").write_text("{")
    index_page.write_index(tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert "2 trials, all finished; best: 50.10 % with l1_reg=0.1" in text
    assert 'href="sweeps/some-sweep/report.html"' in text
    assert "broken: " in text


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3).flatmap(
        lambda sizes: st.tuples(
            st.just(sizes),
            st.lists(st.floats(0, 1), min_size=int(np.prod(sizes)), max_size=int(np.prod(sizes))),
        )
    )
)
def test_shares_of_a_complete_grid_sum_to_one_with_the_rest(case):
    sizes, values = case
    varied = {f"s{number}": list(range(size)) for number, size in enumerate(sizes)}
    trials = [
        {
            "experiment_id": str(number),
            "settings": settings,
            "state": "finished",
            "objective": value,
        }
        for number, (settings, value) in enumerate(zip(grid(**varied), values, strict=True))
    ]
    record = {"varied": varied, "trials": trials, "objective": "valid_accuracy@0.9", "goal": "max"}
    columns = [*tables.IDENTITY, "experiment_id", "valid_accuracy"]
    shares = tables.importance(record, pd.DataFrame(columns=columns))
    own = shares[shares["setting"] != tables.REST]["explained"].dropna().astype(float)
    assert own.between(0, 1).all()
    assert own.sum() <= 1 + 1e-6
    assert len(own) in (0, len(sizes))
    if len(own) and np.ptp(values) > 1e-6:
        assert shares["explained"].astype(float).sum() == pytest.approx(1)
