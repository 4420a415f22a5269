"""Every method at every sparsity: pruned, trained where the method says so, tested, kept.

`metrics.csv` is the memory: a network that has its row there is never pruned, trained or tested
again, as long as the dense checkpoint and the method's settings are the same.
"""

import dataclasses
import hashlib
import inspect
import json
import time
from functools import cached_property

from .models import methods
from .models.criteria import CRITERIA
from .models.evaluation import Evaluator
from .models.measures import measure
from .networks import Networks
from .utils import progress, say
from .visualization import csv

# What the networks of a method that trains depend on, beside the checkpoint.
RETRAINING_SETTINGS = (
    "prune_epochs",
    "prune_fraction",
    "finetune_epochs",
    "finetune_learning_rate",
    "rewind_epoch",
    "distillation",
    "shift",
)


def chosen_methods(config):
    """The methods of a run: the reference first, and chance as a floor where there are others."""
    asked = [methods.parse(text) for text in config.methods]
    others = [method for method in asked if method not in methods.REFERENCE]
    floors = [methods.Method(method.granularity, "random") for method in others]
    return list(dict.fromkeys((*methods.REFERENCE, *others, *floors)))


def sweep(config, dataset, dense, rankings, paths, checkpoint):
    """Prunes to every sparsity by every method, and tests every network that is not known yet.

    Args:
        config: the `ExperimentConfig`.
        dataset: the `Dataset`.
        dense: the `Weights` of the kept checkpoint.
        rankings: those of the reference methods, by `Method`.
        paths: where the table and the networks are kept.
        checkpoint: SHA-256 of the kept checkpoint.

    Returns:
        The rows of `metrics.csv`, for each method and in it for each `k`. The first is that of the
        unpruned network, asked for or not.
    """
    rows = csv.read_metrics(paths.metrics)
    known = {(row["method"], row["k"]): row for row in rows if row["checkpoint"] == checkpoint}
    paths.remove_networks_except({paths.network(*key) for key in known})
    networks, test = (
        Networks(config, dataset, dense, rankings, paths),
        _Tests(config, dataset, dense),
    )
    chosen = chosen_methods(config)
    wanted = [(method, k) for method in chosen for k in config.k_vals]
    if 0 not in config.k_vals:
        wanted.insert(0, (chosen[0], 0.0))  # the unpruned control
    with progress(total=len(wanted), unit="network") as bar:
        for method, k in wanted:
            bar.set_description(method.name, refresh=False)
            key, recipe = (method.name, k), _recipe(config, method, k)
            if not _is_done(known.get(key), recipe, method.trains and k and paths.network(*key)):
                begun = time.perf_counter()
                known[key] = {
                    "experiment": config.experiment_id,
                    "seed": config.seed,
                    "method": method.name,
                    **dataclasses.asdict(method),
                    "k": k,
                    **test(networks.pruned(method, k)),
                    "seconds": time.perf_counter() - begun,
                    "recipe": recipe,
                    "checkpoint": checkpoint,
                }
                csv.write_metrics(paths.metrics, list(known.values()))
                if method.trains and k:
                    say(_line(known[key]))
            bar.update()
    say(f"Pruned and tested {len(wanted)} networks.")
    return [known[method.name, k] for method, k in wanted]


def _is_done(row, recipe, network):
    """Whether a network has been tested, and is still there if it was trained."""
    return row is not None and row["recipe"] == recipe and (not network or network.exists())


class _Tests:
    """Everything that is measured of a network; what is compiled and copied is shared."""

    def __init__(self, config, dataset, dense):
        self.config, self.dataset, self.dense = config, dataset, dense

    def __call__(self, weights):
        return self._of_dense if weights is self.dense else self._measure(weights)

    @cached_property
    def _of_dense(self):
        return self._measure(self.dense)

    @cached_property
    def _evaluators(self):
        penalties = self.config.l1_reg, self.config.l2_reg
        valid = self.dataset.valid and Evaluator(self.dataset.valid, *penalties)
        return valid, Evaluator(self.dataset.test, *penalties)

    def _measure(self, weights):
        evaluate_valid, evaluate_test = self._evaluators
        valid, test = evaluate_valid and evaluate_valid(weights), evaluate_test(weights)
        size = dataclasses.asdict(measure(weights))
        layers = size.pop("layer_sparsity")
        return {
            **size,
            **{f"sparsity_{name}": share for name, share in layers.items()},
            "valid_accuracy": valid and valid.accuracy,
            "valid_cross_entropy": valid and valid.cross_entropy,
            "test_accuracy": test.accuracy,
            "test_cross_entropy": test.cross_entropy,
            "test_loss": test.loss,
        }


def _recipe(config, method, k):
    """Digest of all that a network depends on beside the dense checkpoint."""
    depends = [method.name, k]
    if method.trains:
        # Gradual and iterative networks begin with the one before.
        depends += [earlier for earlier in config.k_vals if earlier < k]
        depends += [getattr(config, name) for name in RETRAINING_SETTINGS]
    if config.plugins:
        depends.append(inspect.getsource(CRITERIA.get(method.criterion)))
    return hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:12]


def _line(row):
    validation = row["valid_accuracy"]
    shown = "" if validation is None else f"validation {100 * validation:.2f} %  "
    return (
        f"{row['method']} at {100 * row['k']:.6g} %: {shown}test {100 * row['test_accuracy']:.2f} %"
        f"  {row['compression_ratio']:.0f}× smaller  {row['seconds']:.0f} s"
    )
