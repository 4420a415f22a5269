"""The page of one experiment, collected from its folder; without TensorFlow."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..experiments import folder
from ..experiments.chance import Chance
from ..experiments.finished import (
    FAILURES,
    kept_epoch,
    networks_of_record,
    requested_methods,
    settings_of_seeds,
    summary_of,
)
from ..experiments.network_diagnostics import read_labels
from ..settings.experiment import ExperimentConfig
from ..settings.files import PACKAGE_DIR
from ..utils import RunError, echo, write_text
from ..visualization import console, csv, export_text
from ..visualization.controls import is_control
from ..visualization.tables import in_order, json_numbers
from . import findings, rendering
from .diagnostics import diagnostics_of
from .settings_table import command, described_settings, provenance_rows
from .tables import (
    SUMMARY_COLUMNS,
    TABLE_COLUMNS,
    baseline,
    curves,
    layer_sparsities,
    table,
)

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths


# Sparsities at which experiments are compared.
COMPARED = (0.9, 0.99)
PUBLISHED = PACKAGE_DIR / "references" / "published"
# Settings of the published experiments that their names do not have.
PUBLISHED_SETTINGS = {"batch_size": 128, "model": "mlp", "num_valid": 10_000}


class NothingYet(RunError):  # noqa: N818 - nothing is wrong
    """An experiment that has no tested networks yet."""


def write_report(paths: "ArtifactPaths", keep_richer: bool = False) -> bool:
    """Writes `report.html` of an experiment, or of several seeds.

    Args:
        paths: the `ArtifactPaths`.
        keep_richer: whether to keep an existing page with diagnostics that the folder lacks now.

    Returns:
        Whether it was written.

    Raises:
        RunError: if there are no results yet, or they cannot be read, or the page not written.
    """
    data = report_of(paths)
    if keep_richer and not data["diagnostics"] and _is_rich(paths.report):
        return False
    write_text(paths.report, rendering.report(data))
    return True


def _is_seed(paths):
    """Whether an experiment is one seed of several."""
    above = paths.root.parent
    return above.name == "replicates" and paths.root.name.startswith(f"{above.parent.name}-seed=")


def _is_rich(report):
    """Whether a page has diagnostics; earlier versions called them looks."""
    with contextlib.suppress(OSError, ValueError):
        page = report.read_text(encoding="utf-8")
        return any(f'"{name}": {{"' in page for name in ("diagnostics", "looks"))
    return False


def try_to_write_report(paths: "ArtifactPaths") -> None:
    """Writes `report.html` after a run; a failure is only a warning, because the results exist."""
    try:
        write_report(paths)
    except FAILURES as error:
        echo(f"Warning: {paths.report} could not be written ({error}).")


def report_of(paths: "ArtifactPaths") -> dict[str, Any]:
    """The contents of an experiment's page, as JSON-ready values.

    Raises:
        RunError: if there are no results yet, or they cannot be read.
    """
    record = folder.read_record(paths)
    summary = summary_of(paths)
    rows = None if record is None else networks_of_record(paths, record)
    if rows is None and summary is None:
        raise NothingYet(f"{paths.root} has no tested networks yet; run the experiment to its end.")
    settings = record["settings"] if record else settings_of_seeds(paths)
    labels, classes = _labels_of(paths)
    num_test, chance = None, None
    if labels is not None:
        num_test, chance = len(labels), Chance.of(labels)
    published = published_curves(settings)
    means = (
        None if summary is None else in_order(csv.means_of(summary), requested_methods(settings))
    )
    shown: Any = means if rows is None else rows
    sentences, rule = findings.summarize(shown, chance)
    diagnostics, pixels, missing = (
        ({}, {}, []) if rows is None else diagnostics_of(paths, rows, labels)
    )
    return {
        "id": paths.root.name,
        # The folder of the index page, from here; seeds are further down.
        "home": "../../.." if _is_seed(paths) else "..",
        "has_index": True,
        "sentences": sentences,
        "rule": rule,
        "caveats": findings.caveats(
            shown,
            num_test,
            summary,
            published["weight"]["accuracy"][0] if published else None,
            settings.get("num_valid"),
            chance=chance,
            is_one_of_several=_is_seed(paths),
        ),
        "settings": described_settings(settings),
        "provenance": provenance_rows(record),
        "command": command(settings, paths),
        "history": _history(paths, settings) if rows is not None else None,
        "curves": curves(shown),
        "bands": None if means is None or rows is None else curves(means),
        "baseline": baseline(shown),
        "has_controls": bool(is_control(shown).any()),
        "few_seeds": rows is None and bool((shown["seeds"] == 2).any()),
        "notes": console.reached_notes(shown),
        "published": published,
        "classes": classes,
        "diagnostics": diagnostics,
        "pixels": pixels,
        "missing": missing,
        "layers": None if rows is None else layer_sparsities(rows),
        "table": table(in_order(summary, requested_methods(settings)), SUMMARY_COLUMNS)
        if rows is None
        else table(rows, TABLE_COLUMNS),
        "export": _export(paths),
        "files": _files(paths),
        "pictures": sorted(
            path.name for path in paths.root.glob("*.*") if path.suffix in (".png", ".gif")
        ),
        "seeds": _seeds(paths),
    }


def _labels_of(paths):
    """The labels of the test examples and the names of the classes, of the experiment or one of its
    seeds; None and [] if they are not known."""
    for place in (paths, *paths.seeds().values()):
        labels, classes = read_labels(place.labels)
        if labels is not None:
            return labels, classes
    return None, []


def _seeds(paths):
    names = [single.root.name for single in paths.seeds().values() if single.report.exists()]
    return [{"name": name, "href": f"replicates/{name}/report.html"} for name in names]


def published_curves(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """The published results of the same experiment, by granularity; None if there are none."""
    name = (
        f"{settings.get('dataset')}-{settings.get('epochs')}-lr={settings.get('learning_rate')}"
        f"-l1={settings.get('l1_reg')}-l2={settings.get('l2_reg')}"
    )
    same = all(settings.get(key) == value for key, value in PUBLISHED_SETTINGS.items())
    path = PUBLISHED / f"{Path(name).name}.csv"
    if not same or not path.is_file():
        return None
    columns = pd.read_csv(path).to_numpy().T.tolist()
    return {
        "weight": {"k": columns[0], "accuracy": columns[1], "loss": columns[3]},
        "unit": {"k": columns[0], "accuracy": columns[2], "loss": columns[4]},
    }


def _history(paths, settings):
    if not settings.get("epochs") or not paths.history.exists():
        return None
    history = csv.read_history(paths.history)
    config = ExperimentConfig(keep_best=settings.get("keep_best", True))
    columns = {name: json_numbers(history[name]) for name in csv.HISTORY_COLUMNS}
    return {**columns, "kept": kept_epoch(config, history)}


def _export(paths):
    """The results of an export; None if there is none."""
    try:
        record = json.loads(paths.export_record.read_text(encoding="utf-8"))
        before, after, chosen = record["before"], record["after"], record["chosen"]
        found = {
            "network": chosen["network"],
            "bits": chosen["bits"],
            "raw": before["raw_bytes"],
            "npk": after["npk_bytes"],
            "recommended": record["recommended"],
            "has_picture": paths.size_accuracy.exists(),
            "has_pareto": paths.pareto.exists(),
            "files": [
                {"name": name, "bytes": file["bytes"], "href": f"exports/{name}"}
                for name, file in record["files"].items()
            ],
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    try:
        return {
            **found,
            "sentences": export_text.sentences(record),
            "sizes": export_text.sizes(record),
            "accuracies": export_text.accuracies(record),
            "latencies": export_text.latencies(record),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"the folder's contents cannot be shown: {paths.export_record.name} is not a record of "
            f"an export ({error!r})."
        ) from error


def _files(paths):
    """Links to the experiment's other files: pairs of a kind and names."""
    kinds = (
        ("figures", ("loss_accuracy.png", "pruned_loss_accuracy.png", "method_comparison.png")),
        ("animations", ("pruned_weights.gif", "pruned_units.gif")),
        ("tables", ("results.csv", "metrics.csv", "history.csv")),
        ("of several seeds", ("replicates/summary.csv", "replicates/method_comparison.png")),
        ("record", ("config.json", "checkpoints/weights.best.hdf5")),
    )
    found = [
        {"kind": kind, "names": [name for name in names if (paths.root / name).is_file()]}
        for kind, names in kinds
    ]
    histograms = sorted(p.name for p in paths.root.glob("pruned_*_k=*.png"))
    found.append({"kind": "histograms at every sparsity", "names": histograms})
    return [entry for entry in found if entry["names"]]
