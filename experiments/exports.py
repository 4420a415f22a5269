"""The smallest network that is accurate enough, as files to take away: `exports/`."""

import gzip
import io
import json
import tempfile
from pathlib import Path

from ..config import EXPORT_FORMATS
from ..models import backend  # noqa: F401 - before anything else imports Keras
from ..utils import RunError, counted, file_sha256, say, write_bytes, write_text
from . import folder
from .export_sources import paths_of, source_of
from .surroundings import surroundings

BATCHES = 1, 256
# LiteRT computes in another order; a difference beyond this is another model.
TOLERANCE = 1e-4


def export(config):
    """Chooses a network, makes it small, and writes it with a record and a picture.

    What was exported before from the same networks with the same settings is not made again.

    Args:
        config: the `ExportConfig`.

    Returns:
        The record, as in `export.json`, and the `ArtifactPaths`.

    Raises:
        UsageError, RunError: if it cannot be done; the message says why and what to do.
    """
    paths = paths_of(config)
    with folder.locked(paths):
        paths.remove_temporary_files()
        source = source_of(config, paths)
        settings = config.to_dict()
        depends = {
            **source.depends,
            **{name: settings[name] for name in settings if name not in ("output_dir", "data_dir")},
        }
        depends = json.loads(json.dumps(depends))  # as it will be read again
        record = _kept(paths, depends)
        if record is None:
            record = _made(config, source, paths, depends)
        else:
            say("Nothing to do: this was exported before with the same settings.")
    return record, paths


def _kept(paths, depends):
    """The record of an earlier export of the same with all its files; None if there is none."""
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
    from ..visualization import sizes
    from ..visualization.graph import save_png
    from .candidates import Search

    search = Search(source, config)
    say(
        f"The {source.dense.name} network has {100 * source.dense.valid_accuracy:.2f} % of "
        f"{counted(len(source.dataset.valid), 'validation example')} right; the smallest file with "
        f"{100 * search.least:.2f} % or more is looked for. Validation accuracies:"
    )
    chosen = search.chosen()
    tuned = ", trained on its levels" if chosen.finetuned else ""
    say(f"Chosen: {chosen.network.name}, {chosen.how}{tuned}.")
    content = npk.to_bytes(chosen.model)
    dense, model = source.dense.model(), npk.from_bytes(content, "The export")
    contents = {"npk": content, **_other_formats(model, source.dataset.valid)}
    before = {"npk": npk.to_bytes(dense), **_other_formats(dense)}
    latency = _latency(dense, model, source.dataset.test.images)
    record = {
        "source": source.name,
        "chosen": {**chosen.row(), "bytes": len(content), "exact": True},
        "before": _described(dense, before, source, search.tested(dense)),
        "after": _described(model, contents, source, search.tested(model)),
        "latency": latency,
        "recommended": _fastest(latency["1"]["after"]),
        "candidates": [candidate.row() for candidate in search.candidates],
        **surroundings(),
        "depends": depends,
    }
    files = {}
    for name in EXPORT_FORMATS:
        path = paths.export(name)
        if name in config.formats and name in contents:
            write_bytes(path, contents[name])
            files[path.name] = {"bytes": len(contents[name]), "sha256": file_sha256(path)}
        else:
            path.unlink(missing_ok=True)  # of an earlier export
    save_png(sizes.size_accuracy(record), paths.size_accuracy)
    files[paths.size_accuracy.name] = {
        "bytes": paths.size_accuracy.stat().st_size,
        "sha256": file_sha256(paths.size_accuracy),
    }
    record["files"] = files
    # Last: what is here before it has been made in full.
    write_text(paths.export_record, json.dumps(record, indent=2) + "\n")
    return record


def _other_formats(model, examples=None):
    """A model as the bytes of a Keras and a LiteRT file, the latter compared on examples.

    Raises:
        RunError: if LiteRT answers otherwise.
    """
    from ..compression import runtimes

    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "model.keras")
        model.save(file)
        found = {"keras": file.read_bytes()}
    try:
        found["litert"] = runtimes.litert_bytes(model)
    except ValueError as error:
        say(f"No LiteRT file: this model cannot be converted ({error}).")
        return found
    if examples is not None:
        x = examples[:256].images
        answers = {
            "Keras": runtimes.keras_compiled(model),
            "LiteRT": runtimes.interpreter(found["litert"]),
        }
        difference = runtimes.differences(answers, x)["LiteRT"]
        if not difference <= TOLERANCE:
            raise RunError(
                f"The LiteRT file answers otherwise than the model, by up to {difference:.2g}; "
                "leave it out with --formats=keras,npk."
            )
    return found


def _latency(dense, model, images):
    """Median seconds of an answer: by number of examples, before and after, and runtime."""
    from ..compression import runtimes

    started = {"before": runtimes.started(dense), "after": runtimes.started(model)}
    answers = {(w, name): a for w, found in started.items() for name, a in found.items()}
    found = {}
    for batch in BATCHES:
        times = runtimes.latencies(answers, images[:batch])
        found[str(len(images[:batch]))] = {
            when: {name: times[when, name] for name in started[when]} for when in started
        }
    return found


def _fastest(times):
    return min(times, key=times.get)


def _described(model, contents, source, accuracies):
    """What the table tells of a model, by name."""
    from ..pruning.model_measures import size_of

    size = size_of(model, source.dataset.shape)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
        file.write(contents["keras"])
    return {
        "raw_bytes": 4 * size.parameters,
        "keras_bytes": len(contents["keras"]),
        "gzipped_bytes": len(packed.getvalue()),
        "litert_bytes": len(contents["litert"]) if "litert" in contents else None,
        "npk_bytes": len(contents["npk"]),
        "parameters": size.parameters,
        "nonzero": size.nonzero,
        "multiply_adds": size.multiply_adds,
        "valid_accuracy": accuracies[0],
        "test_accuracy": accuracies[1],
    }
