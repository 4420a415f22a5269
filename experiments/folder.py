"""One experiment's folder: its record, and its replacement.

Rules that protect it from crashes and other runs:

- One process at a time works in a folder: `lock.locked`.
- `config.json`, the record, is written first. A folder with content but without a record is not an
  experiment and is never written to.
- `--force_train` works in a folder of its own inside, and only a complete experiment is moved out
  of it: `replace`. The next run finishes a move that was interrupted.
- Only files that `ArtifactPaths` lists are ever removed, one by one.
"""

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.registry import LOADERS
from ..models.architectures import ARCHITECTURES
from ..settings.files import is_file
from ..settings.stored import differences
from ..utils import RunError, check_writes, file_sha256, write_text
from ..visualization import csv
from . import event_files, plugins

if TYPE_CHECKING:
    from ..data.data_loaders.loader_utils import Dataset
    from ..settings.experiment import ExperimentConfig
    from .paths import ArtifactPaths


def tidy(paths: "ArtifactPaths") -> None:
    """Repairs the folder after a killed run: removes half-written files, finishes a replacement.

    Raises:
        RunError: if the folder has files but no record, or links in place of its own folders: it is
            not an experiment.
    """
    for folder in (paths.retraining, paths.retrained):
        if folder.root.is_symlink():
            raise RunError(f"{folder.root} is a link, which this program never makes; remove it.")
    for folder in (paths, paths.retraining, paths.retrained):
        folder.remove_temporary_files()
    if paths.retrained.config.exists():
        _move_out(paths)
    paths.retrained.remove_files()
    # The page may be that of several seeds; filelock makes files beside a lock that it takes over.
    own = (paths.lock.name, paths.replicates.name, paths.report.name)
    names = [file.name.partition(f"{paths.lock.name}.")[0] for file in paths.root.iterdir()]
    if not paths.config.exists() and any(name and name not in own for name in names):
        raise RunError(
            f"{paths.root} has files in it but no config.json, so it is not an experiment of this "
            "program. Choose another --experiment_id or --output_dir."
        )


