"""Runs the program with a small or a fake network, on some of the real digits, with one fault.

A fault is `none`, `kill:N` (SIGKILL at the N-th event), `full:N` (the N-th write finds the disk
full), or `oom` (no memory left for training). Events are the steps between which a run can be cut
short: a file is begun, written, renamed or removed, an epoch begins, a group of training steps or
an evaluation begins or ends, a frame is drawn.

Importing this module imports the whole program, so that a process forked afterwards need not; see
`fault_run.py`.
"""

import errno
import functools
import importlib
import importlib.util
import itertools
import os
import pathlib
import runpy
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

from PIL import Image

SMALL_NETWORK = (30, 20)
TRAIN, VALID, TEST = 1000, 500, 1000


class Fault:
    """Counts events and writes, and strikes at the chosen one."""

    def __init__(self, text):
        self.kind, _, number = text.partition(":")
        self.number = int(number or 0)
        self.events = self.writes = 0
        self.counter = itertools.count(1)  # counts right also where two threads count

    def event(self):
        self.events = next(self.counter)
        if self.events == self.number and self.kind in ("kill", "stop"):
            os.kill(os.getpid(), signal.SIGKILL if self.kind == "kill" else signal.SIGTERM)

    def count(self, owner, name):
        """Makes the beginning and the end of every call of `owner.name` an event."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*arguments, **options):
            self.event()
            result = original(*arguments, **options)
            self.event()
            return result

        setattr(owner, name, call)

    def fsync(self, _handle):
        """Stands in for `os.fsync`: what a process has written outlives it without that."""
        self.writes += 1
        if self.kind == "full" and self.writes == self.number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def epoch_order(self, original):
        def call(*arguments):
            if self.kind == "oom":
                raise MemoryError
            return original(*arguments)

        return call


def load_program():
    """Imports the whole program as `network_pruning`, and the data."""
    root = Path(__file__).resolve().parent.parent
    runpy.run_path(str(root / "__main__.py"))["load_package"]()
    names = ("train", "data.registry", "training.checkpoints", "training.evaluation")
    names += ("visualization.figures", "visualization.histogram_frames", "visualization.gifs")
    names += ("visualization.console", "experiments.network_factory", "experiments.pictures")
    names += ("pages.rendering", "pages.index_page")
    # What the program imports when it is needed; else every process forked from here imports it.
    names += ("experiments.runner", "experiments.network_metrics", "experiments.pruned_networks")
    names += ("experiments.replicates", "experiments.training", "experiments.exports")
    names += ("experiments.notes", "experiments.model_selection", "experiments.finished_networks")
    names += ("pages.publish", "pages.experiment_page", "sweeps.replicates", "visualization.sizes")
    names += ("training.dense_networks", "training.retraining", "training.keras_networks")
    names += ("pruning.gradients", "graph.shrink")
    names += ("compression.npk", "compression.quantization_aware", "pruning.model_statistics")
    names += ("report", "predict", "export", "data.augmentation", "data.checks", "pruning.examples")
    for name in ("tqdm", "PIL.Image", "pandas.io.formats.csvs", "pyarrow.pandas_compat"):
        if importlib.util.find_spec(name.partition(".")[0]):  # pandas does without pyarrow
            importlib.import_module(name)
    program = {name: importlib.import_module(f"network_pruning.{name}") for name in names}
    program["data"] = small_data(program["data.registry"])
    Image.init()
    templates = program["pages.rendering"]._environment()
    for name in ("index.html", "report.html", "sweep.html"):
        templates.get_template(name)
    return program


def small_data(registry):
    """The real digits, a few of them."""
    dataset = registry.get_loader("digits")(None, 10_000)
    return replace(
        dataset,
        train=dataset.train[:TRAIN],
        valid=dataset.valid[:VALID],
        test=dataset.test[:TEST],
    )


def prepare(program, fault):
    """Makes network, data and curves small, and puts the events in place."""
    architectures = sys.modules["network_pruning.models.architectures"]
    training = sys.modules["network_pruning.training.loop"]
    architectures.MLP_UNITS = SMALL_NETWORK
    # XLA compiles for longer than a network of this size is trained.
    program["training.dense_networks"].DenseNetworks.compiled = False
    registry = program["data.registry"]
    registry.load = functools.partial(load, program["data"], registry.load)
    replace_curves(program)
    os.fsync = fault.fsync
    training.epoch_order = fault.epoch_order(training.epoch_order)
    fault.count(tempfile, "mkstemp")
    fault.count(os, "fsync")
    for name in ("replace", "rename", "unlink"):
        fault.count(pathlib.Path, name)
    fault.count(training, "epoch_order")
    fault.count(training, "check_finite")
    fault.count(program["training.evaluation"].Evaluator, "__call__")
    fault.count(program["visualization.histogram_frames"].HistogramFrames, "draw")


def replace_curves(program):
    """Blank images: laying out and drawing the curves takes longer than the training."""
    program["visualization.figures"]._render = lambda _figure: Image.new("P", (8, 8))


def prepare_fake(program, fault):
    """Lets a fake take the place of the networks, and makes its tests events; pages are empty, but
    written as ever."""
    program["pages.experiment_page"].report_of = lambda _paths: {}
    program["pages.index_page"].index_data = lambda _root, _cache: {}
    program["pages.rendering"].report = program["pages.rendering"].index = lambda _data: "a page"
    replace_networks(program)
    fault.count(FakeNetworks, "test")


def replace_networks(program):
    """Lets a fake take the place of the networks, and blank images that of pictures."""
    pictures = program["experiments.pictures"]
    pictures.graph = mock.Mock()
    blank = pictures.figures.png_of(Image.new("P", (8, 8)))
    pictures.Histograms.drawn = lambda _histograms, config: pictures.Drawing(
        [blank for _ in config.k_vals], blank
    )
    program["training.checkpoints"].clone = lambda model, _name: model
    program["experiments.network_factory"].networks_of = FakeNetworks


def load(digits, original, name, *arguments):
    """Stands in for `data.registry.load`; a data set of a plugin's is loaded as ever."""
    return digits if name == "digits" else original(name, *arguments)


def run(fault, flags, fake):
    """Runs the program; returns only by `SystemExit` or not at all."""
    prepare(PROGRAM, fault)
    if fake:
        prepare_fake(PROGRAM, fault)
    sys.argv = ["network-pruning", *flags]
    PROGRAM["train"].cli()


def run_and_count(fault_text, flags, fake, events):
    """The same in a fork; the number of events is written to a file."""
    fault = Fault(fault_text)
    try:
        run(fault, flags, fake)
    finally:
        Path(events).write_text(str(fault.events))


PROGRAM = load_program()
# After the program has its name.
FakeNetworks = importlib.import_module("fake_networks").FakeNetworks
