"""Trains the dense network of an experiment with checkpoints, from the last finished epoch on."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..models.backend import device_names
from ..training import checkpoints
from ..utils import COLUMNS, echo, pluralize
from ..visualization import csv
from .progress import progress

if TYPE_CHECKING:
    from ..settings.experiment import ExperimentConfig
    from ..training.loop import Epoch
    from ..training.networks import Networks
    from .paths import ArtifactPaths


def train(
    config: "ExperimentConfig",
    networks: "Networks",
    paths: "ArtifactPaths",
    show_model: bool,
    watch: "Callable[[Networks, Any, Epoch], object] | None" = None,
) -> None:
    """Trains the network to the end, from the last finished epoch if a run was interrupted.

    Writes the kept checkpoint, the history, and after every epoch the state to resume from.

    Args:
        config: the `ExperimentConfig`.
        networks: the `Networks` of the experiment.
        paths: of the experiment.
        show_model: whether to print the network's summary.
        watch: called with the networks, the model and the `Epoch` after every epoch.
    """
    model, dataset = networks.new_model(), networks.dataset
    if show_model:
        model.summary(line_length=COLUMNS, print_fn=echo)
    if not config.epochs:
        echo("Not trained: --epochs=0 uses the model as it is.")
        checkpoints.save(model, paths.best_weights)
        csv.write_history(paths.history, [])
        return
    if dataset.valid is None:
        echo("No validation set: the checkpoint is chosen by training loss.")
    echo(
        f"Training on {pluralize(len(dataset.train), 'example')}, "
        f"{pluralize(config.epochs, 'epoch')}, on {_device_name(device_names())}:"
    )
    history = []
    if paths.training_state.exists():
        history = checkpoints.load_state(model, paths.training_state)
        echo(f"Resumed after epoch {len(history)}, where an earlier run was interrupted.")
    started, num_steps = time.perf_counter(), math.ceil(len(dataset.train) / config.batch_size)
    bar = progress(total=num_steps, unit="step", desc=f"epoch {1 + len(history)}/{config.epochs}")

    def on_epoch(epoch):
        nonlocal started
        history.append(epoch)
        kept = _kept(config, history)
        keep = kept[-1] is epoch
        # In this order: a run that is killed in between repeats the epoch and writes the same.
        if keep:
            # The same bytes, whatever this process has made before.
            name = checkpoints.optimizer_after(model, len(kept))
            checkpoints.save(model, paths.best_weights, name)
        if epoch.epoch < config.epochs:
            checkpoints.save_state(model, history, paths.training_state)
        csv.write_history(paths.history, history)
        echo(epoch_line(epoch, config.epochs, time.perf_counter() - started, keep))
        if watch is not None:
            watch(networks, model, epoch)
        started = time.perf_counter()
        if epoch.epoch < config.epochs:
            bar.set_description(f"epoch {epoch.epoch + 1}/{config.epochs}", refresh=False)
            bar.reset()

    with bar:
        networks.train(model, bar.update, on_epoch, 1 + len(history))


def _kept(config, history):
    """The epochs whose weights were kept: those with a lower selection loss than all before."""
    kept = []
    for epoch in history:
        if not kept or not config.keep_best or epoch.selection_loss < kept[-1].selection_loss:
            kept.append(epoch)
    return kept


def _device_name(devices):
    gpus = sum("GPU" in device for device in devices)
    return pluralize(gpus, "GPU") if gpus else "the CPU (TensorFlow finds no GPU)"


def epoch_line(epoch: "Epoch", epochs: int, seconds: float, kept: bool) -> str:
    """The line of an epoch: "epoch  3/20  loss 0.5000 (val 0.6000)  …"."""
    measured = [
        _training_and_validation("loss", epoch.loss, epoch.val_loss),
        _training_and_validation("acc", epoch.accuracy, epoch.val_accuracy),
    ]
    number = f"epoch {epoch.epoch:{len(str(epochs))}}/{epochs}"
    return "  ".join([number, *measured, f"{seconds:.1f} s", *(["kept"] if kept else [])])


def _training_and_validation(name, training, validation):
    shown = f"{name} {_short(training)}"
    return shown if validation is None else f"{shown} (val {_short(validation)})"


def _short(value):
    return f"{value:.4f}" if value < 10 else f"{value:.5g}"
