"""What a sweep looks for: while a network is trained, and in a finished experiment."""

import importlib
from types import SimpleNamespace

import pytest
from network_pruning.settings.sweep import SweepConfig

SMALL = {"dataset": "few_digits", "k_vals": ["0", "0.5", "0.9"]}


@pytest.fixture
def objectives():
    return importlib.import_module("network_pruning.sweeps.objectives")


class Networks:
    """Networks whose accuracy says how they were pruned."""

    reference = ("weight", "unit")

    def weights_of(self, _model):
        return "dense"

    def rank(self, method, _dense):
        return f"{method} ranked"

    def pruned(self, method, dense, ranking, k):
        assert (dense, ranking) == ("dense", f"{method} ranked")
        return method, k

    def validate(self, weights):
        found = {"dense": 0.95, ("weight", 0.9): 0.8, ("unit", 0.9): 0.3}[weights]
        return SimpleNamespace(accuracy=found, cross_entropy=1 - found)


@pytest.mark.parametrize(
    ("objective", "methods", "expected"),
    [
        ("valid_accuracy@0.9", ["weight"], 0.8),
        ("valid_cross_entropy@0.9", ["weight"], 0.2),
        # Networks that are trained afterwards make up for what is lost at once.
        ("valid_accuracy@0.9", ["weight/finetune"], 0.95),
        ("valid_cross_entropy@0.9", ["unit/gradual"], 0.05),
    ],
)
def test_after_each_epoch_the_network_is_pruned_as_it_is(objectives, objective, methods, expected):
    sweep = SweepConfig(
        {**SMALL, "methods": methods},
        {"l1_reg": (0.0, 0.1)},
        search="random",
        samples=2,
        objective=objective,
    )
    told = []
    objectives.watch(sweep, sweep.first, told.append)(Networks(), None, SimpleNamespace(epoch=3))
    assert told == [{"epoch": 3, "objective": pytest.approx(expected)}]


@pytest.mark.parametrize("options", [{}, {"search": "random", "samples": 2, "asha": False}])
def test_nothing_is_computed_where_nothing_ends_early(objectives, options):
    sweep = SweepConfig(SMALL, {"l1_reg": (0.0, 0.1)}, **options)
    told = []
    objectives.watch(sweep, sweep.first, told.append)(None, None, SimpleNamespace(epoch=3))
    assert told == [{"epoch": 3}]


def test_the_best_method_of_a_finished_experiment_counts_but_not_chance(objectives, copy):
    import pandas as pd

    settings = {**SMALL, "output_dir": str(copy), "experiment_id": "small"}
    sweep = SweepConfig(settings, {"l1_reg": (0.0, 0.1)})
    rows = pd.read_csv(copy / "small" / "metrics.csv")
    at_k = rows[rows["k"] == 0.9].set_index("method")["valid_accuracy"]
    config = sweep.first
    assert objectives.reached(sweep, config) == at_k.max() > at_k.min()
    rows.loc[(rows["k"] == 0.9) & (rows["method"] == "unit"), ["valid_accuracy", "criterion"]] = [
        1.0,
        "random",
    ]
    rows.loc[rows["criterion"] == "random", "method"] = "unit/random"
    rows.to_csv(copy / "small" / "metrics.csv", index=False)
    assert objectives.reached(sweep, config) == at_k["weight"]


def test_bytes_are_those_of_the_smallest_exported_file(objectives, copy):
    import json

    settings = {**SMALL, "output_dir": str(copy), "experiment_id": "small"}
    sweep = SweepConfig(settings, {"l1_reg": (0.0, 0.1)}, objective="export_bytes")
    assert objectives.reached(sweep, sweep.first) is None
    (copy / "small" / "exports").mkdir()
    record = {"after": {"npk_bytes": 1234}}
    (copy / "small" / "exports" / "export.json").write_text(json.dumps(record))
    assert objectives.reached(sweep, sweep.first) == 1234
