"""Checks of what the functions of a method's axes return; plugins may return anything."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.arrays import Array, count, is_numpy, namespace, size_of, type_of
from ..settings.registry import named
from ..utils import RunError, UsageError
from .recoveries import Recovery
from .schedules import Round

if TYPE_CHECKING:
    from .criteria import Layer
    from .ranking import Ranking


def check_weights(layer: "Layer") -> None:
    """Makes sure that a criterion's `Layer` can be scored.

    Raises:
        UsageError: (a ValueError) if some of its weights are not finite.
    """
    finite = namespace(layer.kernel).isfinite(layer.kernel)
    if wrong := size_of(finite) - count(finite):
        raise UsageError(
            f"The layer {layer.name!r} cannot be pruned: {wrong:,} of its {size_of(finite):,} "
            "weights are not finite (NaN or infinite); train the model again with a lower learning "
            "rate, or load earlier weights."
        )


def checked_scores(criterion: str, returned: Any, layer: "Layer") -> Array:
    """A criterion's scores as an array.

    Raises:
        RunError: unless they are finite, of the kernel's shape, and none is negative.
    """
    scores = _array(returned, layer.kernel)
    fault = _fault_of_numbers(returned, scores, layer.kernel.shape)
    if fault:
        raise RunError(
            f"The {named('criterion', criterion)} must return finite, non-negative scores of shape "
            f"{layer.kernel.shape} for the layer {layer.name}, but the result {fault}."
        )
    return scores


def checked_granularity(name: str, granularity: Any) -> Any:
    """A granularity.

    Raises:
        RunError: unless it has the functions of one.
    """
    missing = [part for part in ("scores", "mask", "removable") if not hasattr(granularity, part)]
    if missing:
        raise RunError(
            f"The {named('granularity', name)} lacks {', '.join(missing)}; derive it from "
            "network_pruning.pruning.granularities.Weight."
        )
    return granularity


def checked_items(granularity: str, name: str, returned: Any, scores: Array | None = None) -> Array:
    """A granularity's scores of its items, for the layer `name` with these scores of weights, as
    floats.

    Raises:
        RunError: unless they are finite and none is negative.
    """
    items = _array(returned, scores)
    if items is scores and not is_numpy(items):
        return items  # as they were checked before
    fault = _fault_of_numbers(returned, items, items.shape) or ("" if items.ndim else "is a number")
    if fault:
        raise RunError(
            f"The {named('granularity', granularity)} must return an array of finite, non-negative "
            f"scores for the layer {name}, but the result {fault}."
        )
    if not is_numpy(items):
        return items
    return items.astype(np.result_type(items, np.float16), copy=False)


def checked_mask(
    granularity: str, name: str, returned: Any, shape: tuple[int, int], scores: Array | None = None
) -> Array:
    """A granularity's mask of the layer `name`, from these scores of its items.

    Raises:
        RunError: unless it is of booleans, of the kernel's shape.
    """
    mask = _array(returned, scores)
    if type_of(mask) != "bool" or tuple(mask.shape) != tuple(shape):
        raise RunError(
            f"The {named('granularity', granularity)} must return a mask of booleans of shape "
            f"{shape} for the layer {name}, but the result is of type {mask.dtype} and shape "
            f"{mask.shape}."
        )
    return mask


def checked_counts(
    scope: str, returned: Any, rankings: "Mapping[str, Ranking]"
) -> Mapping[str, int | np.ndarray]:
    """A scope's counts of pruned items in each layer.

    Raises:
        RunError: unless each layer has a whole number, or an array of them with one for each unit,
            from 0 to the number of its items.
    """
    if not isinstance(returned, Mapping) or set(returned) != set(rankings):
        _refuse_counts(scope, f"the result is {_kind(returned)}")
    for name, ranking in rankings.items():
        counts, by_unit = _array(returned[name]), tuple(ranking.scores.shape[1:])
        if counts.dtype.kind not in "iu" or counts.shape not in ((), by_unit):
            _refuse_counts(scope, f"that of {name} is {_kind(returned[name])}")
        most = ranking.dense_items[0] if counts.shape else ranking.size
        if (counts < 0).any() or (counts > most).any():
            _refuse_counts(scope, f"that of {name} is not between 0 and {most:,}")
    return returned


def _refuse_counts(scope, fault):
    raise RunError(
        f"The {named('scope', scope)} must return the number of pruned items, a dictionary with a "
        f"whole number, or one for each unit, for every hidden layer, but {fault}."
    )


def checked_rounds(schedule: str, returned: Any, k: float) -> list[Round]:
    """A schedule's rounds as a list.

    Raises:
        RunError: unless there are some, all of them are `Round`s of sparsities in [0, 1], and the
            last one ends at `k`.
    """
    rounds = list(returned) if isinstance(returned, Iterable) else []
    sound = rounds and all(map(_is_round, rounds)) and abs(rounds[-1].sparsity - k) < 1e-9
    if not sound:
        raise RunError(
            f"The {named('schedule', schedule)} must return Rounds of sparsities in [0, 1], "
            f"the last one of {k}, but the result is {_kind(returned)}."
        )
    return rounds


def _is_round(value):
    is_round = isinstance(value, Round) and isinstance(value.sparsity, Real)
    return is_round and 0 <= value.sparsity <= 1 and (value.ramp is None or callable(value.ramp))


def checked_ramp(schedule: str, sparsity: Any) -> float:
    """The sparsity that a ramp returned.

    Raises:
        RunError: unless it is a number in [0, 1].
    """
    is_number = isinstance(sparsity, Real)
    if not is_number or not 0 <= sparsity <= 1:
        raise RunError(
            f"A ramp of the {named('schedule', schedule)} must return a sparsity in [0, 1], but "
            f"the result is {_kind(sparsity)}."
        )
    return sparsity


def checked_recovery(recovery: str, returned: Any) -> Recovery:
    """What a recovery returned.

    Raises:
        RunError: unless it is a `Recovery` of a whole number of epochs and a learning rate that
            can be called.
    """
    sound = isinstance(returned, Recovery) and isinstance(returned.epochs, Integral)
    if not (sound and returned.epochs >= 0 and callable(returned.learning_rate)):
        raise RunError(
            f"The {named('recovery', recovery)} must return a Recovery(epochs, learning_rate) "
            "of a whole number and a function of the progress, but the result is "
            f"{_kind(returned)}."
        )
    return returned


def _fault_of_numbers(returned, numbers, shape):
    """What is wrong with numbers that should be of this shape; None if they are valid."""
    if is_numpy(numbers) and numbers.dtype.kind not in "biuf":
        is_array = isinstance(returned, np.ndarray)
        return f"is of the type {numbers.dtype if is_array else type(returned).__name__}"
    if tuple(numbers.shape) != tuple(shape):
        return f"is of shape {numbers.shape}"
    xp = namespace(numbers)
    if is_numpy(numbers) and numbers.size and numbers.min() >= 0 and numbers.max() < np.inf:
        return None  # without another array of this size; NaN is neither
    if count(xp.logical_and(numbers >= 0, numbers < np.inf)) == size_of(numbers):
        return None  # what is counted on an accelerator is waited for
    for fault, sound in (("not finite", xp.isfinite(numbers)), ("negative", numbers >= 0)):
        if wrong := size_of(numbers) - count(sound):
            return f"is {fault} in {wrong:,} of {size_of(numbers):,} places"
    return None


def _array(returned, beside=None):
    """What was returned as an array: of NumPy, unless it belongs to a tensor."""
    if beside is not None and not is_numpy(beside):
        return returned
    try:
        return np.asarray(returned)
    except (TypeError, ValueError):  # for example lists of different lengths
        return np.asarray(None)


def _kind(value):
    """The value in a few characters, or what it is."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
