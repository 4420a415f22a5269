"""One layer: which of its weights are kept, and the values with which they come closest to what the
dense layer computes."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from ..models.kernels import value_of
from ..pruning.ranking import TINY
from .readings import Reading
from .solvers import ITERATIONS, least_squares, unexplained
from .statistics import Observed

# As shares of the mean of the Gram matrix's diagonal; held-out examples choose. Each begins where
# the one before has ended.
RIDGES = (1e-1, 1e-2, 1e-3, 1e-4)
# While weights are still being removed, and how precise that is.
RIDGE_ON_THE_WAY, ITERATIONS_ON_THE_WAY = 1e-2, 8
# With more weights left than this share, others make up for the removed ones with little change.
DENSE = 0.35


class Refit:
    """The kept weights of a kernel, and its bias, by least squares.

    Args:
        reading: how the layer of the pruned model reads its inputs.
        seen: what was observed of it.
    """

    def __init__(self, reading: Reading, seen: Observed) -> None:
        self.reading, self.seen = reading, seen
        self.weights = reading.split(reading.kernel.matrix()).astype(np.float64)
        if seen.has_bias:
            bias = value_of(reading.bias).reshape(1, -1).astype(np.float64)
            self.weights = np.concatenate([self.weights, reading.split(bias)], axis=1)
        self.mask = np.ones(self.weights.shape, bool)
        self._used: Any = None  # inputs, when `_unexplained` was computed

    @property
    def matrix(self) -> np.ndarray:
        """The weights as they are now, of the kernel's shape."""
        return self.reading.joined(self._kernel_part(self.weights))

    def _kernel_part(self, weights):
        return weights[:, :-1] if self.seen.has_bias else weights

    def root_mean_squares(self) -> np.ndarray:
        """Of each input, of shape (inputs,) or, where units read inputs of their own, of the
        kernel's shape."""
        return self._norms(self.seen.fitted.diagonal)

    def input_norms(self) -> np.ndarray:
        """The same without what a layer's other inputs can replace."""
        used = self.mask.any(axis=2)
        if self._used is None or (used != self._used).any():  # inverting takes long
            self._used, self._unexplained = used, self._without_others(used)
        return self._norms(self._unexplained)

    def _without_others(self, used):
        strengths = [self.strength(group, RIDGE_ON_THE_WAY) for group in range(len(used))]
        return np.stack([*map(unexplained, self.seen.fitted.gram, strengths, used)])

    def _norms(self, squares):
        """From sums of squares of each group's inputs."""
        squares = self._kernel_part(squares[..., np.newaxis])
        norms = np.sqrt(np.maximum(squares, 0) / max(self.seen.fitted.rows, 1)).astype(np.float32)
        if len(norms) == 1:
            return norms[0, :, 0]
        return self.reading.joined(np.repeat(norms, self.reading.columns.shape[1], axis=2))

    def strength(self, group: int, ridge: float) -> np.ndarray:
        """The ridge of each input of a group of channels: none for a bias."""
        strength = np.full(self.weights.shape[1], ridge * np.mean(self._diagonals[group]))
        if self.seen.has_bias:
            strength[-1] = 0
        return strength

    @cached_property
    def _diagonals(self):
        diagonals = self.seen.fitted.diagonal
        return diagonals[:, :-1] if self.seen.has_bias else diagonals

    def remove(self, masks: Iterable[np.ndarray], refits: bool = True) -> Iterator[np.ndarray]:
        """Removes weights step by step, and yields each mask when that is done.

        Args:
            masks: one after the other, each from `matrix` and less than the one before.
            refits: whether the others are re-fitted each time.
        """
        for mask in masks:
            self.mask = parts = self._mask(mask)
            self.weights = np.where(parts, self.weights, 0)
            if refits and mask.mean() < DENSE:
                self.weights = self._solved(parts, RIDGE_ON_THE_WAY, ITERATIONS_ON_THE_WAY)
            yield mask

    def error(self) -> float:
        """Σ ‖X·w - y‖² on held-out examples, as a share of Σ ‖y‖²."""
        held_out = self.seen.held_out
        return float(held_out.error(self.weights).sum() / max(held_out.square.sum(), TINY))

    def _mask(self, mask):
        """A mask of the kernel's shape for all parts; a bias is kept, but for that of a unit that
        has been removed with it."""
        parts = self.reading.split(mask)
        if not self.seen.has_bias:
            return parts
        kept = parts.any(axis=1, keepdims=True) | (self.weights[:, -1:] != 0)
        return np.concatenate([parts, kept], axis=1)

    def finish(self, mask: np.ndarray, plain: np.ndarray) -> bool:
        """Re-fits the weights that a mask keeps, as precisely as held-out examples allow, and puts
        them into the layer.

        Args:
            mask: of the kernel's shape.
            plain: weights under this mask that are taken for units for which no others do better on
                held-out examples, of the shape of `weights`.

        Returns:
            Whether any others do.
        """
        parts = self._mask(mask)
        plain = np.where(parts, plain, 0)
        best, least = plain, self.seen.held_out.error(plain)
        found, near = [], None
        for ridge in RIDGES:
            near = self._solved(parts, ridge, ITERATIONS, near)
            found.append(near)
        errors = [self.seen.held_out.error(weights) for weights in found]
        chosen = int(np.argmin([error.sum() for error in errors]))
        better = errors[chosen] < least
        self.weights = np.where(better[:, np.newaxis], found[chosen], best)
        self.put()
        return bool(better.any())

    def _solved(self, parts, ridge, iterations, near=None):
        fitted, found = self.seen.fitted, np.empty_like(self.weights)
        for group, (gram, cross) in enumerate(zip(fitted.gram, fitted.cross, strict=True)):
            strength, start = self.strength(group, ridge), self.weights[group]
            found[group] = least_squares(
                gram,
                cross,
                parts[group],
                strength,
                start,
                iterations,
                None if near is None else near[group],
            )
        return found

    def put(self) -> None:
        """Puts the weights into the layer."""
        kernel = self.reading.kernel
        dtype = value_of(kernel.variable).dtype
        kernel.variable.assign(kernel.array(self.matrix).astype(dtype))
        bias = self.reading.bias
        if self.seen.has_bias and bias is not None:
            values = self.reading.joined(self.weights[:, -1:])
            bias.assign(np.reshape(values, bias.shape).astype(value_of(bias).dtype))
