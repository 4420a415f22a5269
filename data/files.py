"""The user's own data sets: `.npz` files like those of Keras, for the setting `dataset`."""

import logging
import lzma
import pickle
import zipfile
import zlib
from os import PathLike
from pathlib import Path

from ..settings.fields import DEFAULT_NUM_VALID
from ..utils import RunError, UsageError, file_sha256, pluralize
from .data_loaders.loader_utils import Dataset, Split, held_out

logger = logging.getLogger(__name__)

# NumPy is imported where it is needed: `--help` and flag errors import this file.

DAMAGES = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
DAMAGES += (lzma.LZMAError,)
NUMBERING = "numpy.unique(labels, return_inverse=True)[1] numbers them"
KEYS = ("x_train", "y_train", "x_test", "y_test")
CLASS_NAMES = "class_names"  # optional


def load(path: str | PathLike, num_valid: int | None) -> Dataset:
    """The `Dataset` of an `.npz` file with the arrays KEYS; logs how its numbers are used.

    Args:
        path: of the file. `x_…` are numbers of shape (n, …): uint8 is scaled to [0, 1], all others
            are used as they are. `y_…` are integers of shape (n,), or one-hot rows.
        num_valid: how many training examples to hold out, from the front; None for a sixth, but at
            most as many as of the built-in data sets.

    Raises:
        RunError: if it is not such a file, or numbers in it are not finite.
        UsageError: if no training example would remain.
    """
    arrays = _read(path)
    num_classes, (train_labels, test_labels) = _labels(path, arrays["y_train"], arrays["y_test"])
    train, test = (_pixels(path, name, arrays[name]) for name in ("x_train", "x_test"))
    for name, pixels, labels in (("train", train, train_labels), ("test", test, test_labels)):
        if len(pixels) != len(labels):
            numbers = f"x_{name} has {pluralize(len(pixels), 'example')}, y_{name} {len(labels):,}"
            _refuse(path, f"{numbers}, but there must be a label for each")
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        kinds = " and ".join(f"{pixels.dtype} of shape {pixels.shape}" for pixels in (train, test))
        _refuse(path, f"x_train and x_test are {kinds}, but must have one type and shape")
    if num_valid is None:
        num_valid = _default_num_valid(train_labels)
    to_train, valid = held_out(Split(train, train_labels), num_valid)
    logger.info(_how_used(path, arrays["x_train"]))
    dataset = Dataset(
        name=Path(path).name,
        digest=file_sha256(Path(path).expanduser()),
        train=to_train,
        valid=valid,
        test=Split(test, test_labels),
        num_classes=num_classes,
        class_names=_class_names(path, num_classes),
    )
    _warn_of_order(dataset)
    return dataset


def check(path: str | PathLike) -> None:
    """Makes sure that a file exists and has the arrays, without reading them.

    Raises:
        UsageError: if it does not exist.
        RunError: if it is not such a file.
    """
    with _opened(path):
        pass


def default_num_valid(path: str | PathLike) -> int:
    """How many training examples are held out by default: a sixth, but at most as many as of the
    built-in data sets.

    Raises:
        RunError: if it is not such a file.
    """
    return _default_num_valid(_read(path, ("y_train",))["y_train"])


