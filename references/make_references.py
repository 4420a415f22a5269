"""Runs the published configurations and keeps what the pages show: `make references`.

Experiments that have finished training are not trained again; remove them from `results/` first
to start from nothing. Twenty minutes on two cores, twenty-five more with `--repeats`, the further
runs by which `README.md` here tells how much of a difference is chance, three hours with
`--strong`, the presets with three seeds each, and two more with `--small`, after these, the
smallest files.
"""

import importlib
import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import tables

REFERENCES = Path(__file__).resolve().parent
PACKAGE = REFERENCES.parent
PENALTIES = (("0.0", "0.0"), ("0.001", "0.0"), ("0.0", "0.01"))
# Dataset, epochs, L1, L2, seed.
PUBLISHED = [
    (dataset, 20, *penalty, 0) for dataset in ("digits", "fashion") for penalty in PENALTIES
]
REPEATS = [(*run[:-1], 1) for run in PUBLISHED] + [
    ("digits", 20, "0.0", "0.0", 2),
    ("fashion", 20, "0.0", "0.0", 2),
    ("digits", 4, "0.0", "0.0", 0),
]
STRONG_K_VALS = "--k_vals=0,0.95,0.99,0.995,0.999"
STRONG = {
    "strong-digits": ("--preset=strong", STRONG_K_VALS),
    "strong-fashion": ("--dataset=fashion", "--preset=strong", STRONG_K_VALS),
    "strong-lenet": (
        "--model=lenet_300_100",
        "--preset=strong",
        "--k_vals=0,0.9,0.98,0.985,0.99,0.994",
    ),
    "strong-units": ("--preset=strong_units", "--k_vals=0,0.5,0.8,0.9,0.95"),
    "strong-lenet_5": ("--model=lenet_5", "--preset=strong", "--k_vals=0,0.99,0.996"),
    "strong-lenet_5-units": ("--model=lenet_5", "--preset=strong_units", "--k_vals=0,0.8"),
}
CONTROL_ROUNDS = {"strong-digits": 4, "strong-lenet": 5}
# Only to make small files of, as of some above.
SMALL = {
    "small-digits": (
        "--preset=strong",
        "--k_vals=0,0.97,0.99,0.995,0.998,0.9983,0.9985",
        *("--prune_epochs=16", "--finetune_epochs=50", "--distillation=0.5"),
    )
}
# What is exported: by name of the row in the table, the experiment and flags.
EXPORTS = {
    "small-digits": ("small-digits", "--finetune_epochs=30"),
    "strong-fashion": ("strong-fashion", "--finetune_epochs=30"),
    "strong-lenet": ("strong-lenet", "--finetune_epochs=30"),
    "strong-lenet-985": ("strong-lenet", "--finetune_epochs=30", "--k=0.985", "--bits=4,5"),
    "strong-lenet_5": (
        "strong-lenet_5",
        *("--finetune_epochs=0", "--bits=4,5", "--k=0.996", "--max_accuracy_drop=0.003"),
    ),
}
KEPT = (
    "results.csv",
    "loss_accuracy.png",
    "pruned_loss_accuracy.png",
    "pruned_weights.gif",
    "pruned_units.gif",
)
# The experiment whose page is kept, and what the page shows and links to besides.
PAGE = "digits-20-lr=0.001-l1=0.0-l2=0.0"
# Methods in it besides the reference's: what pruning does without training, but with inputs.
PAGE_METHODS = "--methods=weight/activation/reconstruct,unit_in_out/activation/reconstruct"
BESIDE_PAGE = ("metrics.csv", "history.csv", "method_comparison.png")
# Where an experiment was written says nothing to others.
PRIVATE = {"output_dir": "results", "data_dir": None}


def run(dataset, epochs, l1, l2, seed, suffix=""):
    """Runs one experiment and returns its folder."""
    experiment_id = f"{dataset}-{epochs}-lr=0.001-l1={l1}-l2={l2}{suffix}"
    flags = [f"--dataset={dataset}", f"--epochs={epochs}", f"--l1_reg={l1}", f"--l2_reg={l2}"]
    flags += [f"--seed={seed}", f"--experiment_id={experiment_id}"]
    if experiment_id == PAGE:
        flags.append(PAGE_METHODS)
    subprocess.run([sys.executable, PACKAGE, *flags], check=True)
    return PACKAGE / "results" / experiment_id


