"""Exports the smallest network that is accurate enough, as files in `exports/`."""

import gzip
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..models import backend  # noqa: F401 - before anything else imports Keras
from ..settings.export import SUFFIXES
from ..utils import (
    RunError,
    UsageError,
    echo,
    file_sha256,
    pluralize,
    write_bytes,
    write_text,
)
from ..visualization.export_text import fastest
from . import lock
from .export_networks import Reference
from .export_sources import paths_of, source_of
from .provenance import provenance

if TYPE_CHECKING:
    from ..settings.export import ExportConfig
    from .paths import ArtifactPaths


def export(config: "ExportConfig") -> "tuple[dict[str, Any], ArtifactPaths]":
    """Chooses a network, quantizes it, and writes it with a record and a figure.

    An export of the same networks with the same settings is not made again.

    Args:
        config: the `ExportConfig`.

    Returns:
        The record, as in `export.json`, and the `ArtifactPaths`.

    Raises:
        UsageError, RunError: if that is impossible; the message says why and what to do.
    """
    from ..compression.formats import check_installed

    for name in config.formats:
        check_installed(name)
    paths = paths_of(config)
    with lock.locked(paths):
        paths.remove_temporary_files()
        source = source_of(config, paths)
        settings = config.to_dict()
        depends = {
            "version": __version__,
            **source.depends,
            **{name: settings[name] for name in settings if name not in ("output_dir", "data_dir")},
        }
        depends = json.loads(json.dumps(depends))  # as it will be read again
        record = _kept(paths, depends)
        if record is None:
            try:
                record = _made(config, source, paths, depends)
            except ValueError as error:  # of models that cannot be copied, written or read again
                if isinstance(error, UsageError):
                    raise
                raise RunError(f"{source.name} cannot be exported: {error}") from error
        else:
            echo("Nothing to do: this has been exported with the same settings already.")
    return record, paths


def _kept(paths, depends):
    """The record of the same export from before, if all its files exist; else None."""
    try:
        record = json.loads(paths.export_record.read_text(encoding="utf-8"))
        is_same = record["depends"] == depends and all(
            file_sha256(paths.exports / name) == file["sha256"]
            for name, file in record["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if is_same else None


def _made(config, source, paths, depends):
    from ..compression import npk
    from ..pruning.model_measures import size_of
    from ..visualization import sizes
    from ..visualization.figures import save_png
    from ..visualization.model_card import model_card
    from .export_files import Measured, files_of
    from .model_selection import ModelSelection

    dense, dataset = source.dense.model(), source.dataset
    before = {"npk": {"npk": npk.to_bytes(dense)}}
    npk.check_loadable(dense)  # before the search, which takes longer
    search = ModelSelection(source, config)
    for text in _begun(config, source, search):
        echo(text)
    chosen = search.chosen()
    echo(f"Chosen: {chosen.network.name}, {'quantized to ' if chosen.bits else ''}{chosen.how}.")
    packed = npk.to_bytes(chosen.model())
    model = npk.from_bytes(packed, "The export")
    before |= files_of(dense, dataset, config.formats, is_reported=False)
    contents = {"npk": {"npk": packed}, **files_of(model, dataset, config.formats)}
    paths.export_record.unlink(missing_ok=True)  # it would not match the files from here on
    files = {}
    for name, suffixes in SUFFIXES.items():
        for path, suffix in zip(paths.export_files(name), suffixes, strict=True):
            if name in config.formats and name in contents:
                write_bytes(path, contents[name][suffix])
                files[path.name] = _described_file(path)
            else:
                path.unlink(missing_ok=True)  # of an earlier export
    echo("Measuring latency …")
    both = {"before": before, "after": contents}
    measured = Measured({"before": dense, "after": model}, both, dataset)
    latency = measured.latency()
    now_exact = {**chosen.row(), "bytes": len(packed), "exact": True}
    of_dense, of_model = map(search.candidates.tested, (dense, model))
    shape = dataset.shape
    after = size_of(model, shape)
    control, made = chosen.network.control, search.candidates.made
    record = {
        "source": source.name,
        "chosen": now_exact,
        "reference": config.reference,
        "baseline": vars(Reference(source.dense.name, *of_dense)),
        "control": None if control is None else vars(control),
        "before": _described(size_of(dense, shape), before, of_dense),
        "after": _described(after, contents, of_model),
        "formats": measured.by_format(of_model),
        "latency": latency,
        "recommended": fastest(next(iter(latency.values()))["after"]),
        "limits": _named(search.limits),
        "candidates": [now_exact if each is chosen else each.row() for each in made],
        **provenance(),
        "depends": depends,
    }
    for path, draw in ((paths.size_accuracy, sizes.size_accuracy), (paths.pareto, sizes.pareto)):
        save_png(draw(record), path)
        files[path.name] = _described_file(path)
    record["files"] = files
    write_text(paths.model_card, model_card(record, _data(source), str(after)))
    files[paths.model_card.name] = _described_file(paths.model_card)
    # Last: a record means that all files are complete.
    write_text(paths.export_record, json.dumps(record, indent=2) + "\n")
    return record


def _data(source):
    """What a model was trained and tested on, as a sentence."""
    dataset = source.dataset
    parts = ", ".join(
        f"{len(split):,} {name}"
        for name, split in (
            ("training", dataset.train),
            ("validation", dataset.valid),
            ("test examples", dataset.test),
        )
    )
    shape = ", ".join(map(str, dataset.shape))
    scaled = "" if dataset.train.pixels.dtype == np.float32 else ", bytes divided by 255"
    return (
        f"A classifier of {dataset.name}: {parts}. It takes float32 arrays of shape (examples, "
        f"{shape}){scaled}, as the data's examples in row-major order, and returns a number for "
        f"each of {dataset.num_classes} classes, in their order."
    )


def _named(limits):
    """Limits by name, with the unit of a latency."""
    return {("latency_ms" if n == "latency" else n): value for n, value in limits.known().items()}


def _begun(config, source, search):
    """The reference accuracies of the search, and the heading of its table, as lines."""
    references = {search.reference(n).name: search.reference(n) for n in source.networks}
    examples = pluralize(len(source.dataset.valid), "validation example")
    drop = f"--max_accuracy_drop={config.accuracy_drop:g}" if config.drop_is_limited else "accuracy"
    yield f"Reference for {drop} on {examples}:"
    for reference in references.values():
        yield f"  {reference.name}: {100 * reference.valid_accuracy:.2f} %"
    if config.has_limits:
        yield f"Limits: {search.limits}."
    unknown = [n.name for n in source.networks if n.control is None]
    if config.experiment_id and unknown:
        yield (
            f"{pluralize(len(unknown), 'network')} of an earlier version without a control; run "
            "the experiment again to train it."
        )
    yield "Bits per weight, file size (~ estimated), validation accuracy:"


def _described_file(path):
    return {"bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _bytes(files):
    return None if files is None else sum(map(len, files.values()))


def _described(size, contents, accuracies):
    """Sizes and accuracies of a model of some `ModelSize`, by name."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(contents["keras"]["keras"])
    return {
        "raw_bytes": 4 * size.parameters,
        "gzipped_bytes": len(packed.getvalue()),
        **{f"{name}_bytes": _bytes(contents.get(name)) for name in SUFFIXES},
        "parameters": size.parameters,
        "nonzero": size.nonzero,
        "multiply_adds": size.multiply_adds,
        "valid_accuracy": accuracies[0],
        "test_accuracy": accuracies[1],
    }
