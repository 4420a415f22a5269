"""GIF animations: a frame per sparsity, one second each, looping."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image

from ..utils import write_bytes

MILLISECONDS = 1000
COLORS = 48


def in_few_colors(frames: Any) -> list[Image.Image]:
    """All frames in one small palette: small files, steady colours, little memory.

    Args:
        frames: with a length of at least 1 and `draw(index)`, which gives an RGB image.
    """
    # First, middle and last frame together show every colour.
    shown = {index: frames.draw(index) for index in (0, len(frames) // 2, len(frames) - 1)}
    palette = _side_by_side(list(shown.values())).quantize(COLORS)
    drawn = (shown[index] if index in shown else frames.draw(index) for index in range(len(frames)))
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]


def save_gif(frames: Sequence[Image.Image], path: str | PathLike) -> None:
    """Writes the frames as a looping animation, whole or not at all.

    Args:
        frames: images of one size and one palette, in order; at least one.
        path: the file to write.
    """
    # Numbers of colours and the palette they mean, written once: small, and no colour moves.
    # `optimize` stores of a frame only what differs from the one before.
    content: Any = iio.imwrite(
        "<bytes>",
        [np.asarray(frame) for frame in frames],
        extension=".gif",
        plugin="pillow",
        palette=bytes(frames[0].getpalette() or ()),
        optimize=True,
        duration=MILLISECONDS,
        loop=0,
    )
    write_bytes(path, content)


def _side_by_side(images):
    width, height = images[0].size
    sheet = Image.new("RGB", (width, height * len(images)))
    for number, image in enumerate(images):
        sheet.paste(image, (0, number * height))
    return sheet
