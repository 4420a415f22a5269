"""BatchNormalization behind re-fitted layers: its moving statistics, computed anew."""

from typing import Any

import keras
import numpy as np

from ..models.arrays import (
    in_float64,
    in_type,
    is_numpy,
    local_in_float32,
    namespace,
    rows_in,
    to_numpy,
)
from ..models.kernels import value_of
from .statistics import are_held_out
from .walk import Step

# Numbers that are added at a time: they stay in the cache of a processor.
BLOCK = 2**15


def recalibrate(
    pruned: Step, dense: Step, values: list[dict[int, Any]], targets: list[dict[int, Any]]
) -> None:
    """Sets the moving mean and variance of a layer to those of the pruned model's activations, for
    channels whose outputs come closer to the dense model's on held-out examples.

    Args:
        pruned, dense: the layer's step in both models.
        values, targets: the values of the tensors in both models, batch by batch.
    """
    layer = pruned.op
    fitted, held = _Channels(), _Channels()
    first = 0
    for value, target in zip(values, targets, strict=True):
        x = _by_channel(layer, value[pruned.reads[0]])
        y = _by_channel(layer, dense.run(target)[0])
        out = are_held_out(first + np.arange(len(x)))
        fitted.add(rows_in(x, ~out), rows_in(y, ~out))
        held.add(rows_in(x, out), rows_in(y, out))
        first += len(x)
    old = [value_of(v).astype(np.float64) for v in (layer.moving_mean, layer.moving_variance)]
    mean = fitted.sums[0] / fitted.rows
    variance = fitted.sums[1] / fitted.rows - mean**2
    better = _error(layer, held, mean, variance) < _error(layer, held, *old)
    better &= variance > 0
    for variable, new, before in zip(
        (layer.moving_mean, layer.moving_variance), (mean, variance), old, strict=True
    ):
        variable.assign(np.where(better, new, before).astype(value_of(variable).dtype))


class _Channels:
    """Sums over rows of x, x², y, y² and x·y of each channel."""

    def __init__(self):
        self.rows, self.sums = 0, np.zeros((5, 1))

    def add(self, x, y):
        xp, channels = namespace(x), x.shape[-1]
        x, y = (xp.reshape(array, (-1, channels)) for array in (x, y))
        rows = max(1, BLOCK // channels) if is_numpy(x) else max(1, len(x))
        for start in range(0, len(x), rows):
            self._add(*(array[start : start + rows] for array in (x, y)))
        self.rows += len(x)

    def _add(self, x, y):
        xp = namespace(x)
        with in_float64(x):
            x, y = (in_type(array, "float64") for array in (x, y))
            sums = [xp.sum(each, axis=0) for each in (x, x * x, y, y * y, x * y)]
            self.sums = self.sums + np.stack([*map(to_numpy, sums)])


def _by_channel(layer, tensor):
    found = local_in_float32(tensor)
    return namespace(found).moveaxis(found, layer.axis, -1)


def _error(layer: keras.Layer, seen, mean, variance):
    """Σ (scale·x + shift - y)² of each channel."""
    scale = 1 / np.sqrt(np.maximum(variance, 0) + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * value_of(layer.gamma)
    shift = -mean * scale
    if layer.beta is not None:
        shift = shift + value_of(layer.beta)
    x, xx, y, yy, xy = seen.sums
    return (
        scale**2 * xx + seen.rows * shift**2 + yy + 2 * scale * shift * x
        - 2 * scale * xy - 2 * shift * y
    )  # fmt: skip
