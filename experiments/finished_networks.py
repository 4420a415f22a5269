"""The networks of a finished experiment, for export."""

from collections.abc import Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..data import registry
from ..models.architectures import is_dense
from ..pruning.methods import named, parse
from ..settings.experiment import experiment_config
from ..utils import RunError, UsageError, echo, file_sha256, percent
from ..visualization import controls, csv
from ..visualization.export_text import DENSE
from ..visualization.tables import BASELINE, are_calibrated, baseline_of
from . import folder
from .export_networks import Network, Reference, Source, check_validation, random_shift
from .network_factory import check_images, networks_of

if TYPE_CHECKING:
    from ..settings.export import ExportConfig
    from .paths import ArtifactPaths


class FinishedExperiment:
    """A finished experiment whose networks can be exported."""

    def __init__(self, config: "ExportConfig", paths: "ArtifactPaths") -> None:
        self.config, self.paths, self._ranked = config, paths, {}
        self.record = _finished_record(paths)
        self.settings = experiment_config(
            {**self.record["settings"], "output_dir": config.output_dir}
        )

    def source(self) -> Source:
        """Its `Source`."""
        settings, config = self.settings, self.config
        dataset = registry.load(
            settings.dataset, config.data_dir or settings.data_dir, settings.num_valid
        )
        changed = folder.changes(settings, dataset, self.record)
        if changed:
            raise RunError(
                f"{self.paths.root} was trained with other data or code than there are now: "
                f"{', '.join(changed)}."
            )
        check_validation(dataset)
        self.networks = networks_of(settings, dataset)
        folder.check_checkpoint(self.paths, self.record)
        self._table = self._read_table()
        rows = known_rows(self._table.to_dict("records"), config.method)
        chosen = [
            row
            for row in rows
            if config.method in (None, row["method"])
            and config.k in (None, row["k"])
            and self._is_there(row)
        ]
        if not chosen:
            raise UsageError(self._nothing_there(rows))
        if config.reference == "control":
            chosen = self._with_control(chosen)
        elif config.k is None:
            chosen = [row for row in chosen if not _is_control(row)]
        shift = settings.shift if config.shift is None else config.shift
        dense = baseline_of(self._table)
        taken = self.networks.dataset
        if shift:
            check_images(settings, dataset, taken)
        return Source(
            name=config.experiment_id,  # type: ignore[arg-type]
            dataset=taken,
            dense=self._network(dense),
            networks=[self._network(row) for row in chosen],
            batch_size=settings.batch_size,
            learning_rate=config.finetune_learning_rate or settings.learning_rate,
            augmentation=random_shift(taken, max(dataset.shape, taken.shape, key=len), shift),
            compiled=is_dense(settings.model),
            depends={
                "checkpoint_sha256": self.record["checkpoint_sha256"],
                "dataset_sha256": dataset.digest,
                "metrics_sha256": file_sha256(self.paths.metrics),
            },
        )

    def _read_table(self):
        """The rows of `metrics.csv` on the kept checkpoint's networks, including the dense one,
        with `trained`, whether a network was trained further, and `stored`, whether it has a file
        of its own."""
        metrics = csv.read_metrics(self.paths.metrics)
        checkpoint, seed = self.record["checkpoint_sha256"], self.settings.seed
        if metrics is not None:
            metrics = metrics[(metrics["checkpoint"] == checkpoint) & (metrics["seed"] == seed)]
        if metrics is None or not (metrics["k"] == 0).any():
            raise RunError(
                f"{self.paths.metrics} has no network of this experiment; run the experiment to "
                "its end, then export."
            )
        trained = controls.is_trained(metrics)
        return metrics.assign(trained=trained, stored=trained | are_calibrated(metrics))

    def _is_there(self, row):
        """Whether a network is available: its file may have been removed."""
        return not row["stored"] or self._path(row).exists()

    def _with_control(self, rows):
        """The rows of networks that were trained further and whose control is known, including the
        controls. Others would be compared with the baseline, which is easier to match.

        Raises:
            UsageError: if there is none.
        """
        trained = [row for row in rows if row["trained"]]
        found = [row for row in trained if self._control(row) is not None]
        if found:
            return found
        if trained:
            raise UsageError(
                f"--reference=control: {self.paths.metrics} has no control of these networks; run "
                "the experiment again, which trains it, or leave --reference out."
            )
        raise UsageError(
            "--reference=control: none of these networks was trained further, so there is no "
            "control; leave --reference out."
        )

    def _control(self, row):
        """The `Reference` of a network with the same further training; None if it is not known."""
        alike = controls.trained_alike(self._table, row)
        control = controls.control_of(alike, row["method"])
        if control is None:
            return None
        accuracies = control["valid_accuracy"], control["test_accuracy"]
        return Reference(_name(control), *map(float, accuracies))

    def _path(self, row):
        return self.paths.network_of(row["method"], row["k"], row["recipe"])

    def _nothing_there(self, rows):
        named = dict.fromkeys(row["method"] for row in rows if row["method"] != BASELINE)
        methods = ", ".join(named)
        k_vals = ", ".join(f"{k:g}" for k in sorted({row["k"] for row in rows}))
        return (
            f"{self.paths.root.name} has no network of --method={self.config.method or 'any'} and "
            f"--k={'any' if self.config.k is None else self.config.k}; there are the methods "
            f"{methods} and the sparsities {k_vals}."
        )

    def _network(self, row):
        return Network(
            name=_name(row),
            living=int(row["living"]),
            valid_accuracy=float(row["valid_accuracy"]),
            trained=row["k"] == 0 or row["trained"],
            model=partial(self._model, row),
            control=self._control(row),
        )

    def _model(self, row):
        model = self.networks.new_model()
        self._weights(row).put_into(model)
        return model

    def _weights(self, row):
        if row["stored"]:
            path = self._path(row)
            try:
                return self.networks.read(path)
            except RunError as error:
                raise RunError(
                    f"{path} is damaged; remove it and run the experiment again to make a new one."
                ) from error
        if row["k"] == 0:
            return self._dense
        method = parse(row["method"])
        return self.networks.pruned(method, self._dense, self._rankings(method), row["k"])

    @cached_property
    def _dense(self):
        return self.networks.read(self.paths.best_weights)

    def _rankings(self, method):
        if method not in self._ranked:
            self._ranked[method] = self.networks.rank(method, self._dense)
        return self._ranked[method]


