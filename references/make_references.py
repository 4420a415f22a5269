"""Runs the published configurations and keeps what the README shows: `make references`.

Experiments that have finished training are not trained again; remove them from `results/` first
to start from nothing. Twenty epochs each, seed 0: about half an hour on two cores.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import tables

REFERENCES = Path(__file__).resolve().parent
PACKAGE = REFERENCES.parent
CONFIGURATIONS = {
    f"{dataset}-20-lr=0.001-l1={l1}-l2={l2}": [
        f"--dataset={dataset}",
        f"--l1_reg={l1}",
        f"--l2_reg={l2}",
    ]
    for dataset in ("digits", "fashion")
    for l1, l2 in (("0.0", "0.0"), ("0.001", "0.0"), ("0.0", "0.01"))
}
KEPT = (
    "results.csv",
    "loss_accuracy.png",
    "pruned_loss_accuracy.png",
    "pruned_weights.gif",
    "pruned_units.gif",
)


def main():
    for experiment_id, flags in CONFIGURATIONS.items():
        subprocess.run([sys.executable, PACKAGE, *flags], check=True)
        folder = REFERENCES / experiment_id
        folder.mkdir(exist_ok=True)
        for name in KEPT:
            shutil.copyfile(PACKAGE / "results" / experiment_id / name, folder / name)
    tables.write_readme()


if __name__ == "__main__":
    main()
