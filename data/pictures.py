"""Prepares image files of any size and colour for a network: numbers in [0, 1], light on dark."""

from os import PathLike

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..utils import RunError

# Pillow warns of larger images, and refuses even larger ones.
MOST_PIXELS = 50_000_000
# A pixel is foreground if it differs from the background by this share of the contrast.
VISIBLE = 0.2
# An image with less contrast than this is blank.
BLANK = 0.02


def prepared(
    path: str | PathLike, shape: tuple[int, ...], margin: float, invert: str = "auto"
) -> tuple[np.ndarray, list[str]]:
    """An image file as an example, and descriptions of the changes.

    Args:
        path: of the file.
        shape: of an image, (height, width, channels) with 1 or 3 channels.
        margin: the empty share of the width on each side of the foreground.
        invert: whether to invert brightness: "yes", "no", or "auto", if the border is light and
            images are greyscale.

    Returns:
        A float32 array of `shape` in [0, 1], and a list of phrases.

    Raises:
        RunError: if it is not an image that can be read.
    """
    picture, done = _opened(path), []
    height, width, channels = shape
    try:
        picture = _in_channels(picture, channels, done)
    except (ValueError, OSError) as error:
        raise RunError(f"{path} has an unknown colour mode ({picture.mode}).") from error
    pixels = np.asarray(picture, np.float32) / 255
    is_dark = channels == 1 and _background(pixels) > 0.5
    if invert == "yes" or (invert == "auto" and is_dark):
        pixels = 1 - pixels
        done.append("dark on light: inverted" if is_dark else "inverted")
    if np.ptp(pixels) < BLANK:
        done.append("blank: all pixels have one colour")
    if pixels.shape[:2] != (height, width):
        done.append(f"resized from {picture.width}×{picture.height} to {width}×{height} pixels")
        pixels = _fitted(pixels, height, width, margin)
    return pixels.reshape(shape), done


def _opened(path):
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise RunError(f"{path} has more than {MOST_PIXELS:,} pixels; make it smaller.")
            # Rotated as the camera's EXIF data says.
            return ImageOps.exif_transpose(picture.copy())
    except UnidentifiedImageError as error:
        raise RunError(f"{path} is not an image of a known format, such as PNG.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "damaged or too large"
        raise RunError(f"{path} cannot be read ({reason}).") from error


def _in_channels(picture, channels, done):
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
        done.append("transparent: placed on white")
    if picture.mode.startswith(("I", "F")):  # more than 8 bits
        numbers = np.asarray(picture, np.float64)
        numbers = (numbers - numbers.min()) / max(np.ptp(numbers), 1e-9)
        picture = Image.fromarray((255 * numbers).astype(np.uint8))
    wanted = "L" if channels == 1 else "RGB"
    if picture.mode != wanted:
        if wanted == "L" and picture.mode != "1":
            done.append("colour: converted to greyscale")
        picture = picture.convert(wanted)
    return picture


def _background(pixels):
    """The brightness of the border, which is taken as the background."""
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def _fitted(pixels, height, width, margin):
    """The foreground, as large as the margin allows, with its centre of mass in the middle of a new
    image, as in MNIST (LeCun et al., 1998)."""
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    ground = _background(pixels)
    contrast = np.abs(grey - ground)
    shown = contrast > VISIBLE * max(contrast.max(), 1e-9)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if len(rows):
        pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    free = 1 - 2 * margin
    scale = min(free * height / pixels.shape[0], free * width / pixels.shape[1])
    size = [max(1, round(scale * length)) for length in pixels.shape[1::-1]]
    small = Image.fromarray((255 * pixels).round().astype(np.uint8)).resize(size, Image.BOX)
    small = np.asarray(small, np.float32) / 255
    fitted = np.full((height, width, *pixels.shape[2:]), ground, np.float32)
    ink = np.abs(small - ground) if small.ndim == 2 else np.abs(small - ground).mean(axis=2)
    top, left = (
        _start(ink.sum(axis=1 - axis), length) for axis, length in enumerate((height, width))
    )
    fitted[top : top + small.shape[0], left : left + small.shape[1]] = small
    return fitted


def _start(ink, length):
    """The start along an axis of this length that puts the centre of mass in the middle."""
    centre = (np.arange(len(ink)) + 0.5) @ ink / max(ink.sum(), 1e-9)
    return int(np.clip(round(length / 2 - centre), 0, length - len(ink)))
