import json
import math
from dataclasses import replace

import pandas as pd
import pytest
from network_pruning.data import registry
from network_pruning.experiments import folder, replicates
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.experiments.replicates import (
    BOUNDS,
    IDENTITY,
    WITHOUT_INTERVAL,
    aggregate_seeds,
)
from network_pruning.settings.experiment import ExperimentConfig


def table(*rows):
    """Rows of (k, accuracy) for one method each; everything else is 1."""
    same = dict.fromkeys((*IDENTITY, *BOUNDS, *WITHOUT_INTERVAL), 1.0)
    return pd.DataFrame([{**same, "k": k, "test_accuracy": accuracy} for k, accuracy in rows])


def test_the_interval_by_hand():
    (row,) = aggregate_seeds(table((0.5, 0.4), (0.5, 0.5), (0.5, 0.6))).to_dict("records")
    assert row["seeds"] == 3
    assert row["test_accuracy_mean"] == pytest.approx(0.5)
    assert row["test_accuracy_sd"] == pytest.approx(0.1)
    # Student's t with two degrees of freedom: 4.302653 at 97.5 %.
    half = 4.302653 * 0.1 / 3**0.5
    assert row["test_accuracy_low"] == pytest.approx(0.5 - half, rel=1e-6)
    assert row["test_accuracy_high"] == pytest.approx(0.5 + half, rel=1e-6)


def test_intervals_end_where_the_quantity_does():
    """Three seeds far apart: the plain interval would go from -0.59 to 1.65."""
    (row,) = aggregate_seeds(table((0.5, 0.1), (0.5, 0.5), (0.5, 1.0))).to_dict("records")
    assert (row["test_accuracy_low"], row["test_accuracy_high"]) == (0, 1)
    assert row["compression_ratio_low"] == 1


def test_two_seeds_have_no_interval():
    (row,) = aggregate_seeds(table((0.5, 0.8), (0.5, 0.9))).to_dict("records")
    assert (row["seeds"], row["test_accuracy_mean"]) == (2, pytest.approx(0.85))
    assert row["test_accuracy_sd"] == pytest.approx(0.05 * 2**0.5)
    assert math.isnan(row["test_accuracy_low"])
    assert math.isnan(row["test_accuracy_high"])


def test_times_have_no_interval():
    summary = aggregate_seeds(table((0.5, 0.8), (0.5, 1.0)))
    assert {"seconds_mean", "seconds_sd"} <= set(summary)
    assert not {"seconds_low", "seconds_high"} & set(summary)


def test_a_single_seed_has_a_mean_only():
    (row,) = aggregate_seeds(table((0.5, 0.8))).to_dict("records")
    assert row["test_accuracy_mean"] == 0.8
    assert all(pd.isna(row[f"test_accuracy_{what}"]) for what in ("sd", "low", "high"))


def test_rows_of_one_method_and_sparsity_belong_together():
    summary = aggregate_seeds(table((0.5, 0.8), (0.9, 0.1), (0.5, 0.9), (0.9, 0.3)))
    assert list(summary["k"]) == [0.5, 0.9]
    assert list(summary["seeds"]) == [2, 2]
    assert summary["test_accuracy_mean"].to_list() == pytest.approx([0.85, 0.2])
    assert summary["test_accuracy_sd"][1] == pytest.approx(0.2 / 2**0.5)


@pytest.mark.parametrize("column", ["valid_accuracy", "seconds"])
def test_a_value_that_one_seed_lacks_has_no_mean(column):
    rows = table((0.5, 0.8), (0.5, 0.9), (0.9, 0.5), (0.9, 0.6))
    rows.loc[0, column] = None
    summary = aggregate_seeds(rows)
    assert pd.isna(summary[f"{column}_mean"][0])
    assert summary[f"{column}_mean"][1] == 1


class Data:
    digest = "d1"


@pytest.fixture
def forced(tmp_path, monkeypatch):
    """A command with `--force_train` that was killed when it had trained seed 0 anew, of two.

    Returns a function that gives the command again, with other values maybe, and returns which
    seeds are trained anew.
    """
    config = ExperimentConfig(
        replicates=2, force_train=True, output_dir=str(tmp_path), experiment_id="x"
    )
    paths, seeds = ArtifactPaths.of(config), []
    for seed in (0, 1):
        single = replicates.replicate(config, paths, seed)
        record = {"settings": single.to_dict(), "dataset_sha256": "d1", "checkpoint_sha256": "c"}
        ArtifactPaths.of(single).root.mkdir(parents=True)
        folder.write_record(ArtifactPaths.of(single), {**record, "code": {"--dataset": "c1"}})
    paths.forced_seeds.write_text(json.dumps({"finished": [0]}))
    monkeypatch.setattr(registry, "load", lambda *_: Data)
    monkeypatch.setattr(folder, "code_of", lambda _: {"--dataset": "c1"})
    monkeypatch.setattr(replicates, "report", lambda *_: [0, 1])

    def again(**values):
        def run(single, **_):
            seeds.extend([single.seed] if single.force_train else [])

        replicates.run_all(replace(config, **values), run, publish=lambda *_: None)
        assert not paths.forced_seeds.exists()
        return seeds

    return again


def test_a_forced_command_goes_on_with_the_seeds_that_are_left(forced):
    assert forced() == [1]


def test_other_settings_are_trained_anew(forced):
    assert forced(epochs=3) == [0, 1]


def test_edited_plugins_are_trained_anew(forced, monkeypatch):
    monkeypatch.setattr(folder, "code_of", lambda _: {"--dataset": "c2"})
    assert forced() == [0, 1]


def test_other_data_are_trained_anew(forced, monkeypatch):
    monkeypatch.setattr(Data, "digest", "d2")
    assert forced() == [0, 1]


def test_a_complete_command_without_the_flag_ends_what_was_forced(forced):
    assert forced(force_train=False) == []
    assert forced() == [0, 1]
