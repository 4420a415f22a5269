"""Atomic writes, and what is said on the screen."""

import contextlib
import os
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any


class UsageError(ValueError):
    """A setting that cannot be used; the message is one sentence that says what to do."""


class RunError(Exception):
    """A failure that the user can act on; the message is one clear sentence."""


_TEMPORARY_PREFIX = ".network-pruning-"
_CHECKS = []


@contextlib.contextmanager
def writes_checked(check: Callable[[], None]) -> Iterator[None]:
    """Calls `check` before `atomic_path` replaces a file within the block; it raises if that must
    not be."""
    _CHECKS.append(check)
    try:
        yield
    finally:
        _CHECKS.remove(check)


def check_writes() -> None:
    """Raises where this process must not write any more: it has lost the lock of a folder."""
    for check in _CHECKS:
        check()


@contextlib.contextmanager
def atomic_path(path: str | PathLike) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block ends without an error.

    Readers see the old file or the whole new one, never a part; two writers do not mix. The
    temporary name keeps the suffix, because writers choose the format by it.

    Args:
        path: the file to appear. Its folder is made if need be.

    Raises:
        RunError: if it cannot be written, because the disk is full, say; nothing is left behind.
    """
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_file(path)
        yield temporary
        _flush_to_disk(temporary)
        check_writes()
        # mkstemp makes files that only the owner can read; results are for everybody.
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
    """Removes what `atomic_path` left in `folder` when it was killed, `older_than` seconds ago."""
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
    """What the system says, also where a library has wrapped it into an error of its own."""
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))


# A sparsity this much below the one asked for is no rounding to whole items.
CLEARLY_LESS = 0.005


def percent(fraction: float) -> str:
    """0.9 as "90 %" and 0.995 as "99.5 %"."""
    return f"{100 * fraction:.6g} %"


def write_text(path: str | PathLike, text: str) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_bytes(path: str | PathLike, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def fingerprint(content: Any, length: int = 64) -> str:
    """The first hexadecimal digits of a SHA-256: equal where the content is.

    Args:
        content: bytes, a text, the `Path` of a file, or anything that JSON takes.
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
    """The whole fingerprint of a file."""
    return fingerprint(Path(path))


def _flush_to_disk(path):
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


COLUMNS = 80  # of the narrowest terminal that what is said must fit


def echo(text: str = "") -> None:
    """Prints text for the person who watches, above a progress bar if there is one.

    Lines longer than a terminal go on, indented, in the next; no word is broken.
    """
    from tqdm import tqdm  # here, so that `--help` does not pay for it

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
    """A `UserWarning` that points at the line of the user's that has led here: in the first file
    that is neither of this package nor of Keras', which calls callbacks."""
    ours = (__name__.partition(".")[0], "keras", "tensorflow")
    frame, level = sys._getframe(), 1
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in ours:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level if frame else 1)


def progress(**options: Any) -> Any:
    """A progress bar on a terminal, silent elsewhere (callers then say one line each)."""
    # `disable=None` is tqdm's way to ask for a bar on terminals only.
    return _bar()(disable=None, leave=False, dynamic_ncols=True, file=sys.stdout, **options)


@cache
def _bar():
    """tqdm's bar, with a description that leaves room for the numbers behind it."""
    from tqdm import tqdm

    class Bar(tqdm):
        @property
        def format_dict(self):
            meter = super().format_dict
            room = (meter["ncols"] or COLUMNS) - _METER_COLUMNS
            return {**meter, "prefix": shortened(self.desc.removesuffix(": "), room)}

    return Bar


# What a meter needs beside it: ": 100%|#####| 4688/4688 [00:59<00:00, 79.46network/s]".
_METER_COLUMNS = 55


def one_line(text: object, length: int) -> str:
    """A text without its line breaks, cut off behind `length` characters."""
    text = " ".join(str(text).split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def middle_cut(name: str, length: int) -> str:
    """A name in at most so many letters; both ends tell names apart."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def shortened(name: str, length: int) -> str:
    """A method's name, and a sparsity behind it, in at most `length` characters.

    What does not fit is left out from the middle: "weight/…/finetune 0.9".
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


# What NumPy's libraries and TensorFlow ask when they start.
THREAD_SETTINGS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)


def limit_threads(number: int | None) -> None:
    """At most so many threads in what computes; None for all that there are.

    Only libraries that are imported afterwards keep to it.
    """
    if number is not None:
        for setting in THREAD_SETTINGS:
            os.environ[setting] = str(number)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Holds back what native libraries print while they start; shows it if they fail.

    TensorFlow logs a dozen lines from C++ before its own log level holds, so that only the file
    descriptor can be silenced.
    """
    import tempfile

    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
