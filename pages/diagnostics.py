"""Diagnostics of each network on a page: weight distributions, confusion matrix, examples."""

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from ..experiments.network_diagnostics import read_diagnostics
from ..utils import percent
from ..visualization.controls import is_control, of_methods
from ..visualization.tables import BASELINE, baseline_of, json_numbers, trains

if TYPE_CHECKING:
    import pandas as pd

    from ..experiments.paths import ArtifactPaths


# Confusion matrices of more classes are unreadable.
MOST_CLASSES = 20
# Histograms of so many numbers make a page of half a megabyte.
MOST_NUMBERS = 150_000


def diagnostics_of(
    paths: "ArtifactPaths", rows: "pd.DataFrame", labels: np.ndarray | None
) -> tuple[dict[str, Any], dict[int, dict[str, Any]], list[str]]:
    """The diagnostics of networks by method, the images in them by number, and notes on what is
    missing.

    Args:
        paths: the `ArtifactPaths`.
        rows: a table of networks in the order of methods and sparsities.
        labels: of the test examples, integers of shape (n,); None if they are not known.
    """
    found, pixels, missing, numbers = {}, {}, [], 0
    before = _answers_before(paths, rows)
    for row in of_methods(rows).to_dict("records"):
        diagnostics = read_diagnostics(paths.diagnostics(row["recipe"]))
        if diagnostics is None or labels is None or len(diagnostics.answers) != len(labels):
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        numbers += diagnostics.counts.size
        if numbers > MOST_NUMBERS and row["method"] not in found:
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        control = before.get(row["method"]) if row["k"] else None
        found.setdefault(row["method"], []).append(
            _entry(
                row,
                diagnostics,
                labels,
                before.get(BASELINE) if control is None else control,
                "the dense network" if control is None else "the control",
            )
        )
        if diagnostics.pixels is not None:
            for number, image in zip(diagnostics.changed, diagnostics.pixels, strict=True):
                pixels[int(number)] = image
    if missing and not found:
        note = (
            "There are no distributions, confusion matrices and examples: page_data/ is missing, "
            "as in experiments of early versions, or damaged. To make it, remove metrics.csv and "
            "run the command below again; trained networks are kept."
        )
        return {}, {}, [note]
    note = [f"No diagnostics of {', '.join(missing)}."] if missing else []
    return found, _images(pixels), note


def _answers_before(paths, rows):
    """The predictions of the reference networks, as far as known: of controls by method, and of the
    untouched dense network as `BASELINE`."""
    controls = rows[is_control(rows)]
    unpruned = rows[(rows["k"] == 0) & ~trains(rows)]
    keys = [(BASELINE, key) for key in (baseline_of(rows)["recipe"], *unpruned["recipe"])]
    keys += zip(controls["method"], controls["recipe"], strict=True)
    found = {}
    for name, key in keys:
        diagnostics = None if name in found else read_diagnostics(paths.diagnostics(key))
        if diagnostics is not None:
            found[name] = diagnostics.answers
    return found


def _entry(row, diagnostics, labels, before, compared_with):
    classes = int(max(labels.max(), diagnostics.answers.max())) + 1
    confusion = None
    if classes <= MOST_CLASSES:
        confusion = np.zeros((classes, classes), int)
        np.add.at(confusion, (labels, diagnostics.answers), 1)
        confusion = confusion.tolist()
    first = None
    if diagnostics.first_layer is not None:
        largest = float(diagnostics.first_layer.max())
        first = {
            "shape": diagnostics.first_layer.shape,
            "largest": float(f"{largest:.4g}"),
            "bytes": _base64((255 * diagnostics.first_layer / (largest or 1)).astype(np.uint8)),
        }
    return {
        "k": row["k"],
        "sparsity": json_numbers([row["sparsity"]])[0],
        "accuracy": json_numbers([row["test_accuracy"]])[0],
        "loss": json_numbers([row["test_loss"]])[0],
        # From the table, not from the method's name: its plugin may be missing.
        "by_unit": str(row["granularity"]).startswith("unit"),
        "layers": diagnostics.layers,
        "sizes": diagnostics.sizes.tolist(),
        "kept": diagnostics.counts.sum(axis=1).tolist(),
        "low": json_numbers(diagnostics.low),
        "high": json_numbers(diagnostics.high),
        "counts": diagnostics.counts.tolist(),
        "outline": None if diagnostics.outline is None else diagnostics.outline.tolist(),
        "confusion": confusion,
        "first": first,
        "changed": [
            {
                "number": int(number),
                "label": int(labels[number]),
                "before": None if before is None else int(before[number]),
                "after": int(diagnostics.answers[number]),
            }
            for number in diagnostics.changed
            # The file may list examples that differ from another reference, such as one of fewer
            # rounds.
            if before is None or before[number] != diagnostics.answers[number]
        ],
        "num_changed": None
        if before is None
        else int(np.count_nonzero(before != diagnostics.answers)),
        "compared_with": compared_with,
    }


def _images(pixels):
    return {
        number: {"shape": image.shape, "bytes": _base64(image)} for number, image in pixels.items()
    }


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