def keep(source):
    """Copies tables and figures of an experiment to its folder here."""
    folder = REFERENCES / source.name
    folder.mkdir(exist_ok=True)
    for name in KEPT:
        shutil.copyfile(source / name, folder / name)


def keep_page(source):
    """Makes the page of an experiment beside the figures that `keep` has copied: where Plotly's
    script, `assets/`, is missing, as in a fresh checkout, the page shows these."""
    package = runpy.run_path(str(PACKAGE / "__main__.py"))["load_package"]()
    experiment_page, paths, rendering = (
        importlib.import_module(f"{package.__name__}.{name}")
        for name in ("pages.experiment_page", "experiments.paths", "pages.rendering")
    )
    target = REFERENCES / source.name
    record = json.loads((source / "config.json").read_text())
    record["settings"] |= PRIVATE
    (target / "config.json").write_text(json.dumps(record, indent=2) + "\n")
    for name in BESIDE_PAGE:
        shutil.copyfile(source / name, target / name)
    shutil.copytree(source / "page_data", target / "page_data", dirs_exist_ok=True)
    data = experiment_page.report_of(paths.ArtifactPaths(target))
    shutil.rmtree(target / "page_data")  # the page holds what it needs of it
    (target / "report.html").write_text(rendering.report({**data, "has_index": False}), "utf-8")
    rendering.write_assets(REFERENCES)


def run_strong(name, flags):
    """Runs a preset with three seeds and keeps its summary; of some also with a control of as many
    rounds as the sparsest network has had, whose row joins the table."""
    command = [sys.executable, PACKAGE, *flags, f"--experiment_id={name}", "--replicates=3"]
    subprocess.run(command, check=True)
    made, folder = PACKAGE / "results" / name / "replicates", REFERENCES / name
    folder.mkdir(exist_ok=True)
    shutil.copyfile(made / "method_comparison.png", folder / "method_comparison.png")
    summary = pd.read_csv(made / "summary.csv")
    if name in CONTROL_ROUNDS:
        subprocess.run([*command, f"--control_rounds={CONTROL_ROUNDS[name]}"], check=True)
        summary = tables.with_control(summary, pd.read_csv(made / "summary.csv"))
    summary.to_csv(folder / "summary.csv", index=False)


def control_in(folder):
    """The row of an experiment's control."""
    metrics = pd.read_csv(folder / "metrics.csv")
    return metrics[(metrics["k"] == 0) & (metrics["rounds"] == 1)].iloc[-1]


def export(name, experiment, *more):
    """Exports the smallest files of an experiment with three seeds; a row for each."""
    folder = PACKAGE / "results" / experiment / "replicates"
    for seed in range(3):
        experiment_id = f"{experiment}-seed={seed}"
        flags = (f"--experiment_id={experiment_id}", f"--output_dir={folder}", *more)
        subprocess.run([sys.executable, PACKAGE, "export", *flags], check=True)
        exports = folder / experiment_id / "exports"
        record = json.loads((exports / "export.json").read_text())
        yield tables.small_row(name, seed, record, control_in(folder / experiment_id))
        if (name, seed) == ("small-digits", 0):
            kept = REFERENCES / name
            kept.mkdir(exist_ok=True)
            for file in ("size_accuracy.png", "model.npk"):
                shutil.copyfile(exports / file, kept / file)


def main():
    for configuration in PUBLISHED:
        keep(run(*configuration))
    keep_page(PACKAGE / "results" / PAGE)
    if "--repeats" in sys.argv:
        for configuration in REPEATS:
            source = run(*configuration, suffix=f"-seed={configuration[-1]}")
            shutil.copyfile(source / "results.csv", REFERENCES / "repeats" / f"{source.name}.csv")
    if "--strong" in sys.argv:
        for name, flags in STRONG.items():
            run_strong(name, flags)
    if "--small" in sys.argv:
        for name, flags in SMALL.items():
            command = [sys.executable, PACKAGE, *flags, f"--experiment_id={name}"]
            subprocess.run([*command, "--replicates=3"], check=True)
        tables.write_small(row for name, how in EXPORTS.items() for row in export(name, *how))
    tables.write_pages()


if __name__ == "__main__":
    main()
