"""Files and folders that settings name: data sets, saved models, where results are written."""

import functools
import re
from pathlib import Path

from ..utils import UsageError, fingerprint

PACKAGE_DIR = Path(__file__).resolve().parent.parent
# Suffixes of values that name a file instead of something registered: data, and saved models.
DATA_FILES, MODEL_FILES = (".npz",), (".keras", ".h5", ".hdf5")
FILES = (*DATA_FILES, *MODEL_FILES)


def default_output_dir(package_dir: Path) -> str:
    """`results/` of a checkout, which is not installed: its folder holds `pyproject.toml`.

    An installed package is in a folder that must not be written to: `results/` of the
    working directory.
    """
    in_checkout = (package_dir / "pyproject.toml").is_file()
    return str(package_dir / "results") if in_checkout else "results"


OUTPUT_DIR = default_output_dir(PACKAGE_DIR)


def is_file(value: str) -> bool:
    """Whether a value of `dataset` or `model` names a file."""
    return value.lower().endswith(FILES)


def are_files(*values: object) -> bool:
    """Whether all values name files, which are compared by their contents, not by their paths."""
    return all(isinstance(value, str) and is_file(value) for value in values)


def short_name(value: str) -> str:
    """The name of a data set or model in tables: of a file without its folder."""
    return Path(value).name if is_file(value) else value


def called_by_content(setting: str, value: str) -> str:
    """The plain name of a file, and the first digits of its content's digest.

    Raises:
        UsageError: if it cannot be read; the message names the setting.
    """
    path = Path(value).expanduser()
    try:
        about = path.stat()
        digest = _digest_of(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise UsageError(
            f"`{setting}`: {value} cannot be read ({error.strerror or error}); name a file that is "
            "there."
        ) from error
    stem = re.sub(r"[^\w.=+-]|\.\.|^[.-]", "_", path.stem)[:60]
    return f"{stem}-{digest[:8]}"


@functools.cache
def _digest_of(path: Path, _mtime: int, _size: int) -> str:
    """The digest of a file, which is read once as long as it seems to be the same."""
    return fingerprint(path)
