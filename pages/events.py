"""TensorBoard's event files, of finished numbers; without TensorFlow.

A folder with an event file in it is what TensorBoard calls a run. Here every run has one file of
always the same name: who writes again replaces what is shown, and nothing is shown twice.
"""

import io
import math
import struct
from dataclasses import dataclass, field

import numpy as np

from ..experiments.event_files import FILE_NAME, UNFINISHED, remove_events, tidy
from ..utils import RunError, write_bytes


@dataclass(frozen=True)
class Run:
    """What one run shows. Numbers that are missing or infinite are left out.

    Attributes:
        scalars: by tag, pairs of step and number.
        histograms: by tag, triples of step, bin edges of shape (bins + 1,), and counts of shape
            (bins,).
        images: by tag, the bytes of a PNG file.
        hparams: by name, texts, truths and numbers. A run with such is a row of HParams, and its
            scalars are the metrics there.
    """

    scalars: dict = field(default_factory=dict)
    histograms: dict = field(default_factory=dict)
    images: dict = field(default_factory=dict)
    hparams: dict = field(default_factory=dict)


def check_installed():
    """Makes sure that event files can be written.

    Raises:
        RunError: if TensorBoard is not installed.
    """
    try:
        import tensorboard.compat.proto.event_pb2
        import tensorboard.plugins.hparams.plugin_data_pb2
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ImportError as error:
        raise RunError(
            "--tensorboard needs the package tensorboard: pip install "
            "'./network-pruning[tensorboard]' from the folder above the checkout."
        ) from error


def write_events(folder, runs, wall_time):
    """Writes runs in the place of those that were written to the folder before.

    All files are complete before the first old one goes. One process at a time may write. A
    TensorBoard that is running goes on showing the old ones until it is started again.

    Args:
        folder: a `Path`; files of others in it stay.
        runs: a `Run` for every name of a folder; those with nothing to show get no file.
        wall_time: when all of it happened, in seconds since 1970.

    Raises:
        RunError: if TensorBoard is not installed, or the folder cannot be written to.
    """
    check_installed()
    contents = {name: _content(run, wall_time) for name, run in runs.items()}
    contents = {name: content for name, content in contents.items() if content}
    unfinished = folder / UNFINISHED
    try:
        for name, content in contents.items():
            write_bytes(unfinished / name, content)
        for name in contents:
            (folder / name).mkdir(exist_ok=True)
        for name in contents:
            (unfinished / name).replace(folder / name / FILE_NAME)
        remove_events(folder, besides=contents)
    except OSError as error:
        raise RunError(f"{folder} cannot be written to ({error.strerror or error}).") from error
    finally:
        tidy(folder)


def _content(run, wall_time):
    """The bytes of a run's file, the same for the same numbers; none if it shows nothing."""
    # TensorBoard's own writer of files would import TensorFlow, and name them by the time of day.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    events = [
        Event(wall_time=wall_time, step=step, summary=Summary(value=[value]))
        for step, value in _values(run, wall_time)
    ]
    if not events:
        return b""
    file = io.BytesIO()
    writer = RecordWriter(file)
    for event in (Event(wall_time=wall_time, file_version="brain.Event:2"), *events):
        writer.write(event.SerializeToString(deterministic=True))
    return file.getvalue()


def _values(run, wall_time):
    """Pairs of a step and what is shown there.

    They are of TensorBoard's first format, which all versions read and which needs no plugins.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary

    if run.hparams:
        yield from ((0, value) for value in _session(run.hparams, wall_time))
    for tag, points in run.scalars.items():
        for step, number in points:
            if math.isfinite(number):
                yield step, Summary.Value(tag=tag, simple_value=number)
    for tag, histograms in run.histograms.items():
        for step, edges, counts in histograms:
            if np.isfinite(edges).all() and np.any(counts):
                yield step, Summary.Value(tag=tag, histo=_histogram(edges, counts))
    for tag, png in run.images.items():
        yield 0, Summary.Value(tag=tag, image=_image(png))


def _histogram(edges, counts):
    """A histogram without its empty buckets.

    Each bucket begins where the one before ends. So of several empty ones between others a single
    one is kept, or the next would become as wide as all of them.
    """
    from tensorboard.compat.proto.histogram_pb2 import HistogramProto

    filled = np.flatnonzero(counts)
    first, last = filled[0], filled[-1] + 1
    middles = (edges[:-1] + edges[1:]) / 2
    counts, limits = counts[first:last], edges[first + 1 : last + 1]
    kept = (counts > 0) | (np.append(counts[1:], 0) > 0)
    return HistogramProto(
        min=edges[first],
        max=edges[last],
        num=counts.sum(),
        # As if all values lay in the middles of their buckets.
        sum=counts @ middles[first:last],
        sum_squares=counts @ middles[first:last] ** 2,
        bucket_limit=limits[kept],
        bucket=counts[kept],
    )


def _image(png):
    from tensorboard.compat.proto.summary_pb2 import Summary

    # A PNG file begins with eight bytes of its own, then length and name of its first part.
    width, height = struct.unpack(">II", png[16:24])
    return Summary.Image(width=width, height=height, encoded_image_string=png)


def _session(hparams, wall_time):
    """What makes a run a row of HParams: its settings, and that it has ended well."""
    from tensorboard.plugins.hparams import api_pb2, metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )

    start = SessionStartInfo(start_time_secs=wall_time)
    for name, value in hparams.items():
        if isinstance(value, bool):  # which is an integer too
            start.hparams[name].bool_value = value
        elif isinstance(value, int | float):
            start.hparams[name].number_value = value
        else:
            start.hparams[name].string_value = value
    end = SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=wall_time)
    yield _about(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start))
    yield _about(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=end))


def _about(tag, data):
    # TensorBoard has functions for this, but they import TensorFlow, or their bytes differ.
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams import metadata

    data.version = metadata.PLUGIN_DATA_VERSION
    plugin = SummaryMetadata.PluginData(
        plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString(deterministic=True)
    )
    return Summary.Value(
        tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=metadata.NULL_TENSOR
    )
