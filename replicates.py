"""The same experiment with several seeds: each a resumable experiment of its own, and a summary."""

import dataclasses
import math
import statistics

from .utils import ArtifactPaths, say
from .visualization import csv, graph

# What `summary.csv` gives mean, standard deviation and interval of.
SUMMARIZED = (
    "test_accuracy",
    "test_cross_entropy",
    "valid_accuracy",
    "sparsity",
    "effective_sparsity",
    "compression_ratio",
    "speedup",
    "seconds",
)
IDENTITY = ("method", "granularity", "criterion", "scope", "schedule", "recovery", "k")


def run_all(config, run):
    """Runs `config` with the seeds `seed`, `seed + 1` …, and summarizes what came out.

    Args:
        config: an `ExperimentConfig` with `replicates` greater than 1.
        run: runs a single experiment and returns its rows of `metrics.csv`.
    """
    paths = ArtifactPaths.of(config)
    rows = []
    for number in range(config.replicates):
        seed = config.seed + number
        say(f"Replicate {number + 1} of {config.replicates}: seed {seed}")
        rows += run(
            dataclasses.replace(
                config,
                seed=seed,
                replicates=1,
                output_dir=str(paths.replicates),
                experiment_id=f"{config.experiment_id}-seed={seed}",
            )
        )
    summary = summarize(rows)
    csv.write_metrics(paths.all_metrics, rows)
    csv.write_metrics(paths.summary, summary)
    title = f"{config.experiment_id}, {config.replicates} seeds"
    graph.save_png(graph.method_comparison(for_figure(summary), title), paths.summary_figure)
    say(f"The summary of all seeds is in {paths.replicates}")


def summarize(rows):
    """One row for each method and sparsity, with mean, sample standard deviation and the limits of
    the 95 % interval of Student's t; those are empty for a single seed.

    Args:
        rows: of `metrics.csv`, of any number of seeds.
    """
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[column] for column in IDENTITY), []).append(row)
    summary = []
    for identity, group in groups.items():
        entry = {**dict(zip(IDENTITY, identity, strict=True)), "seeds": len(group)}
        for column in SUMMARIZED:
            values = [row[column] for row in group]
            names = (f"{column}_{what}" for what in ("mean", "sd", "low", "high"))
            entry |= zip(names, interval(values), strict=True)
        summary.append(entry)
    return summary


def interval(values):
    """Mean, sample standard deviation, and the limits of the 95 % interval of Student's t.

    All are None if a value is None; the last three are None for a single value.
    """
    if None in values:
        return None, None, None, None
    mean = statistics.fmean(values)
    if len(values) == 1:
        return mean, None, None, None
    from scipy.stats import t

    sd = statistics.stdev(values)
    half = float(t.ppf(0.975, len(values) - 1)) * sd / math.sqrt(len(values))
    return mean, sd, mean - half, mean + half


def for_figure(summary):
    """The summary under the names that `method_comparison` reads."""
    return [
        {
            "method": entry["method"],
            "criterion": entry["criterion"],
            "k": entry["k"],
            "compression_ratio": entry["compression_ratio_mean"],
            "test_accuracy": entry["test_accuracy_mean"],
            "test_accuracy_low": entry["test_accuracy_low"],
            "test_accuracy_high": entry["test_accuracy_high"],
        }
        for entry in summary
    ]
