"""The page of one experiment: what its folder holds, collected; without TensorFlow."""

import base64
import contextlib
import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import DEFAULT_NUM_VALID, PACKAGE_DIR, ExperimentConfig
from ..pruning.methods import parse
from ..utils import RunError, percent, say, write_text
from ..visualization import csv, graph, pages
from ..visualization.console import CLEARLY_LESS
from . import folder, headlines
from .page_data import read_labels, read_look
from .pictures import kept_epoch

# What reading a folder may end in where somebody has changed something by hand.
FAILURES = (RunError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)
# Sparsities at which experiments are compared.
COMPARED = (0.9, 0.99)
# A confusion matrix of more classes nobody reads.
MOST_CLASSES = 20
# So many numbers of histograms make a page of half a megabyte.
MOST_NUMBERS = 150_000
# Settings of a run that do not say what is in its results.
NOT_OF_THE_EXPERIMENT = (
    *("experiment_id", "output_dir", "data_dir", "force_train", "preset", "tensorboard"),
    "ray_address",
)
DEFAULTS = {f.name: f.default for f in dataclasses.fields(ExperimentConfig)}
PUBLISHED = PACKAGE_DIR / "references" / "published"
# What the published experiments were made with, besides their name's settings.
PUBLISHED_SETTINGS = {"batch_size": 128, "model": "mlp", "num_valid": 10_000}
TABLE_COLUMNS = (
    *("method", "k", "sparsity", "effective_sparsity", "compression_ratio", "speedup"),
    *("valid_accuracy", "test_accuracy", "test_cross_entropy", "test_loss"),
    *("nonzero", "living", "multiply_adds", "recipe"),
)
SUMMARY_COLUMNS = (
    *("method", "k", "seeds", "sparsity_mean", "compression_ratio_mean", "speedup_mean"),
    *("valid_accuracy_mean", "test_accuracy_mean", "test_accuracy_sd"),
    *("test_accuracy_low", "test_accuracy_high"),
)


def write_report(paths, keep_richer=False):
    """Writes `report.html` of an experiment, or of several seeds.

    Args:
        paths: the `ArtifactPaths`.
        keep_richer: whether to leave a page that shows what is not in the folder any more.

    Returns:
        Whether it was written.

    Raises:
        RunError: if there is nothing to tell of yet, or it cannot be understood or written.
    """
    data = report_of(paths)
    if keep_richer and not data["looks"] and _is_rich(paths.report):
        return False
    write_text(paths.report, pages.report(data))
    return True


def _is_seed(paths):
    """Whether an experiment is one seed of several."""
    above = paths.root.parent
    return above.name == "replicates" and paths.root.name.startswith(f"{above.parent.name}-seed=")


def _is_rich(report):
    """Whether a page shows more than tables hold."""
    with contextlib.suppress(OSError, ValueError):
        return '"looks": {"' in report.read_text(encoding="utf-8")
    return False


def try_to_write_report(paths):
    """The same after a run, whose results stand without a page; a failure is said."""
    try:
        write_report(paths)
    except FAILURES as error:
        say(f"Warning: {paths.report} could not be written ({error}).")


def report_of(paths):
    """What the page of an experiment shows, as JSON takes it.

    Raises:
        RunError: if there is nothing yet, or it cannot be understood.
    """
    record = folder.read_record(paths)
    summary = summary_of(paths)
    rows = None if record is None else networks_of_record(paths, record)
    if rows is None and summary is None:
        raise RunError(f"{paths.root} has no tested networks yet; run the experiment to its end.")
    settings = record["settings"] if record else settings_of_seeds(paths)
    labels, classes = read_labels(paths.labels)
    published = published_curves(settings)
    shown = rows if rows is not None else csv.means_of(summary)
    sentences, rule = headlines.headline(shown)
    looks, pixels, missing = ({}, {}, []) if rows is None else _looks(paths, rows, labels)
    return {
        "id": paths.root.name,
        # Where the page over all experiments is, from here; seeds are further down.
        "home": "../../.." if _is_seed(paths) else "..",
        "sentences": sentences,
        "rule": rule,
        "trust": headlines.trust(
            rows,
            None if labels is None else len(labels),
            summary,
            published and published["weight"]["accuracy"][0],
            settings.get("num_valid"),
        ),
        "settings": described_settings(settings),
        "provenance": _provenance(record),
        "command": command(settings, paths),
        "history": _history(paths, settings) if rows is not None else None,
        "curves": curves(shown),
        "bands": None if summary is None or rows is None else curves(csv.means_of(summary)),
        "published": published,
        "classes": classes,
        "looks": looks,
        "pixels": pixels,
        "missing": missing,
        "layers": None if rows is None else _layer_sparsities(rows),
        "table": _table(summary, SUMMARY_COLUMNS) if rows is None else _table(rows, TABLE_COLUMNS),
        "export": _export(paths),
        "files": _files(paths),
        "pictures": sorted(
            path.name for path in paths.root.glob("*.*") if path.suffix in (".png", ".gif")
        ),
        "seeds": _seeds(paths),
    }


