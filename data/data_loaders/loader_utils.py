"""Data sets and splits as arrays, and the reader of IDX files that loaders share."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING

from ...utils import RunError, UsageError
from ..sources import fetch_files

# NumPy is imported where it is needed: `--help` and flag errors import this file.
if TYPE_CHECKING:
    import numpy as np

    from ..sources import DatasetFiles, Source

NUM_CLASSES = 10
UNSIGNED_BYTE = 0x08


@dataclass(frozen=True)
class Split:
    """Examples: `pixels` of shape (n, …) and `labels` int32 of shape (n,).

    Pixels are uint8, scaled to [0, 1] only when they are used, to save memory; or float32, used
    unscaled.
    """

    pixels: "np.ndarray"
    labels: "np.ndarray"

    @property
    def images(self) -> "np.ndarray":
        """The network's input: the pixels as float32, bytes scaled to [0, 1]."""
        import numpy as np

        if self.pixels.dtype == np.float32:
            return self.pixels
        return self.pixels / np.float32(255)

    def shaped(self, shape: tuple[int, ...]) -> "Split":
        """The examples, each reshaped to this shape."""
        return Split(self.pixels.reshape(len(self), *shape), self.labels)

    def __getitem__(self, part: "slice | np.ndarray") -> "Split":
        """The examples of a slice or of an array of indices."""
        return Split(self.pixels[part], self.labels[part])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A data set in three splits; `valid` is None if no examples are held out.

    Labels are 0 to `num_classes` - 1; pages use `class_names`, if there are any.
    """

    name: str
    digest: str
    train: Split
    valid: Split | None
    test: Split
    num_classes: int = NUM_CLASSES
    class_names: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example."""
        return self.train.pixels.shape[1:]

    def shaped(self, shape: tuple[int, ...]) -> "Dataset":
        """The examples, each reshaped to this shape."""
        return replace(
            self,
            train=self.train.shaped(shape),
            valid=None if self.valid is None else self.valid.shaped(shape),
            test=self.test.shaped(shape),
        )


def load_idx_dataset(
    files: "DatasetFiles",
    sources: "Sequence[Source]",
    data_dir: str | PathLike | None,
    num_valid: int,
) -> Dataset:
    """Loads a data set of four IDX files and holds out the first `num_valid` training examples.

    Args:
        files: the `DatasetFiles`, in the order training images, training labels, test images,
            test labels.
        sources: tried in order, after the cache.
        data_dir: the cache folder, or None for the default one.
        num_valid: size of the validation split; 0 for none.

    Returns:
        A `Dataset`.

    Raises:
        RunError: if a file cannot be fetched.
        UsageError: if no training example would remain.
    """
    content = fetch_files(files, sources, data_dir)
    train_images, train_labels, test_images, test_labels = (
        parse_idx(content[filename]) for filename in files.sha256
    )
    train, valid = held_out(_split(train_images, train_labels), num_valid)
    test = _split(test_images, test_labels)
    return Dataset(name=files.name, digest=files.digest, train=train, valid=valid, test=test)


def held_out(examples: Split, num_valid: int) -> tuple[Split, Split | None]:
    """A `Split` without its first `num_valid` examples, and these for validation; None for 0.

    Raises:
        UsageError: if no training example would remain.
    """
    if not 0 <= num_valid < len(examples):
        raise UsageError(
            f"`num_valid` must lie between 0 and {len(examples) - 1}, not {num_valid}."
        )
    return examples[num_valid:], examples[:num_valid] if num_valid else None


def parse_idx(content: bytes) -> "np.ndarray":
    """The array in an IDX file of unsigned bytes (the format is described on the MNIST page).

    Args:
        content: the bytes of the file: two zeros, the type, the number of dimensions, each
            dimension as a big-endian 32-bit integer, then the values.

    Returns:
        A read-only uint8 array.

    Raises:
        RunError: if the header or the length is wrong.
    """
    import numpy as np

    if len(content) < 4 or content[:3] != bytes((0, 0, UNSIGNED_BYTE)):
        raise RunError("This is not an IDX file of unsigned bytes.")
    rank = content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise RunError("This IDX file ends in its header.")
    shape = struct.unpack(f">{rank}I", content[4:start])
    values = np.frombuffer(content, np.uint8, offset=start)
    if len(values) != np.prod(shape, dtype=np.int64):
        raise RunError(f"This IDX file has {len(values)} values, but its shape is {shape}.")
    return values.reshape(shape)


def _split(images, labels):
    import numpy as np

    return Split(pixels=images.reshape(len(images), -1), labels=labels.astype(np.int32))
