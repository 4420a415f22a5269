"""GIF animations: a frame per sparsity, one second each, for ever."""

from ..utils import atomic_path

MILLISECONDS = 1000
COLORS = 32


def save_gif(images, path):
    """Writes the images as a looping animation, whole or not at all.

    Args:
        images: Pillow images of one size, in order; at least one.
        path: the file to write.
    """
    # One small palette, taken from all frames at once, keeps files small and colours steady.
    palette = _side_by_side(images).quantize(COLORS)
    frames = [image.quantize(palette=palette, dither=0) for image in images]
    with atomic_path(path) as temporary:
        frames[0].save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=MILLISECONDS,
            loop=0,
        )


def _side_by_side(images):
    """First, middle and last image in one: together they show every colour."""
    from PIL import Image

    chosen = [images[0], images[len(images) // 2], images[-1]]
    width, height = images[0].size
    sheet = Image.new("RGB", (width, height * len(chosen)))
    for number, image in enumerate(chosen):
        sheet.paste(image, (0, number * height))
    return sheet
