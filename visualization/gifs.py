"""GIF animations: a frame per sparsity, one second each, looping."""

import io
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from ..utils import write_bytes

MILLISECONDS = 1000
SHADES = 16  # of grey, and of the colour


def in_few_colors(frames: Any) -> list[Image.Image]:
    """All frames in shades of grey and of their colour: small files, steady colours, little memory.

    Args:
        frames: with a length of at least 1, a `color`, as matplotlib takes it, and `draw(index)`,
            which gives an RGB image.
    """
    palette = Image.new("P", (1, 1))
    palette.putpalette([*_shades("black"), *_shades(frames.color)])
    drawn = (frames.draw(index) for index in range(len(frames)))
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]


def _shades(color):
    """From white to a colour, as a palette has them."""
    return np.linspace(255, 255 * np.array(to_rgb(color)), SHADES).round().astype(int).ravel()


def save_gif(frames: Sequence[Image.Image], path: str | PathLike) -> None:
    """Writes the frames as a looping animation, whole or not at all.

    Args:
        frames: images of one size and one palette, in order; at least one.
        path: the file to write.
    """
    write_bytes(path, gif_of(frames))


def gif_of(frames: Sequence[Image.Image]) -> bytes:
    """The frames as a looping animation, as `save_gif` writes it."""
    content = io.BytesIO()
    frames[0].save(
        content,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        # One palette, written once: small, and no colour moves. Of a frame only what differs from
        # the one before is stored.
        palette=bytes(frames[0].getpalette() or ()),
        optimize=True,
        duration=MILLISECONDS,
        loop=0,
    )
    return content.getvalue()
