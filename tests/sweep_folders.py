"""Sweeps as runs leave them, without training anything."""

import itertools
import json

import pandas as pd
from network_pruning.sweeps.paths import SweepPaths, write_record
from network_pruning.visualization import csv

K_VALS = (0.0, 0.9, 0.99)
# Method, criterion, and the points that all of it costs at a sparsity.
METHODS = (("weight", "magnitude", 0.1), ("unit", "magnitude", 0.3), ("weight/random", "random", 0))


def grid(**varied):
    """The settings of every combination."""
    return [
        dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())
    ]


def write_experiment(place, accuracy, seed=0):
    """The folder of an experiment whose unpruned network has this accuracy."""
    place.mkdir(parents=True)
    settings = {"dataset": "digits", "seed": seed, "experiment_id": place.name}
    record = {"settings": settings, "checkpoint_sha256": "c"}
    (place / "config.json").write_text(json.dumps(record))
    (place / "report.html").write_text("a page")
    csv.write_metrics(
        place / "metrics.csv",
        pd.DataFrame(
            {
                **{"dataset": "digits", "method": method, "granularity": method.split("/")[0]},
                **{"criterion": criterion, "scope": "layer", "schedule": "oneshot"},
                **{"recovery": "none", "recipe": f"{method}-{k}", "checkpoint": "c", "seed": seed},
                **{"k": k, "sparsity": k, "compression_ratio": 1 / (1 - k), "speedup": 1.0},
                **{
                    "valid_accuracy": accuracy - cost * k,
                    "test_accuracy": accuracy - cost * k - 0.01,
                },
                **{"test_cross_entropy": 0.1, "nonzero": 10, "living": 10, "multiply_adds": 10},
            }
            for method, criterion, cost in METHODS
            for k in K_VALS
        ),
    )


def write_sweep(root, varied, accuracies, trials=None, prefix="trial", **record):
    """A sweep and the folders of its finished trials.

    Args:
        root: the output folder.
        varied: as in its record.
        accuracies: of each trial's unpruned network; a state instead for one without a folder.
        trials: the settings of each; a complete grid unless given.
        prefix: of the names of its experiments.
        record: what else stands in its record.

    Returns:
        Its `SweepPaths`, and its record.
    """
    trials = grid(**varied) if trials is None else trials
    told = []
    for number, (settings, accuracy) in enumerate(zip(trials, accuracies, strict=True)):
        trial = {"experiment_id": f"{prefix}-{number}", "settings": settings, "state": "finished"}
        trial |= {"note": None, "objective": None, "epochs": 3, "seconds": 1.5, "node": "here"}
        if isinstance(accuracy, str):
            trial["state"] = accuracy
            trial["note"] = "It broke." if accuracy == "failed" else None
        else:
            trial["objective"] = accuracy - METHODS[0][2] * 0.99
            write_experiment(root / f"{prefix}-{number}", accuracy, settings.get("seed", 0))
        told.append(trial)
    record = {
        **{"sweep_id": "some-sweep", "command": "python -m network-pruning.sweep --seed=0,1"},
        **{"varied": varied, "search": None, "samples": None, "goal": "max", "ended": True},
        **{"objective": "valid_accuracy@0.99", "began": "2026-11-26T01:02:03+00:00"},
        **{"seconds": 9.0, "trials": told, "versions": {"keras": "3"}, "machine": "Linux"},
        **record,
    }
    paths = SweepPaths.of(root, record["sweep_id"])
    write_record(paths, record)
    return paths, record
