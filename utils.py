"""Artifact paths, atomic writes, and what is said on the screen."""

import contextlib
import os
import sys
import tempfile
import time
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
    def training_state(self):
        """What an unfinished training goes on from; gone when it has finished."""
        return self.root / "checkpoints" / "training_state.npz"

    @property
    def lock(self):
        return self.root / ".lock"

    @property
    def retraining(self):
        """Where `--force_train` makes the replacement of a finished experiment."""
        return ArtifactPaths(self.root / ".retraining")

    @property
    def retrained(self):
        """The complete replacement while its files move out."""
        return ArtifactPaths(self.root / ".retrained")

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
    def metrics(self):
        return self.root / "metrics.csv"

    @property
    def method_comparison(self):
        return self.root / "method_comparison.png"

    def network(self, method, k):
        """The network that a method has trained at sparsity `k`."""
        folder = method.replace("/", "-").replace(":", "of")
        return self.root / "networks" / folder / f"weights_k={k}.hdf5"

    @property
    def replicates(self):
        """Where the experiments of several seeds are, and their summary."""
        return self.root / "replicates"

    @property
    def all_metrics(self):
        return self.replicates / "metrics.csv"

    @property
    def summary(self):
        return self.replicates / "summary.csv"

    @property
    def summary_figure(self):
        return self.replicates / "method_comparison.png"

    @property
    def pruned_curves(self):
        return self.root / "pruned_loss_accuracy.png"

    def histogram(self, granularity, k):
        return self.root / f"{_HISTOGRAM_PREFIX[granularity]}_k={k}.png"

    def animation(self, granularity):
        return self.root / f"pruned_{granularity}s.gif"

    def files(self):
        """The files of this experiment that exist, all of them made by this program."""
        single = (
            self.config,
            self.best_weights,
            self.training_state,
            self.history,
            self.loss_accuracy,
            self.results,
            self.pruned_curves,
            self.metrics,
            self.method_comparison,
            *(self.animation(granularity) for granularity in _HISTOGRAM_PREFIX),
        )
        existing = [file for file in single if file.is_file()]
        return existing + self._histograms() + self._networks()

    def remove_files(self):
        """Removes this experiment's files, and its folders if nothing else is in them."""
        for file in self.files():
            file.unlink()
        for folder in self._folders():
            with contextlib.suppress(OSError):  # it is not there, or somebody else uses it
                folder.rmdir()

    def remove_stale_pictures(self, k_vals):
        """Removes the histograms of sparsities that are not among `k_vals` any more."""
        wanted = {self.histogram(g, float(k)) for g in _HISTOGRAM_PREFIX for k in k_vals}
        for picture in set(self._histograms()) - wanted:
            picture.unlink()

    def remove_temporary_files(self):
        """Removes what `atomic_path` could not remove because it was killed."""
        for folder in self._folders():
            remove_temporary_files(folder)

    def remove_networks_except(self, wanted):
        """Removes the trained networks that are not among these paths, for nothing knows them."""
        for file in set(self._networks()) - set(wanted):
            file.unlink()

    def _folders(self):
        """The folders of this experiment's files, inner ones first."""
        networks = self.root / "networks"
        return [*networks.glob("*/"), networks, self.root / "checkpoints", self.root]

    def _networks(self):
        return list(self.root.glob("networks/*/weights_k=*.hdf5"))

    def _histograms(self):
        return [
            picture
            for prefix in _HISTOGRAM_PREFIX.values()
            for picture in self.root.glob(f"{prefix}_k=*.png")
        ]


_TEMPORARY_PREFIX = ".network-pruning-"
_HISTOGRAM_PREFIX = {"weight": "pruned_weights_l1", "unit": "pruned_units_l2"}


@contextlib.contextmanager
def atomic_path(path):
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


def remove_temporary_files(folder, older_than=0.0):
    """Removes what `atomic_path` left in `folder` when it was killed, `older_than` seconds ago."""
    for file in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished
            if time.time() - file.stat().st_mtime >= older_than:
                file.unlink()


def _temporary_file(path):
    handle, name = tempfile.mkstemp(path.suffix, _TEMPORARY_PREFIX, path.parent)
    os.close(handle)
    return Path(name)


def _reason(error):
    """What the system says, also where a library has wrapped it into an error of its own."""
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))


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


def progress(**options):
    """A progress bar on a terminal, silent elsewhere (callers then say one line each)."""
    from tqdm import tqdm

    # `disable=None` is tqdm's way to ask for a bar on terminals only.
    return tqdm(disable=None, leave=False, dynamic_ncols=True, file=sys.stdout, **options)


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
