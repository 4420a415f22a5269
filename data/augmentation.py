"""Augmentation: shifts images at random, differently in every epoch."""

import itertools
import math

import numpy as np


class RandomShift:
    """Shifts images at random by up to `limit` pixels in each direction. New pixels are black, or
    the smallest value of images that are not bytes.

    Args:
        pixels: of shape (n, height · width · channels), or any other of the same size.
        shape: of an image, (height, width, channels).
        limit: the largest shift, in pixels.
        used: indices of the values that the network uses, of shape (inputs,); None for all.
    """

    def __init__(
        self, pixels: np.ndarray, shape: tuple[int, ...], limit: int, used: np.ndarray | None = None
    ) -> None:
        widths = ((0, 0), (limit, limit), (limit, limit), (0, 0))
        least = 0 if pixels.dtype == np.uint8 else pixels.min()
        padded = np.pad(pixels.reshape(-1, *shape), widths, constant_values=least)
        self.shape = pixels.shape[1:] if used is None else (len(used),)
        self.strides = padded.shape[2] * shape[2], shape[2]  # of a row, of a column
        self.padded, self.limit = padded.reshape(len(padded), -1), limit
        used = np.arange(math.prod(shape)) if used is None else used
        row, column, channel = np.unravel_index(used, shape)
        # In the padded image, shifted to the upper left.
        self.positions = row * self.strides[0] + column * self.strides[1] + channel

    def __call__(self, generator: np.random.Generator) -> np.ndarray:
        """The pixels of all images, shifted at random: in their shape, or of shape (n, inputs)."""
        down, right = generator.integers(2 * self.limit + 1, size=(2, len(self.padded)))
        moved = np.empty((len(self.padded), len(self.positions)), self.padded.dtype)
        for row, column in itertools.product(range(2 * self.limit + 1), repeat=2):
            chosen = np.flatnonzero((down == row) & (right == column))
            positions = self.positions + row * self.strides[0] + column * self.strides[1]
            moved[chosen] = np.take(self.padded[chosen], positions, axis=1)
        return moved.reshape(-1, *self.shape)
