"""What the loaders share: IDX files in, arrays out."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...config import UsageError
from ...utils import RunError
from ..sources import fetch_files

# NumPy is imported where it is needed: `--help` and flag errors come by here.
if TYPE_CHECKING:
    import numpy as np

INPUT_SIZE = 784
NUM_CLASSES = 10
UNSIGNED_BYTE = 0x08


@dataclass(frozen=True)
class Split:
    """Examples: `pixels` uint8 of shape (n, 784) and `labels` int32 of shape (n,).

    They stay bytes until they are used: a quarter of the memory.
    """

    pixels: "np.ndarray"
    labels: "np.ndarray"

    @property
    def images(self):
        """The pixels as the network sees them: a new float32 array in [0, 1]."""
        import numpy as np

        return self.pixels / np.float32(255)

    def __getitem__(self, part):
        """The examples of a slice or of an array of indices."""
        return Split(self.pixels[part], self.labels[part])

    def __len__(self):
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A data set in three splits; `valid` is None where nothing is held out."""

    name: str
    digest: str
    train: Split
    valid: Split | None
    test: Split


def load_idx_dataset(files, sources, data_dir, num_valid):
    """Loads a data set of four IDX files and holds out the first `num_valid` training examples.

    Args:
        files: the `DatasetFiles`, in the order training images, training labels, test images,
            test labels.
        sources: where to look after the cache, in order.
        data_dir: the cache folder, or None for the default one.
        num_valid: size of the validation split; 0 for none.

    Returns:
        A `Dataset`.

    Raises:
        RunError: if a file cannot be had.
        UsageError: if no training example would be left.
    """
    content = fetch_files(files, sources, data_dir)
    train_images, train_labels, test_images, test_labels = (
        parse_idx(content[filename]) for filename in files.sha256
    )
    if not 0 <= num_valid < len(train_labels):
        raise UsageError(
            f"--num_valid must lie between 0 and {len(train_labels) - 1}, not {num_valid}."
        )
    return Dataset(
        name=files.name,
        digest=files.digest,
        train=_split(train_images[num_valid:], train_labels[num_valid:]),
        valid=_split(train_images[:num_valid], train_labels[:num_valid]) if num_valid else None,
        test=_split(test_images, test_labels),
    )


def parse_idx(content):
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
        raise RunError(f"This IDX file holds {len(values)} values, not those of shape {shape}.")
    return values.reshape(shape)


def _split(images, labels):
    import numpy as np

    return Split(pixels=images.reshape(len(images), -1), labels=labels.astype(np.int32))
