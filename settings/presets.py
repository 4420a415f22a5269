"""Presets: values of several settings under one name."""

from typing import Any

from ..utils import UsageError

PRESETS: dict[str, dict[str, Any]] = {
    "strong": {
        "methods": ("weight/obd/global/gradual/finetune",),
        "prune_epochs": 8,
        "finetune_epochs": 25,
        "distillation": 0.2,
        "shift": 1,
    },
    "strong_units": {
        "methods": ("unit/gradual/finetune",),
        "prune_epochs": 8,
        "finetune_epochs": 25,
        "distillation": 0.2,
        "shift": 1,
    },
    # Without labels.
    "oneshot": {"methods": ("weight/activation/global/distill", "unit_in_out/activation/distill")},
}


def preset(name: str | None) -> dict[str, Any]:
    """The settings of a preset, by name of the field; none for None.

    Raises:
        UsageError: if there is none of this name.
    """
    if name is None:
        return {}
    if name not in PRESETS:
        raise UsageError(f"`preset`: {name!r} is not known; choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]
