from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from network_pruning.experiments import comparison, run_key
from network_pruning.experiments.chance import Chance
from network_pruning.pruning import methods
from network_pruning.settings.experiment import ExperimentConfig, experiment_settings
from network_pruning.visualization import csv


def test_a_row_tells_all_settings_of_the_training():
    config = ExperimentConfig(epochs=3, keep_best=False, l1_reg=0.001, seed=7, num_valid=5)
    key = run_key.network_key(config, methods.parse("weight"), 0.5, "checkpoint")
    row = comparison._row(config, key, {}, None)
    names = [f.name for f in fields(ExperimentConfig) if f.metadata["trains"]]
    assert {"dataset", "model", "batch_size", "epochs", "keep_best", "seed"} < set(names)
    assert {name: row[name] for name in names} == {name: getattr(config, name) for name in names}


def test_every_column_of_a_run_has_a_type(finished):
    assert set(experiment_settings()) < set(csv.METRICS_TYPES)
    rows = csv.read_metrics(finished / "small" / "metrics.csv")
    unknown = set(rows.columns) - set(csv.METRICS_TYPES)
    assert unknown == {f"sparsity_hidden_{number}" for number in (1, 2, 3, 4)}
    assert set(rows["epochs"]) == {2}
    assert set(rows["num_valid"]) == {1000}
    assert rows["keep_best"].all()


def rows(method, *reached):
    """A table of one method, from pairs of `k` and sparsity."""
    table = pd.DataFrame(reached, columns=["k", "sparsity"])
    table["granularity"] = method.split("/")[0]
    return table.assign(method=method, sparsity_hidden_1=table["sparsity"])


@pytest.mark.parametrize(
    ("k_vals", "said"),
    [
        ((0.9,), "90 %"),
        ((0.9, 1.0), "90 % and 100 %"),
        ((0.75, 0.9, 1.0), "75 %, 90 % and 100 %"),
    ],
)
def test_all_sparsities_that_a_pattern_misses_are_named(k_vals, said):
    missed = rows("2:4", (0.5, 0.5), *((k, 0.5) for k in k_vals))
    assert comparison.notes_on(pd.concat([rows("weight", (0.9, 0.9)), missed])) == [
        f"Note: 2:4 cannot reach {said}: its pattern removes at most 50.00 % of the hidden weights."
    ]


def test_what_is_new_and_what_was_known_is_told_apart():
    assert comparison._done(24, 24) == "Pruned and tested 24 networks."
    assert comparison._done(1, 24) == "Pruned and tested 1 network; 23 more were tested before."
    assert comparison._done(0, 24) == "24 networks, all tested before."


@pytest.mark.parametrize(("accuracy", "is_said"), [(0.55, True), (0.69, True), (0.71, False)])
def test_what_is_no_better_than_chance_is_so_for_notes_and_pages_alike(accuracy, is_said):
    """Of 100 examples, 60 of one class: up to 69.6 % may be luck."""
    labels = np.repeat([0, 1], [60, 40])
    dataset = SimpleNamespace(test=SimpleNamespace(labels=labels))
    config = ExperimentConfig(epochs=0, model="my.keras", num_valid=0, experiment_id="x")
    table = pd.DataFrame({"method": ["weight"], "k": [0.0], "test_accuracy": [accuracy]})
    assert bool(comparison._chance(config, table, dataset)) == is_said
    assert Chance.of(labels).explains(accuracy) == is_said