def read_record(paths: "ArtifactPaths") -> dict[str, Any] | None:
    """The record in `config.json`, or None if there is none yet.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        record = json.loads(paths.config.read_text(encoding="utf-8"))
        if not isinstance(record["settings"], dict):
            raise TypeError("settings")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{paths.config} is damaged, so the settings of this experiment are not known. Restore "
            "it, or choose another --experiment_id."
        ) from error
    return record


def write_record(paths: "ArtifactPaths", record: dict[str, Any]) -> None:
    """Writes the record; it has `checkpoint_sha256` once training has finished."""
    write_text(paths.config, json.dumps(record, indent=2) + "\n")


def is_finished(record: dict[str, Any]) -> bool:
    """Whether all epochs have been trained."""
    return bool(record.get("checkpoint_sha256"))


def changes(config: "ExperimentConfig", dataset: "Dataset", record: dict[str, Any]) -> list[str]:
    """The differences in training between now and when the record was written, as texts."""
    now = {
        "dataset_sha256": dataset.digest,
        "model_sha256": model_sha256(config),
        "code": code_of(config),
    }
    return differences(config, record["settings"]) + other_sources(now, record)


def code_of(config: "ExperimentConfig") -> dict[str, str]:
    """Digests of the code of plugins that provide data set and model, by flag."""
    digests = {}
    if not is_file(config.dataset):
        digests["--dataset"] = plugins.source_digest(LOADERS.function(config.dataset))
    if is_file(config.model):
        digests["--model"] = plugins.digest_of_layers()
    else:
        digests["--model"] = plugins.source_digest(ARCHITECTURES.function(config.model))
    return {flag: digest for flag, digest in digests.items() if digest}


def model_sha256(config: "ExperimentConfig") -> str | None:
    """The digest of the model's file; None if the model is not a file.

    Raises:
        RunError: if it cannot be read.
    """
    if not is_file(config.model):
        return None
    try:
        return file_sha256(Path(config.model).expanduser())
    except OSError as error:
        raise RunError(f"--model: {config.model} cannot be read ({error.strerror}).") from error


def other_sources(now: dict[str, Any], record: dict[str, Any]) -> list[str]:
    """Data, model and plugins whose content differs from when the record was written, as texts.

    Args:
        now: a record's entries as of now, or another record.
        record: of an experiment; records of early versions have no digests of code.
    """
    changed = []
    if record.get("dataset_sha256") != now["dataset_sha256"]:
        changed.append("another version of the data set")
    if record.get("model_sha256") != now.get("model_sha256"):
        changed.append("another version of the model")
    codes = now.get("code", {}), record.get("code", {})
    for flag in sorted(codes[0].keys() & codes[1].keys()):
        if codes[0][flag] != codes[1][flag]:
            changed.append(f"another version of the plugin of {flag}")
    return changed


def workplace(
    config: "ExperimentConfig", dataset: "Dataset", paths: "ArtifactPaths"
) -> "tuple[ArtifactPaths, dict[str, Any] | None]":
    """The folder that this run writes to, and its record (None if it is new): the experiment's, or
    the folder inside it where `--force_train` makes the replacement.

    Raises:
        RunError: if the experiment was trained with other settings and may not be replaced.
    """
    record = read_record(paths)
    if record is None:
        return paths, None
    changed = changes(config, dataset, record)
    if config.force_train and (changed or is_finished(record)):
        return paths.retraining, _retraining_record(config, dataset, paths)
    if changed:
        raise RunError(
            f"{paths.root} was trained with other settings: {', '.join(changed)}. Add "
            "--force_train to train it again, or choose another --experiment_id."
        )
    return paths, record


def _retraining_record(config, dataset, paths):
    """The record of an unfinished replacement with the same settings; another one is removed."""
    record = read_record(paths.retraining)
    if record and changes(config, dataset, record):
        paths.retraining.remove_files()
        return None
    return record


def replace(paths: "ArtifactPaths") -> None:
    """Replaces the old experiment by the complete one in `retraining`."""
    check_writes()
    paths.retraining.root.rename(paths.retrained.root)  # later runs finish the move from here on
    _move_out(paths)


def _move_out(paths):
    """Moves the new files over the old ones; can be repeated after an interruption."""
    new = paths.retrained
    settings, moved = read_record(new)["settings"], set()
    for file in new.files():
        if file != new.config:
            target = paths.root / file.relative_to(new.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            check_writes()
            file.replace(target)
            moved.add(target)
    check_writes()
    paths.training_state.unlink(missing_ok=True)
    paths.remove_stale_pictures(settings["k_vals"], settings["epochs"])
    _remove_files_of_old_weights(paths, moved)
    paths.remove_exports()
    event_files.remove_events(paths.tensorboard)
    # The record is moved last: as long as it is in `retrained`, the move is not complete.
    check_writes()
    new.config.replace(paths.config)
    new.remove_files()


def _remove_files_of_old_weights(paths, new):
    """Removes trained networks and diagnostics that do not belong to the new dense network.

    Args:
        paths: of the experiment.
        new: files of the new experiment: a control of several rounds continues one without a row.
    """
    metrics = csv.read_metrics(paths.metrics)
    if metrics is None:
        return
    rows = metrics.to_dict("records")
    known = {paths.network_of(row["method"], row["k"], row["recipe"]) for row in rows}
    paths.remove_networks_except(known | new)
    paths.remove_diagnostics_except(row["recipe"] for row in rows)


def checkpoint_sha256(path: str | PathLike) -> str:
    """The SHA-256 of a checkpoint.

    Raises:
        RunError: if it cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as error:
        raise RunError(
            f"{path} cannot be read ({error.strerror}); restore it, or train again with "
            "--force_train."
        ) from error


def check_checkpoint(paths: "ArtifactPaths", record: dict[str, Any]) -> None:
    """Makes sure that the checkpoint is the one that training ended with.

    Raises:
        RunError: if it is missing, damaged or another file.
    """
    if checkpoint_sha256(paths.best_weights) != record["checkpoint_sha256"]:
        raise RunError(
            f"{paths.best_weights} is not the checkpoint that training ended with: it is damaged "
            "or another file. Restore it, or train again with --force_train."
        )
