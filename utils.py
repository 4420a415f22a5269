"""Artifact paths, atomic writes, and what is said on the screen."""

import contextlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


class RunError(Exception):
    """A failure that the user can act on; the message is one clear sentence."""


@dataclass(frozen=True)
class ArtifactPaths:
    """Where one experiment keeps its files: one method or property per artifact."""

    root: Path

    @classmethod
    def of(cls, config):
        return cls(Path(config.output_dir).expanduser() / config.experiment_id)

    @property
    def config(self):
        return self.root / "config.json"

    @property
    def best_weights(self):
        return self.root / "checkpoints" / "weights.best.hdf5"

    @property
    def history(self):
        return self.root / "history.csv"

    @property
    def loss_accuracy(self):
        return self.root / "loss_accuracy.png"

    @property
    def results(self):
        return self.root / "results.csv"

    @property
    def pruned_curves(self):
        return self.root / "pruned_loss_accuracy.png"

    def histogram(self, granularity, k):
        return self.root / f"{_HISTOGRAM_PREFIX[granularity]}_k={k}.png"

    def histograms(self, granularity):
        """The histogram pictures that exist, whatever their `k`."""
        return list(self.root.glob(f"{_HISTOGRAM_PREFIX[granularity]}_k=*.png"))

    def animation(self, granularity):
        return self.root / f"pruned_{granularity}s.gif"


_HISTOGRAM_PREFIX = {"weight": "pruned_weights_l1", "unit": "pruned_units_l2"}


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside `path` that replaces it when the block ends without an error.

    Readers see the old file or the whole new one, never a part; two writers do not mix. The
    temporary name keeps the suffix, because writers choose the format by it.

    Args:
        path: the file to appear. Its folder is made if need be.

    Raises:
        OSError: if the folder cannot be written to; nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush_to_disk(temporary)
        # mkstemp makes files that only the owner can read; results are for everybody.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Writes `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_bytes(path, content):
    """Writes `content` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _flush_to_disk(path):
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def say(text=""):
    """Prints a line for the person who watches, above a progress bar if there is one."""
    from tqdm import tqdm  # here, so that `--help` does not pay for it

    tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def progress(iterable=None, **options):
    """A progress bar on a terminal, silent elsewhere (callers then say one line each)."""
    from tqdm import tqdm

    # `disable=None` is tqdm's way to ask for a bar on terminals only.
    return tqdm(iterable, disable=None, leave=False, dynamic_ncols=True, file=sys.stdout, **options)


@contextlib.contextmanager
def quiet_stderr():
    """Holds back what native libraries print while they start; shows it if they fail.

    TensorFlow logs a dozen lines from C++ before its own log level holds, so that only the file
    descriptor can be silenced.
    """
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
