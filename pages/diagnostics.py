"""What a page shows of each network besides its row: distributions, confusion matrix, examples."""

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


# A confusion matrix of more classes nobody reads.
MOST_CLASSES = 20
# So many numbers of histograms make a page of half a megabyte.
MOST_NUMBERS = 150_000


def diagnostics_of(
    paths: "ArtifactPaths", rows: "pd.DataFrame", labels: np.ndarray | None
) -> tuple[dict[str, Any], dict[int, dict[str, Any]], list[str]]:
    """How the networks look, by method; the images in them, by number; and what is missing.

    Args:
        paths: the `ArtifactPaths`.
        rows: a table of networks in the order of methods and sparsities.
        labels: of the test examples, integers of shape (n,); None if nobody knows.
    """
    found, pixels, missing, numbers = {}, {}, [], 0
    before = _answers_before(paths, rows)
    for row in of_methods(rows).to_dict("records"):
        look = read_diagnostics(paths.look(row["recipe"]))
        if look is None or labels is None or len(look.answers) != len(labels):
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        numbers += look.counts.size
        if numbers > MOST_NUMBERS and row["method"] not in found:
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        control = before.get(row["method"]) if row["k"] else None
        found.setdefault(row["method"], []).append(
            _look(
                row,
                look,
                labels,
                before.get(BASELINE) if control is None else control,
                "the dense network" if control is None else "the control",
            )
        )
        if look.pixels is not None:
            for number, image in zip(look.changed, look.pixels, strict=True):
                pixels[int(number)] = image
    if missing and not found:
        note = (
            "Distributions, confusion matrices and examples are not here: page_data/ is missing, "
            "as of versions that kept no more than the tables, or damaged. To have them, remove "
            "metrics.csv and run the command below again; what was trained is kept."
        )
        return {}, {}, [note]
    note = [f"Not looked at: {', '.join(missing)}."] if missing else []
    return found, _images(pixels), note


def _answers_before(paths, rows):
    """What the networks answer that others are compared with: controls by method, and the untouched
    dense network as `BASELINE`; without those of which nobody knows."""
    controls = rows[is_control(rows)]
    unpruned = rows[(rows["k"] == 0) & ~trains(rows)]
    keys = [(BASELINE, key) for key in (baseline_of(rows)["recipe"], *unpruned["recipe"])]
    keys += zip(controls["method"], controls["recipe"], strict=True)
    found = {}
    for name, key in keys:
        look = None if name in found else read_diagnostics(paths.look(key))
        if look is not None:
            found[name] = look.answers
    return found


def _look(row, look, labels, before, compared_with):
    classes = int(max(labels.max(), look.answers.max())) + 1
    confusion = None
    if classes <= MOST_CLASSES:
        confusion = np.zeros((classes, classes), int)
        np.add.at(confusion, (labels, look.answers), 1)
        confusion = confusion.tolist()
    first = None
    if look.first_layer is not None:
        largest = float(look.first_layer.max())
        first = {
            "shape": look.first_layer.shape,
            "largest": float(f"{largest:.4g}"),
            "bytes": _base64((255 * look.first_layer / (largest or 1)).astype(np.uint8)),
        }
    return {
        "k": row["k"],
        "sparsity": json_numbers([row["sparsity"]])[0],
        "accuracy": json_numbers([row["test_accuracy"]])[0],
        "loss": json_numbers([row["test_loss"]])[0],
        # Of the table, not of the method's name: its plugin need not be there.
        "by_unit": str(row["granularity"]).startswith("unit"),
        "layers": look.layers,
        "sizes": look.sizes.tolist(),
        "left": look.counts.sum(axis=1).tolist(),
        "low": json_numbers(look.low),
        "high": json_numbers(look.high),
        "counts": look.counts.tolist(),
        "outline": None if look.outline is None else look.outline.tolist(),
        "confusion": confusion,
        "first": first,
        "changed": [
            {
                "number": int(number),
                "label": int(labels[number]),
                "before": None if before is None else int(before[number]),
                "after": int(look.answers[number]),
            }
            for number in look.changed
            # Noted when it was compared with another network, of fewer rounds for one.
            if before is None or before[number] != look.answers[number]
        ],
        "num_changed": None if before is None else int(np.count_nonzero(before != look.answers)),
        "compared_with": compared_with,
    }


def _images(pixels):
    return {
        number: {"shape": image.shape, "bytes": _base64(image)} for number, image in pixels.items()
    }


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
