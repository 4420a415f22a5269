"""What a model needs, and limits to it: bytes of its file, parameters, multiply-adds, latency."""

import math
import numbers
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np

from ..models.example_inputs import zeros_for
from ..models.kernels import value_of
from ..pruning.model_measures import multiply_adds
from ..utils import UsageError
from .npk import estimated_bytes

# A function that returns the milliseconds that a model takes.
Timer = Callable[[keras.Model], float]
# Calls of a model before its latency is measured, and how often and how long that is repeated.
WARM_UPS, ROUNDS, SECONDS = 3, 30, 1.0


@dataclass(frozen=True)
class Needs:
    """What a model needs; None where it is not known or not asked for.

    Attributes:
        bytes: of its `.npk` file.
        parameters: how many of its numbers are not zero.
        multiply_adds: of its kernels for one example, those of zeros too, as runtimes count them.
        latency: milliseconds on this machine; by default of `predict_on_batch` for one example.
    """

    bytes: float | None = None
    parameters: float | None = None
    multiply_adds: float | None = None
    latency: float | None = None

    def __str__(self) -> str:
        return ", ".join(_text(name, value) for name, value in self.known().items())

    def known(self) -> dict[str, float]:
        """Those that are known, by name."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if value is not None}

    def times(self, factors: Mapping[str, float]) -> "Needs":
        """Those that are known multiplied by factors by name, by default 1."""
        return Needs(**{name: value * factors.get(name, 1) for name, value in self.known().items()})

    def exceeding(self, limits: "Needs") -> dict[str, float]:
        """Those that are above limits, by name."""
        own = self.known()
        return {name: own[name] for name, most in limits.known().items() if own[name] > most}


def limits_of(model: keras.Model, **given: Any) -> Needs:
    """The limits in absolute numbers.

    Args:
        model: the dense model, which shares refer to: of its parameters, of its multiply-adds, and
            of the bytes of its weights in memory.
        given: by the names of `Needs`; None for no limit.

    Raises:
        UsageError: (a ValueError) if one makes no sense.
    """
    found = {}
    for name, value in given.items():
        if value is not None:
            found[name] = _checked(name, value, lambda name=name: _of_dense(model, name))
    return Needs(**found)


def checked_drop(drop: Any, metric: Any) -> float | None:
    """The largest drop in quality, as a number; None if there is none.

    Raises:
        UsageError: if it makes no sense.
    """
    if drop is None:
        return None
    most, what = (
        (1, "a fraction in [0, 1]") if metric is None else (math.inf, "a number of 0 or more")
    )
    is_number = isinstance(drop, numbers.Real) and not isinstance(drop, bool)
    if not is_number or not 0 <= drop <= most:
        raise UsageError(f"max_drop: {drop!r} is not {what}.")
    return float(drop)


def _checked(name, value, whole):
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise UsageError(f"{name}: {value!r} is not a number above 0.")
    if name == "latency":
        return float(value)
    if isinstance(value, numbers.Integral) or (value > 1 and float(value).is_integer()):
        return int(value)
    if value > 1:
        raise UsageError(
            f"{name}: {value!r} is neither a whole number nor a share of at most 1; give one."
        )
    return math.floor(value * whole())


def _of_dense(model, name):
    if name == "multiply_adds":
        return multiply_adds(model)
    arrays = map(value_of, model.weights)
    return sum(array.nbytes if name == "bytes" else array.size for array in arrays)


def needs_of(
    model: keras.Model, limits: Needs, size: float | None = None, timer: Timer | None = None
) -> Needs:
    """What a model needs of what is limited, and always its parameters and, unless sizes of its
    inputs are open, its multiply-adds.

    Args:
        model: a built Keras model.
        limits: latency is measured, and bytes are estimated, only where these are limited.
        size: the bytes of its file, if they are known.
        timer: measures the latency; None for `latency_of`.
    """
    if size is None and limits.bytes is not None:
        size = estimated_bytes(model)
    latency = None if limits.latency is None else (timer or latency_of)(model)
    nonzero = sum(int(np.count_nonzero(value_of(variable))) for variable in model.weights)
    products = None if zeros_for(model) is None else multiply_adds(model)
    return Needs(size, nonzero, products, latency)


def latency_of(model: keras.Model) -> float:
    """The least milliseconds of several calls of `predict_on_batch` for one example.

    Raises:
        UsageError: if the sizes of the model's inputs are open.
    """
    x = zeros_for(model)
    if x is None:
        raise UsageError("latency: the sizes of the model's inputs are open; build it for one.")
    for _ in range(WARM_UPS):
        model.predict_on_batch(x)
    taken, end = [], time.perf_counter() + SECONDS
    while len(taken) < ROUNDS and (len(taken) < WARM_UPS or time.perf_counter() < end):
        start = time.perf_counter()
        model.predict_on_batch(x)
        taken.append(time.perf_counter() - start)
    return 1000 * min(taken)


def _text(name, value):
    if name == "latency":
        return f"{value:.3g} ms"
    return f"{round(value):,} {name.replace('_', '-')}"
