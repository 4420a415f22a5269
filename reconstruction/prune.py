"""Prunes any Keras model at once: `network_pruning.prune`."""

from collections.abc import Mapping
from typing import Any

import keras

from ..models.copies import check_built, copy_of_model
from ..models.own_classes import warn_of_lost_methods
from ..pruning.arguments import checked_method
from ..pruning.examples import Examples
from ..pruning.layer_choice import Excluded, in_copy
from ..pruning.methods import Method
from ..pruning.prune import Pruner
from ..pruning.statistics import SAMPLE_SIZE
from .choices import Choices
from .distill import distill
from .measurement import measured_errors
from .reconstruct import calibration_inputs, refit_layers


def prune(
    model: keras.Model,
    sparsity: float | Mapping[Any, float],
    method: str = "weight",
    *,
    data: Any = None,
    exclude: Excluded = (),
    seed: int = 0,
    round_to: int = 1,
    verbose: int = 1,
) -> keras.Model:
    """A copy of a Keras model with the least important weights or units set to zero.

    Dense layers and convolutions are pruned, those in nested models and attention too. Biases,
    normalizations, embeddings and output layers are not. The given model is not changed.

    Args:
        model: any built Keras 3 model; a functional or sequential one to prune whole units.
        sparsity: the share of the weights or units to remove, in [0, 1], or a dictionary of shares
            by layer, given as for `exclude`; then no other layers are pruned. A nested model, or
            a layer that contains layers, stands for all of them; of several that fit, the nearest
            counts, and a name before a pattern.
        method: granularity, criterion, scope and recovery in one text, as in `unit`,
            `weight/lamp/global` or `weight/activation/reconstruct`; by default the weights of each
            layer with the smallest absolute values are removed. With `reconstruct`, the kept
            weights are re-fitted without training, so that each layer computes what it did in the
            given model, as by the function `reconstruct`. With `distill`, they are trained towards
            the given model's own outputs, while the sparsity grows in steps. With the scope
            `budget`, layers lose what moves the model's outputs least.
        data: calibration data for the criteria `gradient`, `activation` and `obd`, and for
            `reconstruct`, `distill` and `budget`: `(x, y)`, with weights `(x, y, weights)`, or
            batches of them in anything that `fit` takes. Criteria use the first 1,000 examples,
            the others 10,000 of batches. `activation` and the others need no labels: `(x, None)`;
            for the others an array does.
        exclude: layers that stay as they are, with all layers in them: names, paths, patterns such
            as `block1_*` or `encoder/block_3/*`, compiled regular expressions, layers, or functions
            that are true of them. If units are pruned, the whole dependency group of such a layer
            stays.
        seed: for the criterion `random`, for `reconstruct` and `distill`, a whole number of 0 or
            more.
        round_to: of units: each layer keeps a multiple of so many, such as 8, which accelerators
            multiply faster; a layer with another number of units at most all of them.
        verbose: 0 for no progress bar of `reconstruct` and `distill`.

    Returns:
        A model of the same architecture and size; `shrink` makes it smaller.

    Raises:
        UsageError: (a ValueError) if an argument makes no sense; the message says what to do.
        ValueError: if the model is not built or cannot be copied.
        RunError: if your own criterion returns invalid scores.

    Warns:
        UserWarning: names layers with weights that cannot be pruned, layers that are removed
            completely, and methods of your own model class, such as `train_step`, that the copy
            does not have; or that a pattern such as `2:4` allows less than `sparsity`.
    """
    parsed = parsed_method(method)
    check_built(model)
    examples = calibration_inputs(data, model) if parsed.calibrates else Examples.of(data)
    pruned = copy_of_model(model)
    warn_of_lost_methods(model, pruned)
    criteria = examples.head(SAMPLE_SIZE) if parsed.calibrates else examples
    sparsity, exclude = (in_copy(given, model, pruned) for given in (sparsity, exclude))
    work = Pruner(pruned, parsed, sparsity, criteria, exclude, seed, round_to)
    work.warn()
    if parsed.scope == "budget":
        work.errors = measured_errors(work, model, examples, verbose)
    masks = RECOVERIES[parsed.recovery](work, model, examples, verbose)
    work.warn_of_shortfalls(masks)
    return pruned


def parsed_method(text: str) -> Method:
    """The `Method` that a text names for `prune`.

    Raises:
        UsageError: (a ValueError) if it names none.
    """
    return checked_method(text, oneshot=True, recoveries=tuple(RECOVERIES))


def _none(work, _dense, _examples, _verbose):
    masks = work.masks()
    work.remove(masks)
    return masks


def _reconstruct(work, dense, examples, verbose):
    choices = Choices(work)
    refit_layers(work.model, dense, examples, work.seed, verbose, choices.mask)
    choices.close()
    return choices.masks


# Each prunes the model of a `Pruner`, and returns the masks of its dependency groups.
RECOVERIES = {"none": _none, "reconstruct": _reconstruct, "distill": distill}
