"""What came out of a sweep: tables, figures, a page, and what is said on it."""

import json
import sys

import pandas as pd
import pytest
from network_pruning.pages import index_page, sweep_page, sweep_results
from network_pruning.sweeps import tables
from network_pruning.sweeps.importance import COLUMNS, importance
from sweep_folders import K_VALS, METHODS, write_sweep

TWO_BY_TWO = {"l1_reg": [0.0, 0.001], "batch_size": [32, 64]}


def results(paths, record):
    table = tables.table_of(record, tables.collect(paths, record))
    return table, importance(record, table)


def page_of(paths, record):
    found = tables.collect(paths, record)
    return sweep_page.page_from(paths, record, found, *results(paths, record))


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
    page = page_of(paths, record)
    assert [failure["name"] for failure in page["failures"]] == ["trial-2"]


@pytest.mark.parametrize("accuracies", [["waiting", "failed"], [0.5, "running"], [0.5, "stopped"]])
def test_of_no_trial_or_one_there_are_tables_with_heads(tmp_path, accuracies):
    paths, record = write_sweep(tmp_path, {"l1_reg": [0.0, 0.1]}, accuracies, ended=False)
    sweep_results.write_results(paths, record)
    table, shares = pd.read_csv(paths.summary), pd.read_csv(paths.importance)
    assert list(table)[:4] == ["experiment_id", "state", "l1_reg", "method"]
    assert list(shares) == list(COLUMNS)
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
    page = page_of(paths, record)
    assert page["sentences"][0] == "8 trials: 7 finished, 1 failed."
    assert page["sentences"][1].startswith(
        "Best by valid_accuracy@0.99: dataset=digits, l1_reg=0.001 (72.10 %, the mean of 2 seeds); "
        "test accuracy 71.10 % at a sparsity of 99 % (weight)."
    )
    (seed,) = (row for row in page["importance"] if row["setting"] == "seed")
    assert (seed["best"], seed["mean"]) == (None, "–")
    assert page["sentences"][-1].startswith("The most important setting is dataset, with ")


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
    page = page_of(paths, record)
    assert page["sentences"][1] == (
        "Best by export_bytes: l1_reg=0.1 (1,000 bytes); test accuracy of the exported "
        "files 45.00 %."
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


def test_what_optuna_draws_names_settings_and_values_as_they_are(tmp_path):
    varied = {"l1_reg": [0.0, 0.001], "methods": [["weight"], ["weight", "unit"]]}
    paths, record = write_sweep(tmp_path, varied, [0.5, 0.6, 0.7, "failed"])
    figure = page_of(paths, record)["slices"]
    left, right = figure["layout"]["xaxis"], figure["layout"]["xaxis2"]
    assert (left["title"]["text"], left["ticktext"]) == ("l1_reg", ["0.0", "0.001"])
    assert (right["title"]["text"], right["ticktext"]) == ("methods", ["weight", "weight,unit"])
    assert figure["layout"]["yaxis"]["title"]["text"] == "valid_accuracy@0.99 (%)"
    assert figure["data"][0]["y"] == pytest.approx([40.1, 50.1, 60.1])


def test_without_optuna_the_page_says_so_and_the_table_of_what_matters_is_kept(
    tmp_path, monkeypatch
):
    paths, record = write_sweep(tmp_path, TWO_BY_TWO, [0.5, 0.6, 0.7, 0.8])
    sweep_results.write_results(paths, record)
    before = paths.importance.read_bytes()
    assert "Optuna is not installed" not in paths.report.read_text()
    monkeypatch.setitem(sys.modules, "optuna", None)
    sweep_results.write_results(paths, record)
    assert paths.importance.read_bytes() == before
    page = page_of(paths, record)
    assert page["explanation"].startswith(
        "The importance of settings is missing, because Optuna is not installed: pip install"
    )
    assert [(row["explained"], row["best"]) for row in page["importance"]] == [
        (None, "0.001"),
        (None, "64"),
    ]
    assert (page["slices"], page["pictures"]) == (None, ["settings.png", "curves.png"])
    assert "most important setting" not in paths.report.read_text()
