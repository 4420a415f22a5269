"""Prunes, retrains and tests a network for every method and sparsity.

`metrics.csv` stores the results: a network with a row there is not pruned, trained or tested again
as long as everything that it depends on is the same. Rows of other settings are kept.
"""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..pruning import methods, shortfalls
from ..settings.experiment import training_settings
from ..settings.files import short_name
from ..utils import echo, percent, pluralize
from ..visualization.tables import baseline_of
from . import run_key
from .chance import Chance
from .metrics_store import MetricsStore
from .progress import progress

if TYPE_CHECKING:
    from ..models.weights import Weights
    from ..pruning.methods import Method
    from ..pruning.ranking import Ranking
    from ..settings.experiment import ExperimentConfig
    from ..training.networks import Networks
    from .paths import ArtifactPaths
    from .run_key import NetworkKey


def chosen_methods(
    config: "ExperimentConfig", reference: "Sequence[Method]" = methods.REFERENCE
) -> "list[Method]":
    """The methods of a run: the reference methods first, as far as the network can be pruned by
    them, and random pruning of every granularity as a floor."""
    requested = [methods.parse(text) for text in config.methods]
    others = [method for method in requested if method not in methods.REFERENCE]
    floors = [methods.Method(method.granularity, "random") for method in (*reference, *others)]
    return list(dict.fromkeys((*reference, *others, *floors)))


def wanted_keys(
    config: "ExperimentConfig", reference: "Sequence[Method]", checkpoint: str
) -> "list[NetworkKey]":
    """The `NetworkKey`s of all networks of a run, for each method and each `k`.

    They include the references of pruned networks, even if 0 is not among the requested sparsities:
    the untouched dense network, called `baseline` if some method retrains, and the control of each
    method that does.
    """
    chosen = chosen_methods(config, reference)
    trains = any(method.trains for method in chosen)
    found = [run_key.baseline(config, checkpoint)] if trains else []
    for method in chosen:
        needs_first = method.trains or not found
        k_vals = config.k_vals if 0 in config.k_vals or not needs_first else (0.0, *config.k_vals)
        found += [run_key.network_key(config, method, k, checkpoint) for k in k_vals]
    return found


def is_known(
    config: "ExperimentConfig",
    reference: "Sequence[Method]",
    paths: "ArtifactPaths",
    checkpoint: str,
) -> bool:
    """Whether all networks of a run have been made and tested before."""
    wanted = wanted_keys(config, reference, checkpoint)
    return not _missing(wanted, MetricsStore(paths.metrics), paths)


def compare(
    config: "ExperimentConfig",
    networks: "Networks",
    dense: "Weights",
    rankings: "Mapping[Method, Mapping[str, Ranking]]",
    paths: "ArtifactPaths",
    checkpoint: str,
) -> pd.DataFrame:
    """Prunes to every sparsity by every method, and tests every network that has no row yet.

    Args:
        config: the `ExperimentConfig`.
        networks: the `Networks` of the experiment.
        dense: the weights of the kept checkpoint.
        rankings: those of the reference methods, by `Method`.
        paths: of the table and the networks.
        checkpoint: SHA-256 of the kept checkpoint.

    Returns:
        The rows of `metrics.csv` that belong to this run, in the order of `wanted_keys`.
    """
    store = MetricsStore(paths.metrics)
    wanted = wanted_keys(config, networks.reference, checkpoint)
    missing = _missing(wanted, store, paths)
    if missing:
        _make_and_test(missing, wanted, store, config, networks, dense, rankings, paths)
    echo(_done(len(missing), len(wanted)))
    rows = store.rows(key.digest for key in wanted)
    for text in [*notes_on(rows), *_chance(config, rows, networks.dataset)]:
        echo(text)
    return rows


def _chance(config, rows, dataset):
    """A note on a saved model that is no better than chance on the data."""
    if config.epochs:
        return []
    accuracy = baseline_of(rows)["test_accuracy"]
    if not Chance.of(dataset.test.labels).explains(accuracy):
        return []
    return [
        f"Note: the model's test accuracy is {100 * accuracy:.2f} %, no better than chance; are "
        "the examples scaled, and the classes numbered, as when it was trained?"
    ]


def _done(made, wanted):
    """A sentence on the numbers of networks that were made and tested, now and before."""
    if not made:
        return f"{pluralize(wanted, 'network')}, all tested before."
    before = f"; {wanted - made:,} more were tested before" if made < wanted else ""
    return f"Pruned and tested {pluralize(made, 'network')}{before}."


