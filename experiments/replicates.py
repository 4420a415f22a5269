"""One experiment with several seeds: a resumable experiment for each seed, and a summary."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..data import registry
from ..settings.stored import differences
from ..utils import echo, write_text
from ..visualization import console, controls, csv, figures, graph
from . import folder, run_key
from .comparison import chosen_methods, wanted_keys
from .intervals import BOUNDS, mean_and_interval
from .paths import ArtifactPaths

if TYPE_CHECKING:
    from ..pruning.methods import Method
    from ..settings.experiment import ExperimentConfig


# Times depend on the machine's other work, so their intervals are meaningless.
WITHOUT_INTERVAL = ("seconds",)
IDENTITY = ("method", "granularity", "criterion", "scope", "schedule", "recovery", "k")


def run_all(
    config: "ExperimentConfig",
    run: "Callable[..., Sequence[Method]]",
    publish: "Callable[[ExperimentConfig, ArtifactPaths], object]",
    on_ray: Callable[..., Any] | None = None,
) -> None:
    """Runs `config` with the seeds `seed`, `seed + 1` …, and summarizes the results.

    Args:
        config: an `ExperimentConfig` with `replicates` greater than 1.
        run: runs a single experiment and returns its reference methods, see `runner.run`.
        publish: makes the pages, see `runner.run`.
        on_ray: runs all seeds in parallel: called with the config, its `ArtifactPaths` and the
            seeds that `force_train` has trained again.
    """
    paths = ArtifactPaths.of(config)
    forced = _Forced(config, paths)
    if not config.epochs:
        echo(
            "All seeds begin with the same trained model (--epochs=0): they differ only in random "
            "choices of pruning and retraining."
        )
    if config.ray_address is None:
        reference = _one_after_the_other(config, paths, forced, partial(run, publish=publish))
    else:
        reference = on_ray(config, paths, forced)  # type: ignore[misc]
    seeds = report(config, reference, paths)
    publish(config, paths)
    echo(f"The summary of seeds {_listed(seeds)} is in {paths.replicates}")
    forced.end()


def _one_after_the_other(config, paths, forced, run):
    for number in range(config.replicates):
        single = replicate(config, paths, config.seed + number)
        echo(f"Replicate {number + 1} of {config.replicates}: seed {single.seed}")
        reference = run(forced.applied_to(single), show_model=number == 0)
        forced.finish(single.seed)
        if "keras" in sys.modules:
            # So that the next seed's files are the same as those of a separate run.
            sys.modules["keras"].utils.clear_session()
    return reference


def replicate(config: "ExperimentConfig", paths: ArtifactPaths, seed: int) -> "ExperimentConfig":
    """The config of the experiment with one seed."""
    return dataclasses.replace(
        config,
        seed=seed,
        replicates=1,
        output_dir=str(paths.replicates),
        experiment_id=f"{config.experiment_id}-seed={seed}",
        ray_address=None,
    )


def report(
    config: "ExperimentConfig", reference: "Sequence[Method]", paths: ArtifactPaths
) -> list[int]:
    """Summarizes all finished seeds of these settings in tables, a figure and on the screen.

    Returns:
        The seeds.
    """
    rows = finished_rows(config, reference, paths)
    summary = aggregate_seeds(rows)
    csv.write_metrics(paths.all_metrics, rows)
    csv.write_metrics(paths.summary, summary)
    settings = run_key.settings_text(config, chosen_methods(config))
    seeds = sorted(int(seed) for seed in rows["seed"].unique())
    title = f"{config.experiment_id}, {len(seeds)} seeds"
    figure = graph.method_comparison(for_figure(summary), title, settings)
    figures.save_png(figure, paths.summary_figure)
    # The table may have an unpruned control although 0 is not among the requested sparsities.
    requested = summary[summary["k"].isin(config.k_vals)]
    compared_with = controls.compared_with(csv.means_of(summary))
    made_with = ", ".join(filter(None, (title, settings)))
    echo(console.summary_table(controls.of_methods(requested), made_with, compared_with))
    others = set(seeds) - set(range(config.seed, config.seed + config.replicates))
    if others:
        echo(f"The summary includes earlier seeds with the same settings: {_listed(others)}.")
    return seeds


def finished_rows(
    config: "ExperimentConfig", reference: "Sequence[Method]", paths: ArtifactPaths
) -> pd.DataFrame:
    """The rows of all seeds that have every network of these settings, as one table."""
    found, first = {}, folder.read_record(ArtifactPaths.of(replicate(config, paths, config.seed)))
    for seed, place in paths.seeds().items():
        rows = _rows_of(replicate(config, paths, seed), reference, place, first)
        if rows is not None:
            found[seed] = rows
    return csv.typed(pd.concat(found.values(), ignore_index=True))


def _rows_of(config, reference, paths, first):
    """The rows of one seed's experiment; None if it is not finished, or was made with other
    settings or sources than the one with the record `first`."""
    record = folder.read_record(paths)
    if record is None or not folder.is_finished(record):
        return None
    if differences(config, record["settings"]) or folder.other_sources(first, record):
        return None
    metrics = csv.read_metrics(paths.metrics)
    if metrics is None:
        return None
    keys_of_run = wanted_keys(config, reference, record["checkpoint_sha256"])
    wanted = [key.digest for key in keys_of_run]
    by_key = metrics.set_index("recipe", drop=False)
    return by_key.loc[wanted] if set(wanted) <= set(by_key.index) else None


def _listed(seeds):
    return ", ".join(map(str, sorted(seeds)))


class _Forced:
    """The seeds that `--force_train` has trained again, so that the same command can continue.

    The list is stored beside the replicates until all of them are done, with or without the flag.
    """

    def __init__(self, config, paths):
        self.config, self.path, self.finished = config, paths.forced_seeds, []
        if config.force_train:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                kept = json.loads(self.path.read_text(encoding="utf-8"))
                self.finished = list(kept["finished"])

    def applied_to(self, config):
        """The config of one seed, without `force_train` if that has been done already."""
        done = config.seed in self.finished and _is_unchanged(config)
        return dataclasses.replace(config, force_train=config.force_train and not done)

    def finish(self, seed):
        if self.config.force_train and seed not in self.finished:
            self.finished.append(seed)
            write_text(self.path, json.dumps({"finished": self.finished}) + "\n")

    def end(self):
        self.path.unlink(missing_ok=True)


def _is_unchanged(config):
    """Whether settings, data and plugins are those of the existing experiment."""
    record = folder.read_record(ArtifactPaths.of(config))
    if record is None:
        return False
    dataset = registry.load(config.dataset, config.data_dir, config.num_valid)
    return not folder.changes(config, dataset, record)


def aggregate_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each method and sparsity, with mean, sample standard deviation and the limits of
    the 95 % interval of Student's t, which are missing for fewer than three seeds.

    Intervals are clipped to the range of a quantity, such as 0 to 1 for accuracies.

    Args:
        rows: a table of networks of any number of seeds.
    """
    groups = rows.groupby(list(IDENTITY), sort=False)
    summary = groups.size().rename("seeds").to_frame()
    for column, bounds in BOUNDS.items():
        summary = summary.join(mean_and_interval(groups[column], bounds).add_prefix(f"{column}_"))
    for column in WITHOUT_INTERVAL:
        values = groups[column]
        # Of all seeds or of none: a mean of some would look like that of all.
        complete = values.count() == summary["seeds"]
        summary[f"{column}_mean"] = values.mean().where(complete)
        summary[f"{column}_sd"] = values.std().where(complete)
    if "rounds" in rows:  # the same for all seeds
        summary.insert(1, "rounds", groups["rounds"].first())
    return summary.reset_index()


def for_figure(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with the column names of `method_comparison`."""
    return summary.rename(
        columns={
            "compression_ratio_mean": "compression_ratio",
            "test_accuracy_mean": "test_accuracy",
        }
    )
