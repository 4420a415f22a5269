"""Notes on a command line before any work begins: flags without effect and the like."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..pruning.methods import parse
from ..settings.fields import flagged
from ..settings.files import is_file
from .run_key import unused_settings

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig
    from ..settings.export import ExportConfig


def notes_of(config: "ExperimentConfig") -> list[str]:
    """Sentences on settings of an `ExperimentConfig` that are valid, but may be a mistake."""
    found = []
    if unused := unused_settings(config):
        found.append(f"Not used by these methods: {', '.join(unused)}.")
    for flags, reason in _without_effect(config):
        found.append(f"Without effect: {', '.join(flags)}, because {reason}.")
    if config.data_dir is not None and not is_file(config.dataset):
        folder = Path(config.data_dir).expanduser()
        if not folder.is_dir():
            found.append(f"--data_dir: {folder} does not exist; downloads will be kept there.")
    return found


def notes_of_export(config: "ExportConfig") -> list[str]:
    """Sentences on settings of an `ExportConfig` that have no effect."""
    if config.finetune_epochs != 0:
        return []
    names = ("finetune_learning_rate", "distillation", "shift")
    flags = _changed(config, names)
    reason = "there is no quantization-aware training (--finetune_epochs=0)"
    return [f"Without effect: {', '.join(flags)}, because {reason}."] if flags else []


def _without_effect(config):
    """Flags that are not at their defaults but have no effect, and the reason."""
    trains = any(parse(text).trains for text in config.methods)
    if not trains and (flags := _changed(config, ["control_rounds"])):
        yield flags, "no method retrains, so there is no control"
    if config.data_dir is not None and is_file(config.dataset):
        yield ["--data_dir"], f"--dataset={config.dataset} is a file"
    if config.epochs == 0:
        names = ["keep_best"]
        if not trains:
            names += ["learning_rate"]
        if flags := _changed(config, names):
            yield flags, "nothing is trained (--epochs=0)"
    if config.epochs == 1 and not config.keep_best:
        yield ["--nokeep_best"], "the only epoch is the last and the best one"


def _changed(config, names):
    defaults = {f.name: f.default for f in flagged(type(config))}
    return [f"--{name}" for name in names if getattr(config, name) != defaults[name]]