def _make_and_test(missing, wanted, store, config, networks, dense, rankings, paths):
    """Makes and tests the networks of the keys in `missing`; each is stored at once."""
    # Only here TensorFlow is needed: a rerun that only draws does not import it.
    from .network_diagnostics import DiagnosticsWriter
    from .network_metrics import NetworkTests
    from .pruned_networks import PrunedNetworks

    controls = [key for key in wanted if key.is_control]
    made = PrunedNetworks(config, networks, dense, rankings, paths, controls)
    test = NetworkTests(networks, dense)
    digests = {key.method: key.digest for key in controls}
    page_data = DiagnosticsWriter(paths, networks, dense, test.of_dense[1], digests)
    with progress(total=len(missing), unit="network") as bar:
        for key in missing:
            bar.set_description(key.method.name, refresh=False)
            begun, kept = time.perf_counter(), made.is_kept(key)
            weights = made.pruned(key)
            measured, answers = test(weights)
            # Before the row: a network with a row is not tested again.
            page_data.add(key, weights, answers)
            # The time of a network that was trained in an earlier run is not known.
            seconds = None if kept else time.perf_counter() - begun
            store.add(_row(config, key, measured, seconds))
            if key.is_stored:
                echo(_line(store[key.digest]))
            bar.update()


def _missing(wanted, store, paths):
    """The keys of networks that have to be made or tested."""
    return [key for key in wanted if not _is_done(key, store, paths)]


def _is_done(key, store, paths):
    """Whether a network has been tested and its file exists if it is kept in one."""
    return key.digest in store and (not key.is_stored or paths.network(key).exists())


def _row(config, key, measured, seconds):
    """The row of a network: its metrics, and the settings that it was made with."""
    return {
        "experiment": config.experiment_id,
        **{name: getattr(config, name) for name in training_settings()},
        "dataset": short_name(config.dataset),
        "model": short_name(config.model),
        "method": key.method.name,
        **dataclasses.asdict(key.method),
        **key.columns(),
        **measured,
        "seconds": seconds,
        "recipe": key.digest,
        "checkpoint": key.checkpoint,
    }


def notes_on(rows: pd.DataFrame) -> list[str]:
    """Notes on methods that miss their target sparsity or remove whole layers, a sentence each.

    Args:
        rows: a table of networks with `method`, `granularity`, `k`, `sparsity` and a column
            `sparsity_<layer>` for every hidden layer.
    """
    layers = [column for column in rows if column.startswith("sparsity_")]
    found = []
    for method, group in rows.groupby("method", sort=False):
        networks = group.to_dict("records")
        missed = [row for row in networks if _is_missed(row)]
        if missed:
            most = max(row["sparsity"] for row in missed)
            found.append(f"Note: {shortfalls.of_pattern(method, [r['k'] for r in missed], most)}")
        emptied = [
            (row["k"], layer.removeprefix("sparsity_"), row["effective_sparsity"] == 1)
            for layer in layers
            for row in networks
            if row[layer] == 1 and row["k"] < 1
        ]
        if emptied:
            k, layer, nothing_left = min(emptied)
            sentence = shortfalls.of_layers(method, [layer], k, nothing_left)
            found.append(f"Warning: {sentence}")
    return found


def _is_missed(row):
    """Whether a pattern such as 2:4 allows less than the target sparsity."""
    return shortfalls.is_missed(row["granularity"], row["sparsity"], row["k"])


def _line(row):
    """The results of a network that has been trained, in lines of at most 80 characters."""
    target = percent(row["k"])
    reached = f"{100 * row['sparsity']:.2f} % instead of {target}" if _is_missed(row) else target
    head = f"{row['method']} at {reached}:" if row["k"] else f"control of {row['method']}:"
    validation = row["valid_accuracy"]
    parts = [f"validation {100 * validation:.2f} %"] if pd.notna(validation) else []
    ratio = row["compression_ratio"]
    parts.append(f"test {100 * row['test_accuracy']:.2f} %")
    if row["k"]:
        parts.append("nothing remains" if math.isinf(ratio) else f"{ratio:.0f}× smaller")
    if pd.notna(row["seconds"]):
        parts.append(f"{row['seconds']:.0f} s")
    body = "  ".join(parts)
    return f"{head} {body}" if len(head) + len(body) < 80 else f"{head}\n    {body}"
