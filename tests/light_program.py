"""The program, all of it that does without TensorFlow and Ray, imported."""

import importlib
import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = (
    *("train", "export", "predict", "report", "sweep"),
    *("experiments.runner", "experiments.comparison", "experiments.pictures", "data.registry"),
    *("pages.publish", "pages.index_page", "sweeps.runner", "visualization.figures"),
)

runpy.run_path(str(ROOT / "__main__.py"))["load_package"]()
for name in MODULES:
    importlib.import_module(f"network_pruning.{name}")
