"""The settings of experiments on disk, compared with those that are asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .fields import flagged
from .files import are_files


def differences(config: Any, stored: Mapping[str, Any]) -> list[str]:
    """What trains differently in `config` than in the settings of a stored experiment.

    Args:
        config: an `ExperimentConfig`.
        stored: a dictionary as `to_dict` made it; a setting it does not know had its default.

    Returns:
        One text for each difference, such as "`seed=1` instead of 0".
    """
    found, irrelevant = [], set()
    if config.epochs == stored.get("epochs") == 0:
        # A model that is taken as it is comes from no seed; the pruned networks know theirs.
        irrelevant.add("seed")
    if config.num_valid is None:
        # How many examples of a file are held out is not known before it is read.
        irrelevant.add("num_valid")
    for f in flagged(config):
        value, old = getattr(config, f.name), stored.get(f.name, f.default)
        if f.name in irrelevant:
            continue
        if f.metadata["trains"] and value != old and not are_files(value, old):
            found.append(f"`{f.name}={value}` instead of {old}")
    return found


def stored_settings(config: Any, name: str) -> dict[str, Any] | None:
    """The settings of an experiment in the output folder, as its record has them; of several seeds
    those of the first.

    Args:
        config: an `ExperimentConfig`; what it has in common with any record is taken from it.
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
