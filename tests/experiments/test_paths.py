"""Names that people and later runs find again, so that they must not change."""

from pathlib import Path

import pytest
from network_pruning.experiments.paths import ArtifactPaths
from network_pruning.pruning.methods import parse
from network_pruning.sweeps.paths import SweepPaths

EXPERIMENT = {
    "config": "config.json",
    "lock": ".lock",
    "best_weights": "checkpoints/weights.best.hdf5",
    "training_state": "checkpoints/training_state.npz",
    "history": "history.csv",
    "loss_accuracy": "loss_accuracy.png",
    "results": "results.csv",
    "pruned_curves": "pruned_loss_accuracy.png",
    "metrics": "metrics.csv",
    "method_comparison": "method_comparison.png",
    "page_data": "page_data",
    "labels": "page_data/labels.npz",
    "tensorboard": "tensorboard",
    "report": "report.html",
    "exports": "exports",
    "export_record": "exports/export.json",
    "size_accuracy": "exports/size_accuracy.png",
    "pareto": "exports/pareto.png",
    "model_card": "exports/README.md",
    "replicates": "replicates",
    "all_metrics": "replicates/metrics.csv",
    "summary": "replicates/summary.csv",
    "summary_figure": "replicates/method_comparison.png",
    "forced_seeds": "replicates/.forced_seeds.json",
}
SWEEP = {
    "record": "sweep.json",
    "lock": ".lock",
    "summary": "summary.csv",
    "importance": "importance.csv",
    "settings_figure": "settings.png",
    "curves_figure": "curves.png",
    "report": "report.html",
    "engine": ".engine",
}


@pytest.mark.parametrize(("kind", "names"), [(ArtifactPaths, EXPERIMENT), (SweepPaths, SWEEP)])
def test_files_are_found_where_they_have_always_been(kind, names):
    paths = kind(Path("results/x"))
    assert {name: getattr(paths, name) for name in names} == {
        name: Path("results/x") / place for name, place in names.items()
    }


def test_files_of_which_there_are_many():
    paths = ArtifactPaths(Path("x"))
    network = paths.network_of(parse("2:4/magnitude/finetune").name, 0.5, "abc")
    assert network == Path("x/networks/2of4-finetune/weights_k=0.5-abc.hdf5")
    assert paths.histogram("unit", 0.5) == Path("x/pruned_units_l2_k=0.5.png")
    assert paths.animation("weight") == Path("x/pruned_weights.gif")
    assert paths.export("litert") == Path("x/exports/model.tflite")
    assert paths.retraining.config == Path("x/.retraining/config.json")
