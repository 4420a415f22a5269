"""The settings of experiments on disk, compared with requested ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .fields import flagged
from .files import are_files


def differences(config: Any, stored: Mapping[str, Any]) -> list[str]:
    """Differences in training between `config` and the settings of a stored experiment.

    Args:
        config: an `ExperimentConfig`.
        stored: a dictionary as `to_dict` made it; settings that it lacks had their defaults.

    Returns:
        One text for each difference, such as "`seed=1` instead of 0".
    """
    found, irrelevant = [], set()
    if config.epochs == stored.get("epochs") == 0:
        # A model that is used as it is depends on no seed; the pruned networks record theirs.
        irrelevant.add("seed")
    if config.num_valid is None:
        # The number of held-out examples of a file is not known before it is read.
        irrelevant.add("num_valid")
    for f in flagged(config):
        value, old = getattr(config, f.name), stored.get(f.name, f.default)
        if f.name in irrelevant:
            continue
        if f.metadata["trains"] and value != old and not are_files(value, old):
            found.append(f"`{f.name}={value}` instead of {old}")
    return found


def stored_settings(config: Any, name: str) -> dict[str, Any] | None:
    """The settings in the record of an experiment in the output folder; of several seeds, those of
    the first.

    Args:
        config: an `ExperimentConfig`; settings that do not matter for the comparison are its own.
        name: the experiment's.

    Returns:
        A dictionary, empty if the record is damaged; None if there is none.
    """
    import json  # here, so that `--help` does not pay for it

    place = Path(config.output_dir).expanduser() / name
    if config.replicates > 1:
        place = min((place / "replicates").glob("*-seed=*/"), default=place / "replicates")
    try:
        stored = json.loads((place / "config.json").read_text(encoding="utf-8"))["settings"]
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        return {}
    several = {"seed": config.seed} if config.replicates > 1 else {}
    unknown = {"num_valid": None} if config.num_valid is None else {}
    return {**stored, **several, **unknown} if isinstance(stored, dict) else {}
