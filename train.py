"""Trains a dense network on a data set, prunes it to every sparsity, and pictures the results.

python -m network-pruning.train --dataset=digits
"""

import json
import platform
import sys
import time
from importlib import import_module

from absl import app, flags

from . import __version__
from .config import UsageError, config_from_flags, define_flags, differences
from .utils import ArtifactPaths, RunError, progress, say, write_text

# TensorFlow and matplotlib take seconds to import. `--help` and flag errors must not pay for them,
# so that every stage below imports what it needs when it runs.

VERSIONED_MODULES = ("tensorflow", "keras", "numpy", "matplotlib", "PIL")


def run(config):
    """One experiment, start to finish.

    Raises:
        RunError: if it cannot be done; the message says why and what to do.
    """
    from .data import registry

    paths = ArtifactPaths.of(config)
    stored = read_stored_settings(paths)
    reuse = stored is not None and not config.force_train
    if reuse:
        check_same_training(config, stored, paths)
    dataset = registry.get_loader(config.dataset)(config.data_dir, config.num_valid)
    write_config(config, dataset, paths)
    kernels = trained_kernels(config, dataset, paths, reuse)
    rankings, metrics = prune_and_evaluate(config, dataset, kernels)
    report(config, kernels, rankings, metrics, paths)


def read_stored_settings(paths):
    """The settings of the experiment that is already there, or None.

    Raises:
        RunError: if its `config.json` cannot be understood.
    """
    try:
        return json.loads(paths.config.read_text(encoding="utf-8"))["settings"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{paths.config} is damaged; delete {paths.root}, or choose another --experiment_id."
        ) from error


def check_same_training(config, stored, paths):
    """Refuses to reuse weights that these settings would not have given."""
    changed = differences(config, stored)
    if changed:
        raise RunError(
            f"{paths.root} was trained with other settings: {', '.join(changed)}. Add "
            "--force_train to train it again, or choose another --experiment_id."
        )


def write_config(config, dataset, paths):
    """Writes `config.json`: the settings and what else the numbers depend on."""
    from .models.backend import DEVICES

    record = {
        "settings": config.to_dict(),
        "dataset_sha256": dataset.digest,
        "versions": {
            "network-pruning": __version__,
            "python": platform.python_version(),
            **{name: import_module(name).__version__ for name in VERSIONED_MODULES},
        },
        "machine": f"{platform.system()} {platform.machine()}",
        "devices": DEVICES,
    }
    write_text(paths.config, json.dumps(record, indent=2) + "\n")


def trained_kernels(config, dataset, paths, reuse):
    """The kernels of the kept checkpoint, by layer name: of a finished training, or trained now."""
    from .models import model as models

    model = models.build(config.learning_rate, config.l1_reg, config.l2_reg, config.seed)
    model.summary(print_fn=say)
    if reuse and is_finished(config, paths):
        say(f"Not trained again: {paths.best_weights} is finished (--force_train retrains).")
    else:
        train(config, dataset, model, paths)
    models.load_weights(model, paths.best_weights)
    return models.kernels(model)


def is_finished(config, paths):
    """Whether every epoch has been trained and its checkpoint is there."""
    from .visualization import csv

    if not (paths.history.exists() and paths.best_weights.exists()):
        return False
    return len(csv.read_history(paths.history)) == config.epochs


def train(config, dataset, model, paths):
    """Trains `model`, keeps the checkpoint, and writes the history after every epoch."""
    from .models import model as models
    from .models import training
    from .visualization import csv

    if dataset.valid is None:
        say("No validation set: the checkpoint is chosen by training loss.")
    say(f"Training on {len(dataset.train):,} examples, {config.epochs} epochs:")
    paths.history.unlink(missing_ok=True)
    history, bar, started = [], progress(unit="step"), time.perf_counter()

    def on_steps(epoch, done, num_steps):
        bar.set_description(f"epoch {epoch}/{config.epochs}", refresh=False)
        bar.total, bar.n = num_steps, done
        bar.refresh()

    def on_epoch(epoch):
        nonlocal started
        best = min((past.selection_loss for past in history), default=float("inf"))
        keep = not config.keep_best or epoch.selection_loss < best
        if keep:
            models.save(model, paths.best_weights)
        history.append(epoch)
        csv.write_history(paths.history, history)
        say(_epoch_line(epoch, config.epochs, time.perf_counter() - started, keep))
        started = time.perf_counter()

    with bar:
        training.train(model, dataset, config, on_steps, on_epoch)


