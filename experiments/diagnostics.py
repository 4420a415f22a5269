"""What a page shows of each network besides its row: distributions, confusion matrix, examples."""

import base64

import numpy as np

from ..utils import percent
from ..visualization.tables import BASELINE, baseline_of, json_numbers, trains
from .page_data import read_look

# A confusion matrix of more classes nobody reads.
MOST_CLASSES = 20
# So many numbers of histograms make a page of half a megabyte.
MOST_NUMBERS = 150_000


def looks_of(paths, rows, labels):
    """How the networks look, by method; the images in them, by number; and what is missing.

    Args:
        paths: the `ArtifactPaths`.
        rows: a table of networks in the order of methods and sparsities.
        labels: of the test examples, integers of shape (n,); None if nobody knows.
    """
    found, pixels, missing, numbers = {}, {}, [], 0
    dense_answers = _dense_answers(paths, rows)
    for row in rows[rows["method"] != BASELINE].to_dict("records"):
        look = read_look(paths.look(row["recipe"]))
        if look is None or labels is None or len(look.answers) != len(labels):
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        numbers += look.counts.size
        if numbers > MOST_NUMBERS and row["method"] not in found:
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        found.setdefault(row["method"], []).append(_look(row, look, labels, dense_answers))
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


def _dense_answers(paths, rows):
    """The answers of the untouched dense network to the test examples; None if nobody knows."""
    unpruned = rows[(rows["k"] == 0) & ~trains(rows)]
    for recipe in (baseline_of(rows)["recipe"], *unpruned["recipe"]):
        look = read_look(paths.look(recipe))
        if look is not None:
            return look.answers
    return None


def _look(row, look, labels, dense_answers):
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
                "before": None if dense_answers is None else int(dense_answers[number]),
                "after": int(look.answers[number]),
            }
            for number in look.changed
        ],
        "num_changed": None
        if dense_answers is None
        else int(np.count_nonzero(dense_answers != look.answers)),
    }


def _images(pixels):
    return {
        number: {"shape": image.shape, "bytes": _base64(image)} for number, image in pixels.items()
    }


def _base64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
