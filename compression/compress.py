"""Compresses any Keras model to what a device allows: `network_pruning.compress`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras

from ..graph.tracing import function_of
from ..models.copies import check_built
from ..models.example_inputs import zeros_for
from ..models.kernels import value_of
from ..pruning.arguments import checked_seed
from ..pruning.model_measures import size_of
from ..reconstruction.distill import affordable
from ..reconstruction.prune import parsed_method
from ..reconstruction.reconstruct import calibration_inputs
from ..settings.export import BITS
from ..utils import UsageError, pluralize, warn_user
from .candidates import Maker
from .closeness import Closeness, divided
from .compressed import Compressed, Report
from .limits import Needs, checked_drop, limits_of, needs_of
from .npk import check_loadable
from .search import Search

# Of weights and of units, without training and with it.
WEIGHTS, UNITS = "weight/activation/reconstruct", "unit_in_out/activation/reconstruct"
TRAINED = "weight/activation/global/distill", "unit_in_out/activation/budget/distill"
# What only fewer units reduce.
OF_UNITS = ("multiply_adds", "latency")
FEWEST = 20  # examples


def compress(
    model: keras.Model,
    data: Any,
    *,
    bytes: float | None = None,
    multiply_adds: float | None = None,
    parameters: float | None = None,
    latency: float | None = None,
    max_drop: float | None = None,
    metric: Any = None,
    method: str | None = None,
    train: Callable[[keras.Model], object] | None = None,
    timer: Callable[[keras.Model], float] | None = None,
    bits: Sequence[int] = tuple(BITS),
    seed: int = 0,
    verbose: int = 1,
) -> Compressed:
    """The model that is closest to the given one among those that need no more than this; or, with
    `max_drop` alone, the one with the smallest file among those that are close enough.

    Sparsities and bits are chosen on a fifth of the examples, to which nothing is fitted. The given
    model is not changed.

    Args:
        model: any built Keras 3 model; a functional or sequential one for `multiply_adds` and
            `latency`.
        data: some thousand examples, as for `prune`: inputs, from which kept weights are re-fitted
            or learn; or `(x, y)`, with which accuracy is measured, too.
        bytes: of the file that `save` of the result writes: a whole number, or a share of what the
            model's weights take in memory. Unless the exact file is small enough, kernels and long
            biases are quantized to 2 to 6 bits, what else is trained, such as embeddings, to 16.
        multiply_adds: for one example, those with zeros too, as runtimes compute them: units are
            removed. A whole number, or a share.
        parameters: that are not zero: a whole number, or a share.
        latency: milliseconds for one example on this machine, by `timer`.
        max_drop: the most that accuracy on the held-out examples may drop, a fraction; with
            `metric` in its units. Without labels: the share of predictions that may change; for a
            model that is no classifier, the squared error of outputs as a share of their variance.
        metric: of quality, as for `save`.
        method: how to prune, as for `prune`; by default units for `multiply_adds` and `latency`,
            then weights for `bytes` and `parameters`. Models for which a minute or two of training
            suffice on two cores are trained towards their own outputs (`distill`), on as many
            examples as that allows, and again with their weights on the levels of their bits;
            others, and those that `train` trains, are re-fitted without training (`reconstruct`).
        train: trains a pruned model further, in place, such as
            `lambda m: m.fit(x, y, callbacks=[npr.KeepPruned()])`; it is called for each candidate.
            Weights that were zero are zero again after it.
        timer: measures a model's latency, in milliseconds; by default that of `predict_on_batch`
            for one example, with the backend of Keras in use.
        bits: per weight, of which one number is chosen; 2 to 6.
        seed: of `prune`, and of the choice of held-out examples.
        verbose: 0 to print nothing.

    Returns:
        A `Compressed`: the model, without its dead units, and a report; its `save` writes the file.

    Raises:
        UsageError: (a ValueError) if an argument makes no sense, or the limits cannot be kept; the
            message says how close the model came.
        ValueError: if the model is not built, or cannot be copied or written.
    """
    check_built(model)
    _check_train(train)
    _check_timer(timer, latency)
    bits = _checked_bits(bits)
    asked = {"parameters": parameters, "multiply_adds": multiply_adds, "latency": latency}
    limits, drop = limits_of(model, bytes=bytes, **asked), checked_drop(max_drop, metric)
    seed = checked_seed(seed)
    examples, held_out = divided(_enough(calibration_inputs(data, model)), seed)
    few = None if method or train else affordable(model, examples, seed)
    methods = TRAINED if few else (WEIGHTS, UNITS)
    stages = _stages(model, limits, drop, method, methods)
    if bytes is not None or not limits.known():
        check_loadable(model)
    closeness, dense, rows, notes, taken = Closeness(model, held_out, metric), model, [], [], None
    for each, own in stages:
        fitted = examples, few or examples, closeness
        search = Search(Maker(dense, each, own, *fitted, train, timer, bits, seed, verbose))
        chosen = search.closest() if drop is None or own.known() else search.smallest(drop)
        dense, rows, notes = chosen.model, rows + search.rows, [*notes, *chosen.notes]
        taken = chosen.needs.latency or taken
    for note in dict.fromkeys(notes):
        warn_user(note)
    lost = closeness.drop(chosen.quality)
    if drop is not None and lost > drop:
        raise UsageError(
            f"max_drop: {closeness.name} is worse by {lost:.4g}, more than {drop:.4g}, with the "
            f"best that was found ({chosen}); allow more, give more examples, or train."
        )
    before = needs_of(model, limits, sum(value_of(v).nbytes for v in model.weights), timer)
    size = replace(size_of(chosen.model), baseline=size_of(model))
    report = Report(
        limits,
        before,
        replace(chosen.needs, latency=taken),
        f"{closeness.name} of {pluralize(len(held_out), 'example')}",
        closeness.before,
        None if drop is None else closeness.least(drop),
        chosen.row,
        rows,
        size,
    )
    return Compressed(chosen.model, report, chosen.content)


def _check_train(train):
    if train is not None and not callable(train):
        raise UsageError(
            f"train: {train!r} is not a function; give one that trains a model, such as "
            "lambda model: model.fit(x, y)."
        )


def _check_timer(timer, latency):
    if timer is not None and (not callable(timer) or latency is None):
        raise UsageError(
            "timer: it is given with latency, as a function of a model that returns milliseconds."
        )


def _checked_bits(bits):
    known = isinstance(bits, (tuple, list)) and all(each in BITS for each in bits)
    if not known or not bits:
        raise UsageError(f"bits: {bits!r} is no list of numbers from {BITS[0]} to {BITS[-1]}.")
    return sorted({*bits})


def _enough(examples):
    if len(examples) < FEWEST:
        raise UsageError(
            f"data: {len(examples)} examples are too few, of which a fifth is held out; give at "
            f"least {FEWEST}, better some thousand."
        )
    return examples


def _stages(model, limits, drop, method, methods):
    """Pairs of a method and the limits that it has to keep; `methods` of weights and of units are
    those in use if none is given."""
    known = limits.known()
    if not known and drop is None:
        raise UsageError(
            "Give a limit: bytes, parameters, multiply_adds, latency, or max_drop; such as "
            "bytes=100_000."
        )
    of_units = {name: value for name, value in known.items() if name in OF_UNITS}
    if of_units:
        _check_units(model, of_units)
    if method is not None:
        if not parsed_method(method).by_unit and of_units:
            raise UsageError(
                f"method: {method!r} prunes single weights, which leaves {' and '.join(of_units)} "
                f"as before; choose units, such as {UNITS!r}."
            )
        return [(method, limits)]
    others = {name: value for name, value in known.items() if name not in OF_UNITS}
    weights, units = methods
    stages = [(units, Needs(**of_units))] if of_units else []
    return stages + ([(weights, Needs(**others))] if others or not stages else [])


def _check_units(model, names):
    listed = " and ".join(names)
    if function_of(model) is None:
        raise UsageError(
            f"{listed}: units are removed from functional and sequential models only; "
            f"{model.name!r} is a subclassed one, which parameters and bytes can be limited of."
        )
    if zeros_for(model) is None:
        raise UsageError(
            f"{listed}: the sizes of the model's inputs are open; build it for examples of one "
            "size."
        )
