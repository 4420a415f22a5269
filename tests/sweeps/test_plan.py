"""What is said of a sweep before it runs."""

import importlib

import pytest
from network_pruning.experiments import durations
from network_pruning.settings.distributions import Distribution
from network_pruning.settings.experiment import ExperimentConfig
from network_pruning.settings.sweep import SweepConfig
from network_pruning.utils import RunError


@pytest.fixture
def plan(monkeypatch):
    module = importlib.import_module("network_pruning.sweeps.plan")
    monkeypatch.setattr(module, "cores", lambda: 4)
    return module.plan


def noted(tmp_path, seconds, **settings):
    config = ExperimentConfig(output_dir=str(tmp_path), threads=1, **settings)
    durations.note(config, seconds)


def sweep(tmp_path, varied, **options):
    return SweepConfig({"output_dir": str(tmp_path)}, varied, **options)


def test_every_trial_is_listed_with_its_time(plan, tmp_path):
    noted(tmp_path, 40, epochs=20)
    lines = plan(sweep(tmp_path, {"epochs": (10, 20), "seed": (0, 1, 2)})).splitlines()
    assert lines[0] == "6 experiments:"
    assert lines[1:3] == [
        f"  digits-10-lr=0.001-l1=0.0-l2=0.0{more}  20 s" for more in ("", "-seed=1")
    ]
    assert lines[-2] == "  digits-20-lr=0.001-l1=0.0-l2=0.0-seed=2  40 s"
    # 3 × 20 + 3 × 40 seconds, four at a time.
    assert (
        lines[-1] == "About 3 min one after the other; on this machine 4 at a time, 45 s or more."
    )


def test_what_nobody_knows_is_said(plan, tmp_path):
    noted(tmp_path, 40, epochs=20)
    text = plan(sweep(tmp_path, {"model": ("mlp", "lenet_5")}))
    assert "lenet_5  ?" in text
    assert "(some by the others)" in text
    assert "not known" in plan(sweep(tmp_path, {"model": ("lenet_5", "lenet_300_100")}))


def test_a_search_lies_between_its_ends(plan, tmp_path):
    noted(tmp_path, 40, epochs=20)
    varied = {"epochs": Distribution("randint", 5, 15), "l1_reg": (0.0, 0.1)}
    text = plan(sweep(tmp_path, varied, search="random", samples=8))
    assert text.splitlines() == [
        "8 experiments, drawn by random from",
        "  --epochs=randint(5, 15)",
        "  --l1_reg=0.0,0.1",
        # 8 × (10 + 30) / 2 seconds.
        "About 3 min one after the other; on this machine 4 at a time, 40 s or more.",
    ]


def test_an_experiment_of_other_settings_is_told_of_at_once(plan, copy):
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
