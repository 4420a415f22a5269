"""The figures of an experiment: curves, histograms, animations; and the table `results.csv`.

Everything is drawn from arrays and tables; nothing here imports TensorFlow.
"""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..utils import echo, write_bytes
from ..visualization import console, controls, csv, figures, gifs, graph, histogram_frames
from . import run_key
from .comparison import chosen_methods
from .finished import kept_epoch

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from ..training.networks import Networks
    from .paths import ArtifactPaths


@dataclass(frozen=True)
class Drawing:
    """The histograms of a method, as files: a PNG for every `k`, and the GIF of all."""

    frames: list[bytes]
    animation: bytes


@dataclass(frozen=True)
class Histograms:
    """What the histograms of a method show. It is taken before networks are tested: the model that
    it comes from holds other weights then.

    Attributes:
        granularity: of the method.
        values: weights, or the norms of units, by layer name.
        rankings: the `Ranking`s by layer name.
        labels: of layers that are not called by their name.
    """

    granularity: str
    values: "Mapping[str, np.ndarray]"
    rankings: "Mapping[str, Ranking]"
    labels: "Mapping[str, str]"

    @classmethod
    def of(
        cls,
        networks: "Networks",
        dense: "Weights",
        method: "Method",
        rankings: "Mapping[str, Ranking] | None" = None,
    ) -> "Histograms":
        """Those of the weights or units that a method keeps.

        Args:
            networks: the `Networks` of the experiment.
            dense: the weights of the kept checkpoint.
            method: one of the reference methods.
            rankings: its `Ranking`s by layer name; made if not given.
        """
        rankings = networks.rank(method, dense) if rankings is None else rankings
        values = networks.values(method, dense, rankings)
        return cls(method.granularity, values, rankings, networks.labels(method))

    def drawn(self, config: "ExperimentConfig") -> Drawing:
        """The `Drawing` of them at every `k`."""
        frames = gifs.in_few_colors(
            histogram_frames.frames_of(
                self.granularity,
                self.values,
                self.rankings,
                config.k_vals,
                str(config.experiment_id),
                self.labels,
            )
        )
        return Drawing([figures.png_of(frame) for frame in frames], gifs.gif_of(frames))


def drawing(
    config: "ExperimentConfig", networks: "Networks", dense: "Weights", method: "Method"
) -> Drawing:
    """The `Drawing` of what a method keeps; for arguments see `Histograms.of`."""
    return Histograms.of(networks, dense, method).drawn(config)


def draw(
    config: "ExperimentConfig",
    drawings: "Mapping[Method, Callable[[], Drawing]]",
    paths: "ArtifactPaths",
) -> None:
    """Writes the training curves, and histograms and animations of the kept weights and units.

    None of it needs test results, so it can be done while networks are evaluated.

    Args:
        config: the `ExperimentConfig`.
        drawings: for each of the reference methods a function that returns its `Drawing`.
        paths: of the experiment.
    """
    if config.epochs:
        history = csv.read_history(paths.history)
        figure = graph.loss_accuracy(history, kept_epoch(config, history), config.experiment_id)
        figures.save_png(figure, paths.loss_accuracy)
    for method, made in drawings.items():
        drawn = made()
        for frame, k in zip(drawn.frames, config.k_vals, strict=True):
            write_bytes(paths.histogram(method.granularity, k), frame)
        write_bytes(paths.animation(method.granularity), drawn.animation)
    paths.remove_stale_pictures(config.k_vals, config.epochs)


def begun(work: "Callable[[], Drawing]") -> "Callable[[], Drawing]":
    """Begins the work in another process if a copy of this one can do it; returns a function that
    waits for its result, or that does the work."""
    return _in_another_process(work) if _may_fork() else work


def _may_fork():
    """Whether this process may be forked: it has no other threads, such as TensorFlow's. The one
    that renews the lock does not count: the copy has no lock."""
    threads = [thread.name for thread in threading.enumerate()]
    others = [name for name in threads[1:] if not name.startswith("filelock-lease")]
    return not others and "tensorflow" not in sys.modules and sys.platform == "linux"


def _in_another_process(work):
    """Begins the work in a copy of this process, and returns a function that waits for its result.

    The copy writes no files: if this process is killed, nothing is written any more, and the copy
    ends with its work. If the copy fails, the work is done here.
    """
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    fork.Process(target=_send, args=(work, sender, receiver), daemon=True).start()
    sender.close()

    def result():
        with receiver, suppress(EOFError, OSError):
            return receiver.recv()
        return work()

    return result


def _send(work, sender, receiver):
    receiver.close()  # the copy's own end: sending must fail, not block, if the parent has died
    # Ctrl-C reaches both processes; the parent ends the copy and reports it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with suppress(Exception):
        sender.send(work())


def report(config: "ExperimentConfig", rows: "pd.DataFrame", paths: "ArtifactPaths") -> None:
    """Writes the figures and tables of the results, and prints the table.

    Args:
        config: the `ExperimentConfig`.
        rows: of this run in `metrics.csv`.
        paths: of the experiment.
    """
    title = config.experiment_id
    settings = run_key.settings_text(config, chosen_methods(config))
    # The table may have an unpruned control although 0 is not among the requested sparsities.
    requested = rows[rows["k"].isin(config.k_vals)]
    weight, unit = (requested[requested["method"] == name] for name in ("weight", "unit"))
    figure = graph.pruned_loss_accuracy(weight, unit, title)
    figures.save_png(figure, paths.pruned_curves)
    figures.save_png(graph.method_comparison(rows, title, settings), paths.method_comparison)
    csv.write_results(paths.results, weight, unit)
    made_with = ", ".join(filter(None, (title, f"seed={config.seed}", settings)))
    echo(
        console.results_table(
            controls.of_methods(requested), made_with, controls.compared_with(rows)
        )
    )
