"""This program, with a clock: `ours.py [flags]` runs it and prints seconds as one JSON object.

`prune` is everything after the imports of a run on a trained experiment; `epochs` are those of
training, validation, checkpoint and state included.
"""

import importlib
import json
import runpy
import sys
import time
from pathlib import Path


def load_program():
    root = Path(__file__).resolve().parent.parent
    runpy.run_path(str(root / "__main__.py"))["load_package"]()
    return importlib.import_module("network_pruning.train")


def main():
    train = load_program()
    for name in ("models.checkpoints", "models.evaluation", "visualization.graph"):
        importlib.import_module(f"network_pruning.{name}")
    importlib.import_module("network_pruning.visualization.gifs")
    ends, line = [], train._epoch_line

    def clocked_line(*arguments):
        ends.append(arguments[2])  # the seconds that the program itself shows
        return line(*arguments)

    train._epoch_line = clocked_line
    sys.argv[0] = "network-pruning"
    begun = time.perf_counter()
    try:
        train.cli()
    finally:
        print(json.dumps({"epochs": ends, "prune": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