def _is_control(row):
    """Whether a row is of a control, which is exported only if it is chosen or the reference."""
    return row["k"] == 0 and row["trained"]


def _name(row):
    """The name of a row's network in messages."""
    if row["k"] > 0:
        return f"{row['method']} at {percent(row['k'])}"
    return f"control of {row['method']}" if _is_control(row) else DENSE


def known_rows(rows: Iterable[dict[str, Any]], requested: str | None) -> list[dict[str, Any]]:
    """The rows of methods that are known; others need plugins that are not loaded.

    Args:
        rows: of `metrics.csv`, as dictionaries.
        requested: the method to export; None for any.

    Raises:
        UsageError: if that method is not known.
    """
    unknown = [m for m in dict.fromkeys(row["method"] for row in rows) if not _is_known(m)]
    if requested in unknown:
        raise UsageError(f"--method: {requested} is of a plugin; name its module with --plugins.")
    if unknown:
        echo(f"Left out, because they need --plugins: {', '.join(unknown)}.")
    return [row for row in rows if row["method"] not in unknown]


def _is_known(method):
    try:
        named(method)
    except UsageError:
        return False
    return True


def check_exists(paths: "ArtifactPaths") -> None:
    """
    Raises:
        UsageError: if there is no experiment in a folder, or there are several seeds.
    """
    if paths.config.exists():
        return
    seeds = sorted(place.name for place in paths.replicates.glob("*/") if place.is_dir())
    if seeds:
        raise UsageError(
            f"{paths.root} has several seeds; choose one, such as --experiment_id={seeds[0]}."
        )
    raise UsageError(
        f"--experiment_id: there is no experiment {paths.root}; train one first, or name its "
        f"folder with --output_dir (now {paths.root.parent})."
    )


def _finished_record(paths):
    check_exists(paths)
    record = folder.read_record(paths)
    if record is not None and folder.is_finished(record):
        return record
    raise RunError(
        f"{paths.root} has not been trained to its end; run the experiment again, then export."
    )
