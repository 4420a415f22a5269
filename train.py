"""Trains a dense network on a data set, prunes it to every sparsity, and pictures the results.

python -m network-pruning.train --dataset=digits
"""

import math
import platform
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from absl import app, flags

from . import __version__, experiment, plugins
from .config import ExperimentConfig, UsageError, config_from_flags, define_flags
from .utils import ArtifactPaths, RunError, progress, say

# TensorFlow and matplotlib take seconds to import. `--help` and flag errors must not pay for them,
# so that every stage below imports what it needs when it runs.

VERSIONED_MODULES = ("tensorflow", "keras", "numpy", "matplotlib", "PIL")


def run(config):
    """One experiment, start to finish.

    Returns:
        The rows of its `metrics.csv`.

    Raises:
        RunError: if it cannot be done; the message says why and what to do.
    """
    from .data import registry

    dataset = registry.get_loader(config.dataset)(config.data_dir, config.num_valid)
    paths = ArtifactPaths.of(config)
    with experiment.locked(paths):
        experiment.tidy(paths)
        work, record = experiment.workplace(config, dataset, paths)
        record = updated_record(config, dataset, record)
        experiment.write_record(work, record)
        dense, checkpoint = trained_weights(config, dataset, work, record)
        rankings = ranked(dense)
        with ThreadPoolExecutor(1) as pool:
            # Drawing is Python, evaluating is native code: side by side a tenth less time.
            drawn = pool.submit(draw, config, dense, rankings, work)
            rows = prune_and_evaluate(config, dataset, dense, rankings, work, checkpoint)
            drawn.result()
        report(config, rows, work)
        if work != paths:
            experiment.replace(paths)
    say(f"Tables and figures are in {paths.root}")
    return rows


def updated_record(config, dataset, record):
    """What goes into `config.json`: the settings, and what the trained weights depend on."""
    if record is None:
        from .models.backend import device_names

        record = {
            "dataset_sha256": dataset.digest,
            "checkpoint_sha256": None,
            "versions": {
                "network-pruning": __version__,
                "python": platform.python_version(),
                **{name: import_module(name).__version__ for name in VERSIONED_MODULES},
            },
            "machine": f"{platform.system()} {platform.machine()}",
            "devices": device_names(),
        }
    return {**record, "settings": config.to_dict()}


def trained_weights(config, dataset, paths, record):
    """The `Weights` of the kept checkpoint, of a finished training or trained now; its digest."""
    from .visualization import csv

    finished = experiment.is_finished(record)
    if finished:
        experiment.check_checkpoint(paths, record)
        csv.read_history(paths.history)  # the report needs it: complain before the work

    from .models import checkpoints
    from .models import model as models
    from .models.weights import Weights

    settings = config.learning_rate, config.l1_reg, config.l2_reg, config.seed, config.model
    model = models.build(*settings)
    model.summary(print_fn=say)
    if finished:
        say(f"Not trained again: {paths.best_weights} is finished (--force_train retrains).")
    else:
        train(config, dataset, model, paths)
        record = {**record, "checkpoint_sha256": experiment.file_sha256(paths.best_weights)}
        experiment.write_record(paths, record)
    paths.training_state.unlink(missing_ok=True)
    checkpoints.load_weights(model, paths.best_weights)
    return Weights.of(model), record["checkpoint_sha256"]


def train(config, dataset, model, paths):
    """Trains `model` to the end, from the last finished epoch if an earlier run was cut short.

    Writes the kept checkpoint, the history, and after every epoch the state to go on from.
    """
    from .models import checkpoints, training
    from .models.backend import device_names
    from .visualization import csv

    if dataset.valid is None:
        say("No validation set: the checkpoint is chosen by training loss.")
    say(
        f"Training on {len(dataset.train):,} examples, {config.epochs} epochs, "
        f"on {_device_name(device_names())}:"
    )
    history = []
    if paths.training_state.exists():
        history = checkpoints.load_state(model, paths.training_state)
        say(f"Resumed after epoch {len(history)}, where an earlier run was cut short.")
    started, num_steps = time.perf_counter(), math.ceil(len(dataset.train) / config.batch_size)
    bar = progress(total=num_steps, unit="step", desc=f"epoch {1 + len(history)}/{config.epochs}")

    def on_epoch(epoch):
        nonlocal started
        best = min((past.selection_loss for past in history), default=float("inf"))
        keep = not config.keep_best or epoch.selection_loss < best
        history.append(epoch)
        # In this order: a run that is killed in between repeats the epoch and writes the same.
        if keep:
            checkpoints.save(model, paths.best_weights)
        if epoch.epoch < config.epochs:
            checkpoints.save_state(model, history, paths.training_state)
        csv.write_history(paths.history, history)
        say(_epoch_line(epoch, config.epochs, time.perf_counter() - started, keep))
        started = time.perf_counter()
        if epoch.epoch < config.epochs:
            bar.set_description(f"epoch {epoch.epoch + 1}/{config.epochs}", refresh=False)
            bar.reset()

    with bar:
        training.train(model, dataset, config, bar.update, on_epoch, 1 + len(history))


def ranked(dense):
    """The rankings of every hidden layer by the reference methods, by `Method` and layer name."""
    from .models import pruning
    from .models.methods import REFERENCE

    return {method: pruning.rank(method, dense.kernels) for method in REFERENCE}