def _default_num_valid(labels):
    return min(DEFAULT_NUM_VALID, len(labels) // 6)


def _opened(path):
    import numpy as np

    try:
        file = np.load(Path(path).expanduser(), allow_pickle=False)
    except OSError as error:
        raise UsageError(
            f"`dataset`: {path} cannot be read ({error.strerror or error}); name an .npz file, or "
            "a data set such as digits."
        ) from error
    except (ValueError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise RunError(_advice(path, "it is not an .npz file")) from error
    if not hasattr(file, "files"):
        _refuse(path, "it is a single array")
    missing = [key for key in KEYS if key not in file.files]
    if missing:
        there = ", ".join(file.files) or "nothing"
        _refuse(path, f"it lacks {', '.join(missing)} (there is {there})")
    return file


def _class_names(path, num_classes):
    """The names of the classes in the file; () if there are none."""
    with _opened(path) as file:
        if CLASS_NAMES not in file.files:
            return ()
    names = _read(path, (CLASS_NAMES,))[CLASS_NAMES]
    if names.dtype.kind != "U" or names.shape != (num_classes,):
        _refuse(
            path,
            f"{CLASS_NAMES} is {names.dtype} of shape {names.shape}, but a text for each of "
            f"{num_classes} classes is needed",
        )
    return tuple(map(str, names))


def _read(path, keys=KEYS):
    with _opened(path) as file:
        try:
            return {key: file[key] for key in keys}
        except DAMAGES as error:
            if "pickle" in str(error) or "Object arrays" in str(error):
                _refuse(path, "it contains Python objects, which are not read for safety")
            raise RunError(_advice(path, "it is damaged")) from error


def _pixels(path, name, array):
    """Examples as uint8 or float32."""
    import numpy as np

    if not array.size:
        _refuse(path, f"{name} is empty, of shape {array.shape}")
    if array.ndim < 2:
        _refuse(path, f"{name} is of shape {array.shape}, but (examples, …) is needed")
    if array.dtype.kind not in "buif":
        _refuse(path, f"{name} is of type {array.dtype}, but numbers are needed")
    if array.dtype == np.uint8:
        return array
    with np.errstate(over="ignore"):
        pixels = array.astype(np.float32, copy=False)
    wrong = int(np.size(pixels) - np.count_nonzero(np.isfinite(pixels)))
    if wrong:
        _refuse(path, f"{name} is not finite (NaN, infinite) in {pluralize(wrong, 'place')}")
    return pixels


def _labels(path, *arrays):
    """The number of classes, and all labels as int32."""
    import numpy as np

    found = [
        _as_integers(path, name, array) for name, array in zip(KEYS[1::2], arrays, strict=True)
    ]
    wide = {array.shape[1] for array in arrays if array.ndim == 2 and array.shape[1] > 1}
    num_classes = max(*wide, 2) if wide else 1 + max(int(labels.max()) for labels in found)
    if (
        len(wide) > 1
        or num_classes < 2
        or max(int(labels.max()) for labels in found) >= num_classes
    ):
        _refuse(path, "y_train and y_test do not have the same two or more classes")
    if not wide and num_classes > len(found[0]):
        _refuse(
            path,
            f"its labels go up to {num_classes - 1:,}, more classes than there are training "
            f"examples; number the classes 0, 1, 2 … ({NUMBERING})",
        )
    if not wide and min(int(labels.min()) for labels in found) == 1:
        logger.warning(
            f"Note: {Path(path).name}: no label is 0; if the classes are numbered from 1, subtract "
            "1 from y_train and y_test."
        )
    return num_classes, [labels.astype(np.int32) for labels in found]


def _as_integers(path, name, array):
    import numpy as np

    if not array.size:
        _refuse(path, f"{name} is empty, of shape {array.shape}")
    if array.dtype.kind in "SU":
        _refuse(path, f"{name} contains texts, but class numbers are needed ({NUMBERING})")
    if array.dtype.kind not in "buif" or array.ndim not in (1, 2):
        _refuse(
            path,
            f"{name} is {array.dtype} of shape {array.shape}, but integers of shape (n,) or "
            "one-hot rows are needed",
        )
    if array.ndim == 2 and array.shape[1] > 1:
        if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
            _refuse(path, f"{name} has two axes, but not a single 1 in every row: not one-hot")
        return array.argmax(axis=1)
    labels = array.reshape(-1)
    whole = np.isfinite(labels).all() and (labels == np.floor(labels)).all()
    if not whole or labels.min() < 0 or labels.max() > 2**24:
        wrong = labels[(labels < 0) | (labels != np.floor(labels)) | (labels > 2**24)]
        such = f", such as {wrong[0]:g}" if len(wrong) else ""
        _refuse(path, f"{name} contains other values than the classes 0, 1, 2 …{such}")
    return labels


def _how_used(path, array):
    how = "scaled by 1/255" if str(array.dtype) == "uint8" else "used as they are"
    return f"{Path(path).name}: examples are {array.dtype} of shape {array.shape[1:]}, {how}."


def _warn_of_order(dataset):
    """Warns if the held-out examples lack classes: files are often sorted by class."""
    import numpy as np

    if dataset.valid is None:
        return
    lacking = np.setdiff1d(dataset.train.labels, dataset.valid.labels)
    if len(lacking) and len(dataset.valid) >= 10 * dataset.num_classes:
        logger.warning(
            f"Note: the first {pluralize(len(dataset.valid), 'example')}, held out for validation, "
            f"lack {len(lacking)} of {dataset.num_classes} classes; shuffle the file."
        )


def _refuse(path, reason):
    raise RunError(_advice(path, reason))


def _advice(path, reason):
    return (
        f"`dataset`: {path} cannot be used: {reason}. It must contain the arrays {', '.join(KEYS)},"
        " as numpy.savez writes them."
    )
