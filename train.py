"""Trains a network, prunes it to every sparsity, and pictures the results.

python -m network-pruning.train --dataset=digits
"""

if __name__ == "__main__" and __package__ != "network_pruning":
    # Started by its folder's name: plugins find the program as `network_pruning` only. Here, at the
    # top, so that nothing is imported twice; it does not return.
    from .__main__ import run

    run()

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

from . import command
from .config import (
    ExperimentConfig,
    config_from_flags,
    define_flags,
    is_file,
    known_experiment_id,
)
from .experiments import folder, plugins
from .experiments.paths import ArtifactPaths
from .experiments.surroundings import surroundings
from .utils import limit_threads, say

# TensorFlow and matplotlib take seconds to import. `--help` and flag errors must not pay for them,
# so that every stage below imports what it needs when it runs.


@plugins.explained()
def run(config, show_model=True, watch=None):
    """One experiment, start to finish.

    Args:
        config: the `ExperimentConfig`.
        show_model: whether to print the network's summary, which replicates share.
        watch: called with the networks, the dense model and the `Epoch` after each epoch of its
            training.

    Returns:
        The reference methods that the network can be pruned by.

    Raises:
        RunError: if it cannot be done; the message says why and what to do.
    """
    from .data import registry
    from .experiments import reports
    from .experiments.network_kinds import networks_of
    from .experiments.tensorboard import write_tensorboard

    dataset = registry.load(config.dataset, config.data_dir, config.num_valid)
    networks = networks_of(config, dataset)
    paths = ArtifactPaths.of(config)
    with folder.locked(paths):
        folder.tidy(paths)
        work, record = folder.workplace(config, dataset, paths)
        record = updated_record(config, dataset, record)
        folder.write_record(work, record)
        dense, checkpoint = trained_weights(config, networks, work, record, show_model, watch)
        prune_and_picture(config, networks, dense, work, checkpoint)
        if work != paths:
            folder.replace(paths)
        reports.try_to_write_report(paths)
        if config.tensorboard:
            write_tensorboard(paths)
    say(f"Tables and figures are in {paths.root}")
    return networks.reference


def updated_record(config, dataset, record):
    """What goes into `config.json`: the settings, and what the trained weights depend on."""
    if record is None:
        record = {
            "dataset_sha256": dataset.digest,
            **({"model_sha256": folder.model_sha256(config)} if is_file(config.model) else {}),
            "code": folder.code_of(config),
            "checkpoint_sha256": None,
            **surroundings(),
        }
    return {**record, "settings": config.to_dict()}


def trained_weights(config, networks, paths, record, show_model, watch=None):
    """The weights of the kept checkpoint, of a finished training or trained now; its digest."""
    from .visualization import csv

    if folder.is_finished(record):
        folder.check_checkpoint(paths, record)
        if config.epochs:
            csv.read_history(paths.history)  # the pictures need it: complain before the work
        say("Not trained again: this experiment is finished (--force_train retrains).")
    else:
        from .experiments.training import train

        train(config, networks, paths, show_model, watch)
        record = {**record, "checkpoint_sha256": folder.checkpoint_sha256(paths.best_weights)}
        folder.write_record(paths, record)
    paths.training_state.unlink(missing_ok=True)
    return networks.read(paths.best_weights), record["checkpoint_sha256"]


def prune_and_picture(config, networks, dense, paths, checkpoint):
    """Prunes by every method to every `k`, tests the networks, and writes tables and pictures."""
    from .experiments import comparison, pictures

    for remark in networks.remarks():
        say(remark)
    reference = networks.reference
    rankings = {method: networks.rank(method, dense) for method in reference}
    values = {method: networks.values(method, dense, rankings[method]) for method in reference}
    labels = {method: networks.labels(method) for method in reference}
    if comparison.is_known(config, reference, paths, checkpoint):
        # Without another thread, drawing may use two processes.
        pictures.draw(config, values, rankings, labels, paths)
        rows = comparison.compare(config, networks, dense, rankings, paths, checkpoint)
    else:
        with ThreadPoolExecutor(1) as pool:
            # Drawing is Python, evaluating is native code: side by side a tenth less time.
            drawn = pool.submit(pictures.draw, config, values, rankings, labels, paths)
            rows = comparison.compare(config, networks, dense, rankings, paths, checkpoint)
            drawn.result()
    pictures.report(config, rows, paths)


def main(config):
    """Runs the experiment that the flags describe; writes the page over all experiments."""
    from .experiments.gallery import try_to_write_index

    experiment(config)
    try_to_write_index(config.output_dir)


def experiment(config, watch=None):
    """Runs an experiment, or one for each seed, and notes how long a new one has taken.

    Args:
        config: the `ExperimentConfig`.
        watch: as for `run`; several seeds are not watched.
    """
    from .experiments import durations
    from .experiments.notes import notes_of

    if config.tensorboard:
        from .visualization.events import check_installed

        check_installed()
    for note in notes_of(config):
        say(note)
    is_new, began = not ArtifactPaths.of(config).root.exists(), time.perf_counter()
    if config.replicates > 1:
        from .experiments.replicates import run_all

        run_all(config, run)
    else:
        run(config, watch=watch)
    if is_new:
        durations.note(config, time.perf_counter() - began)


@plugins.explained()
def parse(flag_values):
    """The `ExperimentConfig` of parsed flags, of a data set, a model and methods that exist."""
    limit_threads(flag_values.threads)  # before NumPy is imported
    from .data import registry

    plugins.load(flag_values.plugins)
    if "help" in flag_values.methods:
        from .pruning.catalogue import catalogue

        raise command.Answered(catalogue())
    registry.check(flag_values.dataset)
    config = config_from_flags(flag_values)
    if flag_values.experiment_id is None:
        config = dataclasses.replace(config, experiment_id=known_experiment_id(config))
    return checked(config)


def checked(config):
    """The config with what the data set decides, of a data set, a model and methods that exist.

    Raises:
        UsageError: if one does not; the message names the flag.
    """
    from .data import files
    from .models.architectures import architecture_of

    if config.num_valid is None:
        config = dataclasses.replace(config, num_valid=files.default_num_valid(config.dataset))
    if not is_file(config.model):
        architecture_of(config.model)
    if config.plugins or config.methods != ExperimentConfig.methods:
        from .pruning import methods  # all five axes: what a plugin adds must not clash with any

        for text in config.methods:
            methods.parse(text)
    return config


def cli():
    """The command `network-pruning`."""
    command.launch(__doc__, define_flags, parse, main)


if __name__ == "__main__":
    cli()