def networks_of_record(paths, record):
    """The rows of `metrics.csv` of an experiment's dense network, the latest of each method and
    sparsity; None if there are none, or no unpruned one."""
    metrics = csv.read_metrics(paths.metrics)
    if metrics is None or "dataset" not in metrics:
        return None
    rows = metrics[
        (metrics["checkpoint"] == record.get("checkpoint_sha256"))
        & (metrics["seed"] == record["settings"].get("seed", 0))
    ]
    rows = rows.drop_duplicates(["method", "k"], keep="last").reset_index(drop=True)
    return rows if (rows["k"] == 0).any() else None


def summary_of(paths):
    """The summary of several seeds; None if there is none, or none of the dense network.

    Raises:
        RunError: if it cannot be understood.
    """
    if not paths.summary.exists():
        return None
    try:
        summary = pd.read_csv(paths.summary, keep_default_na=False, na_values=[""])
        return summary if (summary["k"] == 0).any() else None
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{paths.summary} is not a table of this program ({error}).") from error


def settings_of_seeds(paths):
    """The settings of an experiment with several seeds, from the first one's record."""
    seeds = paths.seeds()
    for single in seeds.values():
        record = folder.read_record(single)
        if record:
            return {
                **record["settings"],
                "replicates": len(seeds),
                "experiment_id": paths.root.name,
                "output_dir": str(paths.root.parent),
            }
    raise RunError(f"{paths.replicates} holds no experiments any more.")


def _seeds(paths):
    names = [single.root.name for single in paths.seeds().values() if single.report.exists()]
    return [{"name": name, "href": f"replicates/{name}/report.html"} for name in names]


def best_at(rows, k):
    """The network at a sparsity with the best validation accuracy, or, where nothing was held out,
    test accuracy; None if none has removed as much: patterns such as 2:4 may allow less."""
    rows = rows[(rows["k"] == k) & (rows["sparsity"] >= k - CLEARLY_LESS)]
    rows = rows[rows["test_accuracy"].notna()]
    column = "valid_accuracy" if rows["valid_accuracy"].notna().any() else "test_accuracy"
    return rows.loc[rows[column].idxmax()] if len(rows) else None


def published_curves(settings):
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


def described_settings(settings):
    """Rows of flag, value, and whether it is the default."""
    left_out = (*NOT_OF_THE_EXPERIMENT, "replicates")
    return [
        {"flag": f"--{name}", "value": _as_flag(value), "is_default": _same(name, value)}
        for name, value in settings.items()
        if name in DEFAULTS and name not in left_out and value is not None
    ]


def _as_flag(value):
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _same(name, value):
    """Whether a setting is at its default."""
    if name == "num_valid":
        return value == DEFAULT_NUM_VALID
    default = DEFAULTS.get(name)
    return list(value) == list(default) if isinstance(value, list | tuple) else value == default


def command(settings, paths):
    """The command line that makes the same again."""
    parts = ["python", "-m", "network-pruning.train"]
    for name, value in settings.items():
        if name in NOT_OF_THE_EXPERIMENT:
            continue
        if name not in DEFAULTS or value is None or _same(name, value):
            continue
        if isinstance(value, bool):
            parts.append(f"--{'' if value else 'no'}{name}")
        else:
            parts.append(f"--{name}={_as_flag(value)}")
    parts.append(f"--experiment_id={paths.root.name}")
    return shlex.join(parts)


def _provenance(record):
    """Pairs of what and which."""
    if record is None:
        return []
    found = {
        "machine": record.get("machine"),
        "devices": ", ".join(record.get("devices", [])),
        **record.get("versions", {}),
        "data, SHA-256": record.get("dataset_sha256"),
        "weights, SHA-256": record.get("checkpoint_sha256"),
    }
    return [[name, str(value)] for name, value in found.items() if value]


def _history(paths, settings):
    if not settings.get("epochs") or not paths.history.exists():
        return None
    history = csv.read_history(paths.history)
    config = ExperimentConfig(keep_best=settings.get("keep_best", True))
    columns = {name: _numbers(history[name]) for name in csv.HISTORY_COLUMNS}
    return {**columns, "kept": kept_epoch(config, history)}


