"""An experiment from its data to its tables."""

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ..settings.experiment import ExperimentConfig
from ..settings.files import is_file
from ..utils import echo
from . import folder, lock, plugins
from .paths import ArtifactPaths
from .provenance import provenance

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Dataset
    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..training.loop import Epoch
    from ..training.networks import Networks


# TensorFlow and matplotlib take seconds to import: every stage imports what it needs when it runs.


@plugins.explained()
def run(
    config: ExperimentConfig,
    publish: Callable[[ExperimentConfig, ArtifactPaths], object],
    show_model: bool = True,
    watch: "Callable[[Networks, Any, Epoch], object] | None" = None,
) -> "Sequence[Method]":
    """One experiment, start to finish.

    Args:
        config: the `ExperimentConfig`.
        publish: makes the pages; called with the config and its `ArtifactPaths` after all tables
            are written.
        show_model: whether to print the network's summary, which is the same for all replicates.
        watch: called with the networks, the dense model and the `Epoch` after each epoch of its
            training.

    Returns:
        The reference methods that the network can be pruned by.

    Raises:
        RunError: if that is impossible; the message says why and what to do.
    """
    from ..data import registry
    from .network_factory import networks_of

    dataset = registry.load(config.dataset, config.data_dir, config.num_valid)
    networks = networks_of(config, dataset)
    paths = ArtifactPaths.of(config)
    with lock.locked(paths):
        folder.tidy(paths)
        work, record = folder.workplace(config, dataset, paths)
        record = updated_record(config, dataset, record)
        folder.write_record(work, record)
        dense, checkpoint = trained_weights(config, networks, work, record, show_model, watch)
        prune_and_picture(config, networks, dense, work, checkpoint)
        if work != paths:
            folder.replace(paths)
        publish(config, paths)
    echo(f"Tables and figures are in {paths.root}")
    return networks.reference


def updated_record(
    config: ExperimentConfig, dataset: "Dataset", record: dict[str, Any] | None
) -> dict[str, Any]:
    """The record for `config.json`: the settings, and what the trained weights depend on."""
    if record is None:
        record = {
            "dataset_sha256": dataset.digest,
            **({"model_sha256": folder.model_sha256(config)} if is_file(config.model) else {}),
            "code": folder.code_of(config),
            "checkpoint_sha256": None,
            **provenance(),
        }
    return {**record, "settings": config.to_dict()}


def trained_weights(
    config: ExperimentConfig,
    networks: "Networks",
    paths: ArtifactPaths,
    record: dict[str, Any],
    show_model: bool,
    watch: "Callable[[Networks, Any, Epoch], object] | None" = None,
) -> "tuple[Weights, str]":
    """The weights of the kept checkpoint, trained now or before, and its digest."""
    from ..visualization import csv

    if folder.is_finished(record):
        folder.check_checkpoint(paths, record)
        if config.epochs:
            csv.read_history(paths.history)  # figures need it: fail before the work
        echo("Not trained again: this experiment is finished (--force_train trains it again).")
    else:
        from .training import train

        train(config, networks, paths, show_model, watch)
        record = {**record, "checkpoint_sha256": folder.checkpoint_sha256(paths.best_weights)}
        folder.write_record(paths, record)
    paths.training_state.unlink(missing_ok=True)
    return networks.read(paths.best_weights), record["checkpoint_sha256"]


def prune_and_picture(
    config: ExperimentConfig,
    networks: "Networks",
    dense: "Weights",
    paths: ArtifactPaths,
    checkpoint: str,
) -> None:
    """Prunes by every method to every `k`, tests the networks, and writes tables and figures."""
    from . import comparison, pictures

    for note in networks.notes():
        echo(note)
    if comparison.is_known(config, networks.reference, paths, checkpoint):
        # Nothing is computed: other processes may draw while this one draws and writes the rest.
        drawings = {
            method: pictures.begun(partial(pictures.drawing, config, networks, dense, method))
            for method in networks.reference
        }
        rows = comparison.compare(config, networks, dense, {}, paths, checkpoint)
        pictures.report(config, rows, paths)
        pictures.draw(config, drawings, paths)
        return
    rankings = {method: networks.rank(method, dense) for method in networks.reference}
    # Their values are taken here: while networks are tested, the model holds others' weights.
    drawings = {
        method: partial(pictures.Histograms.of(networks, dense, method, found).drawn, config)
        for method, found in rankings.items()
    }
    with ThreadPoolExecutor(1) as pool:
        # Drawing is Python, evaluating is native code: in parallel they take a tenth less time.
        drawn = pool.submit(pictures.draw, config, drawings, paths)
        rows = comparison.compare(config, networks, dense, rankings, paths, checkpoint)
        drawn.result()
    pictures.report(config, rows, paths)


def experiment(
    config: ExperimentConfig,
    publish: Callable[[ExperimentConfig, ArtifactPaths], object],
    watch: "Callable[[Networks, Any, Epoch], object] | None" = None,
    on_ray: Callable[..., Any] | None = None,
) -> None:
    """Runs an experiment, or one for each seed.

    Args:
        config: the `ExperimentConfig`.
        publish: as for `run`.
        watch: as for `run`; not used with several seeds.
        on_ray: runs several seeds in parallel, see `replicates.run_all`.
    """
    from .notes import notes_of

    for note in notes_of(config):
        echo(note)
    if config.replicates > 1:
        from .replicates import run_all

        run_all(config, run, publish, on_ray)
    else:
        run(config, publish, watch=watch)


def checked(config: ExperimentConfig) -> ExperimentConfig:
    """The config with defaults that depend on the data set; checks that model and methods exist.

    Raises:
        UsageError: if one does not; the message names the setting.
    """
    from ..data import files
    from ..models.architectures import architecture_of

    if config.num_valid is None:
        config = dataclasses.replace(config, num_valid=files.default_num_valid(config.dataset))
    if not is_file(config.model):
        architecture_of(config.model)
    if config.plugins or config.methods != ExperimentConfig.methods:
        from ..pruning import methods  # all five axes, so that a plugin's names cannot clash

        for text in config.methods:
            methods.parse(text)
    return config
