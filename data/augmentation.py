"""Augmentation: images shifted at random, anew in every epoch."""

import itertools
import math

import numpy as np


class RandomShift:
    """Shifts images at random by up to `limit` pixels in each direction. New pixels are black, or
    the smallest number in images that are not bytes.

    Args:
        pixels: of shape (n, height · width · channels), or any other with as many numbers.
        shape: of an image, (height, width, channels).
        limit: the largest shift, in pixels.
        seen: indices of the numbers that the network uses, of shape (inputs,); None for all.
    """

    def __init__(
        self, pixels: np.ndarray, shape: tuple[int, ...], limit: int, seen: np.ndarray | None = None
    ) -> None:
        frame = ((0, 0), (limit, limit), (limit, limit), (0, 0))
        least = 0 if pixels.dtype == np.uint8 else pixels.min()
        framed = np.pad(pixels.reshape(-1, *shape), frame, constant_values=least)
        self.shape = pixels.shape[1:] if seen is None else (len(seen),)
        self.strides = framed.shape[2] * shape[2], shape[2]  # of a row, of a column
        self.framed, self.limit = framed.reshape(len(framed), -1), limit
        seen = np.arange(math.prod(shape)) if seen is None else seen
        row, column, channel = np.unravel_index(seen, shape)
        # In the padded image, shifted to the upper left.
        self.positions = row * self.strides[0] + column * self.strides[1] + channel

    def __call__(self, generator: np.random.Generator) -> np.ndarray:
        """The pixels of all images, shifted at random: in their shape, or of shape (n, seen)."""
        down, right = generator.integers(2 * self.limit + 1, size=(2, len(self.framed)))
        moved = np.empty((len(self.framed), len(self.positions)), self.framed.dtype)
        for row, column in itertools.product(range(2 * self.limit + 1), repeat=2):
            chosen = np.flatnonzero((down == row) & (right == column))
            positions = self.positions + row * self.strides[0] + column * self.strides[1]
            moved[chosen] = np.take(self.framed[chosen], positions, axis=1)
        return moved.reshape(-1, *self.shape)