def curves(rows):
    """The points of every method, by sparsity: of a table of networks, or of means."""
    found = []
    for method, group in rows.groupby("method", sort=False):
        own = graph.from_control(rows, method)
        found.append(
            {
                "method": method,
                "floor": bool((group["criterion"] == "random").all()),
                **{
                    name: _numbers(own[column])
                    for name, column in (
                        ("k", "k"),
                        ("sparsity", "sparsity"),
                        ("ratio", "compression_ratio"),
                        ("speedup", "speedup"),
                        ("accuracy", "test_accuracy"),
                        ("valid", "valid_accuracy"),
                        ("loss", "test_loss" if "test_loss" in own else "test_cross_entropy"),
                        ("low", "test_accuracy_low"),
                        ("high", "test_accuracy_high"),
                    )
                    if column in own
                },
            }
        )
    return found


def _numbers(values):
    """As JSON takes them: what is missing or infinite is null."""
    return [
        None if pd.isna(value) or np.isinf(value) else float(f"{value:.6g}") for value in values
    ]


def _looks(paths, rows, labels):
    """How the networks look, by method; the images in them, by number; and what is missing."""
    found, pixels, missing, numbers = {}, {}, [], 0
    dense_answers = None
    for row in rows.sort_values(["k"], kind="stable").to_dict("records"):
        look = read_look(paths.look(row["recipe"]))
        if look is None or labels is None or len(look.answers) != len(labels):
            missing.append(f"{row['method']} at {percent(row['k'])}")
            continue
        if row["k"] == 0 and dense_answers is None:
            dense_answers = look.answers
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
    in_order = {
        method: found[method] for method in dict.fromkeys(rows["method"]) if method in found
    }
    return in_order, _images(pixels), note


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
        "accuracy": _numbers([row["test_accuracy"]])[0],
        "loss": _numbers([row["test_loss"]])[0],
        "by_unit": parse(row["method"]).by_unit,
        "layers": look.layers,
        "sizes": look.sizes.tolist(),
        "left": look.counts.sum(axis=1).tolist(),
        "low": _numbers(look.low),
        "high": _numbers(look.high),
        "counts": look.counts.tolist(),
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


def _layer_sparsities(rows):
    """The share of each hidden layer that is zero, by method and sparsity."""
    columns = [column for column in rows if column.startswith("sparsity_")]
    columns = [column for column in columns if rows[column].notna().any()]
    return {
        "names": [column.removeprefix("sparsity_") for column in columns],
        "rows": [
            {
                "method": row["method"],
                "k": row["k"],
                "shares": _numbers(row[column] for column in columns),
            }
            for row in rows.to_dict("records")
        ],
    }


def _table(rows, columns):
    columns = [column for column in columns if column in rows and rows[column].notna().any()]
    return {
        "columns": columns,
        "rows": [
            [_cell(column, value) for column, value in zip(columns, values, strict=True)]
            for values in rows[columns].itertuples(index=False)
        ],
    }


def _cell(column, value):
    """A number to sort by, and the text that is shown."""
    if pd.isna(value):
        return {"value": None, "text": "–"}
    if isinstance(value, str):
        return {"value": value, "text": value}
    if np.isinf(value):
        return {"value": 1e300, "text": "∞"}
    if column == "k":
        text = percent(float(value))
    elif "accuracy" in column or "sparsity" in column:
        text = f"{100 * value:.2f} %"
    elif column.startswith(("compression_ratio", "speedup")):
        text = f"{value:,.{int(value < 100)}f}×"
    else:
        text = f"{value:,}" if isinstance(value, int | np.integer) else f"{value:.4f}"
    return {"value": float(value), "text": text}


def _export(paths):
    """What an export has written, as rows; None if there is none."""
    try:
        record = json.loads(paths.export_record.read_text(encoding="utf-8"))
        before, after, chosen = record["before"], record["after"], record["chosen"]
        return {
            "network": chosen["network"],
            "bits": chosen["bits"],
            "raw": before["raw_bytes"],
            "npk": after["npk_bytes"],
            "before": before,
            "after": after,
            "latency": record["latency"],
            "recommended": record["recommended"],
            "has_picture": paths.size_accuracy.exists(),
            "files": [
                {"name": name, "bytes": file["bytes"], "href": f"exports/{name}"}
                for name, file in record["files"].items()
            ],
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def smallest_file(paths):
    """The bytes of the smallest `.npk` file that has been exported, of any seed."""
    sizes = []
    for place in (paths, *paths.seeds().values()):
        with contextlib.suppress(*FAILURES):
            record = json.loads(place.export_record.read_text(encoding="utf-8"))
            sizes.append(int(record["after"]["npk_bytes"]))
    return min(sizes, default=None)


def _files(paths):
    """What there is to look at besides, as links: pairs of a kind and names."""
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
    found.append({"kind": "what is left at every sparsity", "names": histograms})
    return [entry for entry in found if entry["names"]]
