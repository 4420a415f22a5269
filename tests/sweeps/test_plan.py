"""What is said of a sweep before it runs."""

import pytest
from network_pruning.settings.distributions import Distribution
from network_pruning.settings.sweep import SweepConfig
from network_pruning.sweeps.plan import plan
from network_pruning.utils import RunError


def test_every_trial_is_listed(tmp_path):
    sweep = SweepConfig({"output_dir": str(tmp_path)}, {"epochs": (10, 20), "seed": (0, 1)})
    assert plan(sweep).splitlines() == [
        "4 experiments:",
        "  digits-10-lr=0.001-l1=0.0-l2=0.0",
        "  digits-10-lr=0.001-l1=0.0-l2=0.0-seed=1",
        "  digits-20-lr=0.001-l1=0.0-l2=0.0",
        "  digits-20-lr=0.001-l1=0.0-l2=0.0-seed=1",
        "4 to run.",
    ]


def test_of_a_search_it_is_listed_what_is_drawn_from(tmp_path):
    varied = {"epochs": Distribution("randint", 5, 15), "l1_reg": (0.0, 0.1)}
    sweep = SweepConfig({"output_dir": str(tmp_path)}, varied, search="random", samples=8)
    assert plan(sweep).splitlines() == [
        "8 experiments, drawn by random from",
        "  --epochs=randint(5, 15)",
        "  --l1_reg=0.0,0.1",
    ]


def test_an_experiment_of_other_settings_is_told_of_at_once(copy):
    settings = {
        "dataset": "few_digits",
        "num_valid": 1000,
        "epochs": 3,
        "output_dir": str(copy),
        "experiment_id": "small",
    }
    (copy / "small").rename(copy / "small-seed=0")
    with pytest.raises(RunError, match="was made with other settings: `epochs=3` instead of 2"):
        plan(SweepConfig(settings, {"seed": (0, 1)}))
    forced = SweepConfig({**settings, "force_train": True}, {"seed": (0, 1)})
    assert plan(forced).startswith("2 experiments:")
