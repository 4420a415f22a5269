"""Errors, atomic writes, digests, output on the screen."""

import contextlib
import os
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any


class UsageError(ValueError):
    """An invalid setting or argument; the message is one sentence that says what to do."""


class RunError(Exception):
    """A failure that the user can act on; the message is one clear sentence."""


_TEMPORARY_PREFIX = ".network-pruning-"
_CHECKS = []


@contextlib.contextmanager
def writes_checked(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, `atomic_path` calls `check` before it replaces a file; `check` raises if
    that is not allowed."""
    _CHECKS.append(check)
    try:
        yield
    finally:
        _CHECKS.remove(check)


def check_writes() -> None:
    """Raises if this process must not write because it has lost the lock of a folder."""
    for check in _CHECKS:
        check()


@contextlib.contextmanager
def atomic_path(path: str | PathLike) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends without an error.

    Readers see the old file or the complete new one; two writers do not mix. The temporary name has
    the same suffix, because writers infer the format from it.

    Args:
        path: of the file. Its folder is made if necessary.

    Raises:
        RunError: if it cannot be written, for example because the disk is full; no temporary file
            remains.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_file(path)
        yield temporary
        _flush_to_disk(temporary)
        check_writes()
        # mkstemp makes files that only the owner can read; results get default permissions.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({_reason(error)}). Make room or choose another folder, "
            "then run the same command again."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_temporary_files(folder: str | PathLike, older_than: float = 0.0) -> None:
    """Removes temporary files of killed runs in `folder` that are at least `older_than` seconds
    old."""
    for file in Path(folder).glob(f"{_TEMPORARY_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished
            if time.time() - file.stat().st_mtime >= older_than:
                file.unlink()


def _temporary_file(path):
    import tempfile  # here, so that `--help` does not pay for it

    handle, name = tempfile.mkstemp(path.suffix, _TEMPORARY_PREFIX, path.parent)
    os.close(handle)
    return Path(name)


def _reason(error):
    """The system's reason, also if a library has wrapped the error."""
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))


# A sparsity this much below the target is more than rounding to whole items.
CLEARLY_LESS = 0.005


def percent(fraction: float) -> str:
    """0.9 as "90 %" and 0.995 as "99.5 %"."""
    return f"{100 * fraction:.6g} %"


def write_text(path: str | PathLike, text: str) -> None:
    """Writes `text` to `path`, completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_bytes(path: str | PathLike, content: bytes) -> None:
    """Writes `content` to `path`, completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def fingerprint(content: Any, length: int = 64) -> str:
    """The first hexadecimal digits of the SHA-256 of some content.

    Args:
        content: bytes, a text, the `Path` of a file, or JSON-ready values.
        length: how many digits.

    Raises:
        OSError: if the file cannot be read.
    """
    import hashlib  # these here, so that `--help` does not pay for them
    import json

    if isinstance(content, Path):
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:length]
    if not isinstance(content, (bytes, str)):
        content = json.dumps(content, sort_keys=True)
    if isinstance(content, str):
        content = content.encode()
    return hashlib.sha256(content).hexdigest()[:length]


def file_sha256(path: str | PathLike) -> str:
    """The SHA-256 of a file."""
    return fingerprint(Path(path))


def _flush_to_disk(path):
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


COLUMNS = 80  # of the narrowest terminal that output must fit


def echo(text: str = "") -> None:
    """Prints text for the user, above a progress bar if there is one.

    Long lines are wrapped between words and indented.
    """
    from tqdm import tqdm  # here, so that `--help` does not import it

    tqdm.write("\n".join(map(_wrapped, text.split("\n"))), file=sys.stdout)
    sys.stdout.flush()


def _wrapped(line):
    if len(line) <= COLUMNS:
        return line
    return textwrap.fill(
        line, COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def pluralize(number: float, what: str) -> str:
    """ "1 epoch" or "2,000 examples"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def warn_user(message: str) -> None:
    """A `UserWarning` at the user's own line of code: in the first file up the stack that is
    neither of this package nor of Keras, which calls callbacks."""
    skipped = (__name__.partition(".")[0], "keras", "tensorflow")
    frame, level = sys._getframe(), 1
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in skipped:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level if frame else 1)


def one_line(text: object, length: int) -> str:
    """A text without line breaks, cut off after `length` characters."""
    text = " ".join(str(text).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def middle_cut(name: str, length: int) -> str:
    """A name of at most `length` characters, cut in the middle: its ends are most distinctive."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def shortened(name: str, length: int) -> str:
    """A method's name, with a sparsity after it, in at most `length` characters.

    Parts in the middle are left out if necessary: "weight/…/finetune 0.9".
    """
    method, *sparsity = name.split(" ")
    first, *others = method.split("/")
    shorter = [(first, *others[:n], "…", others[-1]) for n in reversed(range(len(others) - 1))]
    candidates = [
        name,
        *(" ".join(("/".join(parts), *sparsity)) for parts in (*shorter, (first, "…"))),
        f"{first}/…",
    ]
    fitting = (text for text in candidates if len(text) <= length)
    return next(fitting, f"{name[: max(length - 1, 0)]}…")


# Environment variables that NumPy's libraries and TensorFlow read when they start.
THREAD_SETTINGS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)


def limit_threads(number: int | None) -> None:
    """Limits the number of threads; None for no limit.

    It has an effect on libraries that are imported afterwards only.
    """
    if number is not None:
        for setting in THREAD_SETTINGS:
            os.environ[setting] = str(number)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hides standard error of native libraries within the block; shows it if the block fails.

    TensorFlow logs a dozen lines from C++ before its own log level applies, so only the file
    descriptor can be silenced.
    """
    import tempfile

    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            hidden.seek(0)
            os.write(2, hidden.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class ProgressLine:
    """A line on the terminal that tells which of so many steps, such as layers, is being done.

    Args:
        total: how many there are.
        verbose: 0 to show nothing.
    """

    def __init__(self, total: int, verbose: int) -> None:
        self.total, self.verbose, self.number = total, verbose, 0

    def show(self, name: str) -> None:
        """The next step begins."""
        self.number += 1
        self._write(f"{self.number}/{self.total} {name}")

    def close(self) -> None:
        """All steps are done."""
        self._write("")

    def _write(self, text):
        if self.verbose and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