def prune_and_evaluate(config, dataset, kernels):
    """Prunes a fresh copy of the hidden layers for every granularity and `k`, and tests it.

    Returns:
        Two dictionaries by granularity: the `Ranking` of every layer, and the test `Metrics` for
        every `k`.
    """
    from .models import pruning
    from .models.evaluation import Evaluator

    evaluate = Evaluator(dataset.test, config.l1_reg, config.l2_reg)
    *hidden, (_, output) = kernels.items()
    hidden = dict(hidden)
    rankings = {granularity: pruning.rank(hidden, granularity) for granularity in pruning.SCORES}
    metrics = {granularity: [] for granularity in rankings}
    total = len(rankings) * len(config.k_vals)
    with progress(total=total, desc="pruning", unit="network") as bar:
        for granularity, layers in rankings.items():
            for k in config.k_vals:
                masks = pruning.make_masks(layers, hidden, k)
                pruned = pruning.apply_masks(masks, hidden)
                metrics[granularity].append(evaluate([*pruned.values(), output]))
                bar.update()
    say(f"Pruned and tested {total} networks.")
    return rankings, metrics


def report(config, kernels, rankings, metrics, paths):
    """Writes the tables, figures and animations, and prints the final table."""
    from .visualization import console, csv, gifs, graph

    k_vals, name = config.k_vals, config.experiment_id
    history = csv.read_history(paths.history)
    figure = graph.loss_accuracy(history, kept_epoch(config, history), name)
    graph.save_png(figure, paths.loss_accuracy)
    graph.save_png(graph.pruned_loss_accuracy(k_vals, **metrics, title=name), paths.pruned_curves)
    for granularity, layers in rankings.items():
        values = kernels if granularity == "weight" else {n: r.scores for n, r in layers.items()}
        frames = graph.histogram_frames(granularity, values, layers, k_vals, name)
        images = [frames.draw(index, k) for index, k in enumerate(k_vals)]
        pictures = [paths.histogram(granularity, k) for k in k_vals]
        for image, picture in zip(images, pictures, strict=True):
            graph.save_png(image, picture)
        gifs.save_gif(images, paths.animation(granularity))
        for stale in set(paths.histograms(granularity)) - set(pictures):
            stale.unlink()
    csv.write_results(paths.results, k_vals, **metrics)
    say(console.results_table(k_vals, **metrics))
    say(f"Tables and figures are in {paths.root}")


def kept_epoch(config, history):
    """The number of the epoch whose checkpoint was kept, from 1."""
    column = "loss" if history[0]["val_loss"] is None else "val_loss"
    losses = [row[column] for row in history]
    return 1 + losses.index(min(losses)) if config.keep_best else len(losses)


def main(config):
    """Runs the experiment; a failure ends in one sentence on standard error.

    Returns:
        The exit status: 0 done, 1 failed, 2 bad usage, 130 interrupted.
    """
    try:
        run(config)
    except UsageError as error:
        return _fail(error, 2)
    except RunError as error:
        return _fail(error, 1)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or config.output_dir}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command runs it again.", 130)
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
    """The config of parsed flags, of a data set that exists."""
    from .data import registry

    registry.get_loader(flag_values.dataset)
    return config_from_flags(flag_values)


def _fail(message, status):
    print(f"network-pruning: {message}", file=sys.stderr, flush=True)
    return status


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
    app.run(main, flags_parser=parse_flags)


if __name__ == "__main__":
    cli()
