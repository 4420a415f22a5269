"""This program, with a clock: `ours.py [flags]` runs it and prints seconds as one JSON object.

`epochs` are those of training, validation, checkpoint and state included; `prune` is everything
after the imports of a run on a trained experiment. With `--in_turn` first, evaluation and drawing
do not run side by side, and `evaluate` and `draw` are the seconds of each.
"""

import importlib
import json
import runpy
import sys
import time
from concurrent.futures import Future
from pathlib import Path

IMPORTS = (
    *("experiments.network_metrics", "experiments.pruned_networks", "experiments.training"),
    *("training.evaluation", "training.loop", "training.dense_networks", "training.retraining"),
)


class InTurn:
    """Stands in for a pool of threads: does at once what it is given."""

    def __init__(self, _):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        done = Future()
        done.set_result(function(*arguments))
        return done


def load_program():
    root = Path(__file__).resolve().parent.parent
    runpy.run_path(str(root / "__main__.py"))["load_package"]()
    for name in IMPORTS:
        importlib.import_module(f"network_pruning.{name}")
    names = "experiments.runner", "experiments.training", "experiments.comparison"
    names += ("experiments.pictures", "train")
    return [importlib.import_module(f"network_pruning.{name}") for name in names]


def clocked(function, seconds):
    """The function, which appends how long each call took."""

    def call(*arguments):
        begun = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds.append(time.perf_counter() - begun)

    return call


def main():
    runner, training, comparison, pictures, train = load_program()
    measured = {"epochs": [], "evaluate": [], "draw": []}
    line = training.epoch_line

    def epoch_line(*arguments):
        measured["epochs"].append(arguments[2])  # the seconds that the program itself shows
        return line(*arguments)

    training.epoch_line = epoch_line
    comparison.compare = clocked(comparison.compare, measured["evaluate"])
    pictures.draw = clocked(pictures.draw, measured["draw"])
    if "--in_turn" in sys.argv:
        sys.argv.remove("--in_turn")
        runner.ThreadPoolExecutor = InTurn
    sys.argv[0] = "network-pruning"
    begun = time.perf_counter()
    try:
        train.cli()
    finally:
        print(json.dumps({**measured, "prune": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
