"""The settings of an experiment as flags, the command that reproduces it, and its provenance."""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..settings.experiment import ExperimentConfig
from ..settings.fields import DEFAULT_NUM_VALID

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths


# Settings of a run that its results do not depend on.
NOT_OF_THE_EXPERIMENT = (
    *("experiment_id", "output_dir", "data_dir", "force_train", "preset", "tensorboard"),
    *("log_to", "ray_address"),
)
DEFAULTS = {f.name: f.default for f in dataclasses.fields(ExperimentConfig)}


def described_settings(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of flag, value, and whether it is the default."""
    left_out = (*NOT_OF_THE_EXPERIMENT, "replicates")
    return [
        {"flag": f"--{name}", "value": _as_flag(value), "is_default": _same(name, value)}
        for name, value in settings.items()
        if name in DEFAULTS and name not in left_out and value is not None
    ]


def _as_flag(value):
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _same(name, value):
    """Whether a setting is at its default."""
    if name == "num_valid":
        return value == DEFAULT_NUM_VALID
    default = DEFAULTS.get(name)
    return list(value) == list(default) if isinstance(value, list | tuple) else value == default


def command(settings: Mapping[str, Any], paths: "ArtifactPaths") -> str:
    """The command line that reproduces the experiment."""
    parts = ["python", "-m", "network-pruning.train"]
    for name, value in settings.items():
        if name in NOT_OF_THE_EXPERIMENT:
            continue
        if name not in DEFAULTS or value is None or _same(name, value):
            continue
        if isinstance(value, bool):
            parts.append(f"--{'' if value else 'no'}{name}")
        else:
            parts.append(f"--{name}={_as_flag(value)}")
    parts.append(f"--experiment_id={paths.root.name}")
    return shlex.join(parts)


def provenance_rows(record: dict[str, Any] | None) -> list[list[str]]:
    """Machine, devices, versions and digests as pairs of name and value."""
    if record is None:
        return []
    found = {
        "machine": record.get("machine"),
        "devices": ", ".join(record.get("devices", [])),
        **record.get("versions", {}),
        "data, SHA-256": record.get("dataset_sha256"),
        "weights, SHA-256": record.get("checkpoint_sha256"),
    }
    return [[name, str(value)] for name, value in found.items() if value]
