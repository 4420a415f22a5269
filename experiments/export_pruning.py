"""Networks that an export prunes itself, where those of the experiment are too large."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compression.compress import compress
from ..compression.runtimes import deployed_latency
from ..models.model import clone, compile_model, outputs_logits
from ..pruning.examples import Examples
from ..pruning.model_measures import size_of
from ..pruning.prunables import hidden_kernels
from ..reconstruction.distill import affordable
from ..reconstruction.prune import prune
from ..reconstruction.reconstruct import calibration_inputs
from ..training.model_evaluation import ModelEvaluator
from ..utils import percent
from .export_networks import Network

if TYPE_CHECKING:
    from ..settings.export import ExportConfig
    from .export_networks import Source

METHOD = "weight/activation/global/distill"
# Training with labels follows, on all examples.
MOST_EXAMPLES = 8000
# A network with a smaller share of weights that are not zero has been pruned.
DENSE = 0.9


def examples_for_pruning(source: "Source", config: "ExportConfig") -> Examples | None:
    """The inputs with which the dense network is pruned; None if it has been pruned already, or a
    minute of training is not enough."""
    dense = source.dense.model()
    prunable = hidden_kernels(dense)
    if not prunable or min(np.mean(k.matrix() != 0) for k in prunable) <= DENSE:
        return None
    images = source.dataset.train.images
    chosen = np.random.default_rng(config.seed).permutation(len(images))[:MOST_EXAMPLES]
    return affordable(dense, calibration_inputs(images[np.sort(chosen)], dense), config.seed)


def pruned(source: "Source", examples: Examples, sparsity: float, seed: int) -> Network:
    """The dense network pruned to a sparsity, and trained towards its own outputs meanwhile."""
    dense = source.dense.model()
    model = prune(dense, sparsity, METHOD, data=examples, seed=seed)
    return _network(source, dense, f"{METHOD} at {percent(sparsity)}", model)


def compressed(source: "Source", config: "ExportConfig") -> tuple[Network, int | None]:
    """The dense network compressed to the limits of an export, and its number of bits.

    Raises:
        UsageError: if it cannot keep them; the message says how close it came.
    """
    dense, train = source.dense.model(), source.dataset.train
    example = source.dataset.test.images[:1]
    is_timed = config.max_latency_ms is not None
    found = compress(
        dense,
        (train.images, train.labels),
        **given_limits(config),
        timer=partial(deployed_latency, x=example) if is_timed else None,
        bits=config.bits,
        seed=config.seed,
    )
    chosen = found.report.chosen
    name = f"compressed: {chosen.method} at {percent(round(chosen.sparsity, 4))}"
    return _network(source, dense, name, found.model), chosen.bits


def given_limits(config: "ExportConfig") -> dict[str, Any]:
    """The limits, as `compress` takes them."""
    return {
        "bytes": _whole_or_share(config.max_bytes),
        "multiply_adds": _whole_or_share(config.max_multiply_adds),
        "latency": config.max_latency_ms,
    }


def _whole_or_share(limit):
    return limit if limit is None or limit <= 1 else int(limit)


def _network(source, dense, name, model):
    compile_model(model, source.learning_rate, outputs_logits(dense))
    return Network(
        name=name,
        living=size_of(model, source.dataset.shape).living,
        valid_accuracy=ModelEvaluator(model, None)(source.dataset.valid).accuracy,
        trained=True,
        model=partial(clone, model),
    )