def prune_and_evaluate(config, dataset, dense, rankings, paths, checkpoint):
    """Prunes by every method to every `k` and tests the networks: the rows of `metrics.csv`."""
    from .sweep import sweep

    return sweep(config, dataset, dense, rankings, paths, checkpoint)


def draw(config, dense, rankings, paths):
    """Writes the curves of the training, and pictures and animations of what is left at every `k`.

    All that needs no test results, so that it can be done while networks are evaluated.
    """
    from .visualization import csv, gifs, graph

    history = csv.read_history(paths.history)
    figure = graph.loss_accuracy(history, kept_epoch(config, history), config.experiment_id)
    graph.save_png(figure, paths.loss_accuracy)
    for method, layers in rankings.items():
        granularity = method.granularity
        values = {
            name: dense.kernels[name] if granularity == "weight" else ranking.scores
            for name, ranking in layers.items()
        }
        frames = gifs.in_few_colors(
            graph.histogram_frames(granularity, values, layers, config.k_vals, config.experiment_id)
        )
        for frame, k in zip(frames, config.k_vals, strict=True):
            graph.save_png(frame, paths.histogram(granularity, k))
        gifs.save_gif(frames, paths.animation(granularity))
    paths.remove_stale_pictures(config.k_vals)


def report(config, rows, paths):
    """Writes the results' curves and tables, and prints the table."""
    from .visualization import console, csv, graph

    k_vals, title = config.k_vals, config.experiment_id
    by_key = {(row["method"], row["k"]): row for row in rows}
    weight, unit = ([by_key[name, k] for k in k_vals] for name in ("weight", "unit"))
    figure = graph.pruned_loss_accuracy(k_vals, weight, unit, title)
    graph.save_png(figure, paths.pruned_curves)
    graph.save_png(graph.method_comparison(rows, title), paths.method_comparison)
    csv.write_results(paths.results, k_vals, weight, unit)
    say(console.results_table(k_vals, weight, unit))


def kept_epoch(config, history):
    """The number of the epoch whose checkpoint was kept, from 1."""
    column = "loss" if history[0]["val_loss"] is None else "val_loss"
    losses = [row[column] for row in history]
    return 1 + losses.index(min(losses)) if config.keep_best else len(losses)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as Ctrl-C does, with a status of its own."""


def main(config):
    """Runs the experiment; a failure ends in one sentence on standard error.

    Returns:
        The exit status: 0 done, 1 failed, 2 bad usage. An interrupt is left to `cli`.
    """
    try:
        if config.replicates > 1:
            from .replicates import run_all

            run_all(config, run)
        else:
            run(config)
    except UsageError as error:
        return _fail(error, 2)
    except RunError as error:
        return _fail(error, 1)
    except ImportError as error:
        return _fail(f"{error}. Install what is missing: pip install -r requirements.txt", 1)
    except OSError as error:
        return _fail(f"{error.filename or config.output_dir}: {error.strerror or error}", 1)
    except Exception as error:
        if _is_out_of_memory(error):
            advice = "Try a smaller --batch_size, or close other programs."
            return _fail(f"Out of memory. {advice} The same command resumes.", 1)
        raise
    return 0


def parse_flags(argv):
    """The `ExperimentConfig` of a command line; bad usage exits with status 2."""
    try:
        unexpected = flags.FLAGS(argv)[1:]
        if unexpected:
            raise UsageError(f"{unexpected[0]!r} is not a flag; flags look like --dataset=digits.")
        return checked_config(flags.FLAGS)
    except (flags.Error, UsageError) as error:
        sys.exit(_fail(error, 2))
    except SystemExit:
        # absl leaves with status 1 after `--help`, but nothing has failed.
        sys.exit(0)


def checked_config(flag_values):
    """The config of parsed flags, of a data set, a model and methods that exist."""
    from .data import registry
    from .models.architectures import ARCHITECTURES

    plugins.load(flag_values.plugins)
    registry.get_loader(flag_values.dataset)
    config = config_from_flags(flag_values)
    ARCHITECTURES.get(config.model)
    if config.methods != ExperimentConfig.methods:
        from .models import methods

        for text in config.methods:
            methods.parse(text)
    return config


def _fail(message, status):
    print(f"network-pruning: {message}", file=sys.stderr, flush=True)
    return status


def _is_out_of_memory(error):
    # By name, because TensorFlow may not have been imported.
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"


def _device_name(devices):
    gpus = sum("GPU" in device for device in devices)
    if gpus:
        return f"{gpus} GPU{'s' if gpus > 1 else ''}"
    return "the CPU (TensorFlow finds no GPU)"


def _epoch_line(epoch, epochs, seconds, kept):
    values = {
        name: getattr(epoch, name) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
    }
    shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
    mark = "  kept" if kept else ""
    return f"epoch {epoch.epoch:{len(str(epochs))}}/{epochs}  {shown}  {seconds:.1f} s{mark}"


def cli():
    """The command `network-pruning`."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # the model summary draws lines that ASCII lacks
    sys.modules["__main__"].__doc__ = __doc__  # what absl prints above the flags
    define_flags(sys.argv[0])
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app.run(main, flags_parser=parse_flags)
    except KeyboardInterrupt as interrupt:
        status = 143 if isinstance(interrupt, Terminated) else 130
        message = "Interrupted. The same command resumes after what has been finished."
        sys.exit(_fail(message, status))


def _terminate(*_):
    raise Terminated


if __name__ == "__main__":
    cli()
