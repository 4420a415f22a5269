"""How long experiments have taken, beside them in `.times/`, and how long others may take.

Not in the experiments' own folders: these come out byte for byte, whatever the time.
"""

import contextlib
import json
import statistics
from pathlib import Path

from ..pruning.methods import parse
from ..settings.files import short_name
from ..utils import RunError, write_text

FOLDER = ".times"
# What an experiment's duration depends on, but for its epochs; what is last matters least.
DEPENDS = ("model", "methods", "replicates", "batch_size", "dataset", "threads", "k_vals")


def note(config, seconds):
    """Keeps how long a new experiment has taken; one that was resumed took longer than known."""
    place = Path(config.output_dir).expanduser() / FOLDER
    row = {"seconds": round(seconds, 1), **_known(config)}
    with contextlib.suppress(RunError):  # the experiment stands without it
        write_text(place / f"{config.experiment_id}.json", json.dumps(row) + "\n")


def noted(output_dir):
    """What is kept of all experiments in a folder, as dictionaries; unreadable ones left out."""
    rows = []
    for file in sorted((Path(output_dir).expanduser() / FOLDER).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            row = json.loads(file.read_text(encoding="utf-8"))
            rows.append({**row, "seconds": float(row["seconds"]), "epochs": float(row["epochs"])})
    return rows


def estimate(config, rows):
    """How many seconds an experiment may take, by those most like it; None if none is.

    Times are taken to grow with the epochs of training, those of pruned networks too. An
    experiment with another model or other methods says nothing.

    Args:
        config: an `ExperimentConfig`.
        rows: as `noted` gives them.
    """
    wanted = _known(config)
    for size in range(len(DEPENDS), 2, -1):
        same = DEPENDS[:size]
        alike = [row for row in rows if all(row.get(name) == wanted[name] for name in same)]
        if alike:
            per_epoch = statistics.median(row["seconds"] / max(row["epochs"], 1) for row in alike)
            return per_epoch * max(wanted["epochs"], 1)
    return None


def _known(config):
    return {
        "dataset": short_name(config.dataset),
        "model": short_name(config.model),
        "epochs": config.epochs + _retraining_epochs(config),
        "batch_size": config.batch_size,
        "methods": list(config.methods),
        "k_vals": len(config.k_vals),
        "replicates": config.replicates,
        "threads": config.threads,
    }


def _retraining_epochs(config):
    """How many epochs pruned networks are trained, about, in an experiment."""
    sparsities = sum(k > 0 for k in config.k_vals)
    total = 0
    for method in map(parse, config.methods):
        if method.trains:
            total += config.finetune_epochs if method.recovery != "none" else 0
            total += config.prune_epochs if method.schedule == "gradual" else 0
    return total * (sparsities + config.control_rounds)
