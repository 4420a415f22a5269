"""Event files for TensorBoard, from finished numbers, by tensorboardX; without TensorFlow.

TensorBoard calls a folder with event files a run. Here every run has one file with a fixed name:
writing again replaces it, and nothing is shown twice.
"""

import importlib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..experiments.event_files import FILE_NAME, UNFINISHED, remove_events, tidy
from ..utils import RunError, check_writes


@dataclass(frozen=True)
class Run:
    """The contents of one run. Numbers that are missing or infinite are left out.

    Attributes:
        scalars: by tag, pairs of step and number.
        histograms: by tag, triples of step, bin edges of shape (bins + 1,), and counts of shape
            (bins,).
        images: by tag, arrays of bytes of shape (height, width, channels).
        hparams: by name, texts, booleans and numbers. A run with hparams is a row of TensorBoard's
            HParams table, with its scalars as metrics.
    """

    scalars: dict = field(default_factory=dict)
    histograms: dict = field(default_factory=dict)
    images: dict = field(default_factory=dict)
    hparams: dict = field(default_factory=dict)


def check_installed() -> None:
    """Makes sure that event files can be written.

    Raises:
        RunError: if tensorboardX is not installed.
    """
    # It would import PyTorch if that is installed, which takes seconds and is not needed here.
    modules: dict[str, Any] = sys.modules
    is_hidden = modules.setdefault("torch", None) is None
    try:
        importlib.import_module("tensorboardX")
    except ImportError as error:
        raise RunError(
            "--tensorboard needs the package tensorboardX: pip install "
            "'./network-pruning[tensorboard]' from the folder above the checkout."
        ) from error
    finally:
        if is_hidden:
            del sys.modules["torch"]


def write_events(folder: Path, runs: Mapping[str, Run], wall_time: float) -> None:
    """Writes runs to a folder, replacing those that were written there before.

    All files are complete before the first old one is removed. One process at a time may write. A
    running TensorBoard shows the old ones until it is restarted.

    Args:
        folder: a `Path`; other files in it are kept.
        runs: a `Run` by name of its folder; empty runs get no file.
        wall_time: the time of all events, in seconds since 1970.

    Raises:
        RunError: if tensorboardX is not installed, or the folder cannot be written to.
    """
    check_installed()
    summaries = {name: list(_summaries(run)) for name, run in runs.items()}
    summaries = {name: found for name, found in summaries.items() if found}
    unfinished = folder / UNFINISHED
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for name, found in summaries.items():
            _write(unfinished / name, found, wall_time)
        for name in summaries:
            (folder / name).mkdir(exist_ok=True)
        check_writes()
        for name in summaries:
            (unfinished / name).replace(folder / name / FILE_NAME)
        remove_events(folder, besides=summaries)
    except OSError as error:
        raise RunError(f"{folder} cannot be written to ({error.strerror or error}).") from error
    finally:
        tidy(folder)


def _write(path, summaries, wall_time):
    """Writes an event file.

    tensorboardX's own `SummaryWriter` would name and date it by the current time, and wait for ever
    if the disk is full.

    Args:
        path: of the file.
        summaries: pairs of a step and a `Summary` of tensorboardX.
        wall_time: of all of them.
    """
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter

    writer = RecordWriter(str(path))
    try:
        writer.write(Event(wall_time=wall_time, file_version="brain.Event:2").SerializeToString())
        for step, summary in summaries:
            event = Event(wall_time=wall_time, step=step, summary=summary)
            writer.write(event.SerializeToString())
        writer.flush()
    finally:
        writer.close()


def _summaries(run):
    """Pairs of a step and a `Summary`."""
    from tensorboardX import summary
    from tensorboardX.proto.summary_pb2 import Summary

    if run.hparams:
        yield from ((0, part) for part in summary.hparams(run.hparams, run.scalars))
    for tag, points in run.scalars.items():
        for step, number in points:
            if math.isfinite(number):
                # tensorboardX's own function for scalars would rename tags with an "=".
                yield step, Summary(value=[Summary.Value(tag=tag, simple_value=number)])
    for tag, histograms in run.histograms.items():
        for step, edges, counts in histograms:
            if np.isfinite(edges).all() and np.any(counts):
                yield step, summary.histogram_raw(tag, *_histogram(edges, counts))
    for tag, image in run.images.items():
        yield 0, summary.image(tag, image, dataformats="HWC")


def _histogram(edges, counts):
    """A histogram without its empty buckets: least and largest value, number, sum and sum of
    squares of values, upper ends of buckets, and counts.

    Each bucket begins where the previous one ends. So one of several empty buckets in a row is
    kept; otherwise the next would become as wide as all of them.
    """
    filled = np.flatnonzero(counts)
    first, last = filled[0], filled[-1] + 1
    # As if all values were in the middles of their buckets.
    middles = ((edges[:-1] + edges[1:]) / 2)[first:last]
    counts, limits = counts[first:last], edges[first + 1 : last + 1]
    kept = (counts > 0) | (np.append(counts[1:], 0) > 0)
    total, squares = counts @ middles, counts @ middles**2
    return edges[first], edges[last], counts.sum(), total, squares, limits[kept], counts[kept]
