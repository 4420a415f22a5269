"""The paths of one experiment's files."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..settings.export import SUFFIXES
from ..utils import remove_temporary_files

if TYPE_CHECKING:
    from .run_key import NetworkKey


_HISTOGRAM_PREFIX = {"weight": "pruned_weights_l1", "unit": "pruned_units_l2"}


def plain_name(method: str) -> str:
    """The name of a method's folder."""
    return method.replace("/", "-").replace(":", "of")


class Place:
    """A file or folder of an experiment, by its path below the root: an attribute of paths."""

    def __init__(self, relative: str) -> None:
        self.relative = relative

    def __get__(self, paths: Any, owner: type | None = None) -> Path:
        return paths.root / self.relative


@dataclass(frozen=True)
class ArtifactPaths:
    """The paths of one experiment's files: attributes for single ones, methods for several."""

    root: Path

    config = Place("config.json")  # the record: settings and provenance
    lock = Place(".lock")
    best_weights = Place("checkpoints/weights.best.hdf5")
    training_state = Place("checkpoints/training_state.npz")  # of an unfinished training
    history = Place("history.csv")
    loss_accuracy = Place("loss_accuracy.png")
    results = Place("results.csv")
    pruned_curves = Place("pruned_loss_accuracy.png")
    metrics = Place("metrics.csv")
    method_comparison = Place("method_comparison.png")
    networks = Place("networks")  # those that a method has retrained
    page_data = Place("page_data")  # diagnostics of networks
    labels = Place("page_data/labels.npz")  # of the test examples
    tensorboard = Place("tensorboard")  # event files
    mlflow_run = Place("mlflow.json")  # by which its runs of MLflow are found again
    report = Place("report.html")
    exports = Place("exports")  # the files of an export
    export_record = Place("exports/export.json")
    size_accuracy = Place("exports/size_accuracy.png")
    pareto = Place("exports/pareto.png")
    model_card = Place("exports/README.md")
    replicates = Place("replicates")  # the experiments of several seeds, and their summary
    all_metrics = Place("replicates/metrics.csv")
    summary = Place("replicates/summary.csv")
    summary_figure = Place("replicates/method_comparison.png")
    forced_seeds = Place("replicates/.forced_seeds.json")  # trained again by `force_train` so far

    @classmethod
    def of(cls, config: Any) -> "ArtifactPaths":
        return cls(Path(config.output_dir).expanduser() / config.experiment_id)

    def or_seed(self) -> "ArtifactPaths":
        """These paths or, if there is no such folder but the name is that of a seed, its paths
        within the experiment of several seeds."""
        within = self.root.parent / self.root.name.rpartition("-seed=")[0] / "replicates"
        is_seed = not self.root.is_dir() and (within / self.root.name).is_dir()
        return ArtifactPaths(within / self.root.name) if is_seed else self

    @property
    def retraining(self) -> "ArtifactPaths":
        """The folder where `force_train` makes the replacement of a finished experiment."""
        return ArtifactPaths(self.root / ".retraining")

    @property
    def retrained(self) -> "ArtifactPaths":
        """The complete replacement while its files are moved out."""
        return ArtifactPaths(self.root / ".retrained")

    def network(self, key: "NetworkKey") -> Path:
        """The trained network of this `NetworkKey`."""
        return self.network_of(key.method.name, key.k, key.digest)

    def network_of(self, method: str, k: float, digest: str) -> Path:
        """The trained network of a row of `metrics.csv`."""
        return self.networks / plain_name(method) / f"weights_k={k}-{digest}.hdf5"

    def diagnostics(self, digest: str) -> Path:
        """The diagnostics of the network with this key's digest."""
        return self.page_data / f"{digest}.npz"

    def seeds(self) -> dict[int, "ArtifactPaths"]:
        """The `ArtifactPaths` of the existing experiments of several seeds, by seed."""
        start, found = f"{self.root.name}-seed=", {}
        for place in self.replicates.glob("*/"):
            seed = place.name.removeprefix(start)
            if place.name.startswith(start) and seed.isdecimal():
                found[int(seed)] = ArtifactPaths(place)
        return dict(sorted(found.items()))

    def histogram(self, granularity: str, k: float) -> Path:
        return self.root / f"{_HISTOGRAM_PREFIX[granularity]}_k={k}.png"

    def animation(self, granularity: str) -> Path:
        return self.root / f"pruned_{granularity}s.gif"

    def export(self, format_name: str) -> Path:
        """The exported model in a format, as `--formats` names it."""
        return self.export_files(format_name)[0]

    def export_files(self, format_name: str) -> list[Path]:
        """All files of that."""
        return [self.exports / f"model.{suffix}" for suffix in SUFFIXES[format_name]]

    def remove_exports(self) -> None:
        """Removes exported files, and their folder if it is empty then."""
        models = [file for name in SUFFIXES for file in self.export_files(name)]
        others = self.export_record, self.size_accuracy, self.pareto, self.model_card
        for file in (*models, *others):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.exports.rmdir()

    def files(self) -> list[Path]:
        """The existing files of this experiment that this program made."""
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
            self.report,
            *(self.animation(granularity) for granularity in _HISTOGRAM_PREFIX),
        )
        existing = [file for file in single if file.is_file()]
        return existing + self._histograms() + self._networks() + self._diagnostics()

    def remove_files(self) -> None:
        """Removes this experiment's files, and its folders if they are empty then."""
        for file in self.files():
            file.unlink()
        for folder in self._folders():
            with contextlib.suppress(OSError):  # it does not exist, or has other files
                folder.rmdir()

    def remove_stale_pictures(self, k_vals: Iterable[float], epochs: int) -> None:
        """Removes histograms of sparsities that are not among `k_vals`, and the training curves if
        there was no training."""
        if not epochs:
            self.loss_accuracy.unlink(missing_ok=True)
        wanted = {self.histogram(g, float(k)) for g in _HISTOGRAM_PREFIX for k in k_vals}
        for picture in set(self._histograms()) - wanted:
            picture.unlink()

    def remove_temporary_files(self) -> None:
        """Removes temporary files of runs that were killed."""
        for folder in self._folders():
            remove_temporary_files(folder)

    def remove_networks_except(self, wanted: Iterable[Path]) -> None:
        """Removes the trained networks that are not among these paths."""
        for file in set(self._networks()) - set(wanted):
            file.unlink()

    def _folders(self):
        """The folders of this experiment's files, nested ones first."""
        return [
            *self.networks.glob("*/"),
            self.networks,
            self.root / "checkpoints",
            self.exports,
            self.page_data,
            self.root,
        ]

    def _networks(self):
        return list(self.networks.glob("*/weights_k=*.hdf5"))

    def remove_diagnostics_except(self, digests: Iterable[str]) -> None:
        """Removes the diagnostics of networks whose key's digest is not among these."""
        for file in set(self._diagnostics()) - {self.labels, *map(self.diagnostics, digests)}:
            file.unlink()

    def _diagnostics(self):
        return list(self.page_data.glob("*.npz"))

    def _histograms(self):
        return [
            picture
            for prefix in _HISTOGRAM_PREFIX.values()
            for picture in self.root.glob(f"{prefix}_k=*.png")
        ]
