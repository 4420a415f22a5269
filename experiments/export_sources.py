"""Which networks an export chooses from: those of an experiment, or a model of the user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ..data import registry
from ..data.augmentation import RandomShift
from ..data.data_loaders.loader_utils import Dataset
from ..models.architectures import image_shape, is_dense
from ..pruning.methods import named, parse
from ..settings.experiment import (
    DEFAULT_NUM_VALID,
    called_by_content,
    experiment_config,
    is_file,
)
from ..utils import RunError, UsageError, echo, file_sha256, percent
from ..visualization import controls, csv
from ..visualization.export_text import DENSE
from ..visualization.tables import BASELINE, baseline_of
from . import folder
from .network_factory import check_images, networks_of
from .paths import ArtifactPaths


@dataclass(frozen=True)
class Reference:
    """A dense network that others are compared with.

    Attributes:
        name: what messages call it.
        valid_accuracy, test_accuracy: on the examples of these splits.
    """

    name: str
    valid_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Network:
    """A network that may be exported.

    Attributes:
        name: what messages and tables call it.
        living: how many of its numbers are not zero and have an influence.
        valid_accuracy: on the validation examples.
        trained: whether it was trained since it was pruned, or is as it was trained.
        model: a function that returns it as a compiled Keras model.
        control: the `Reference` with the same further training; None if it is not known.
    """

    name: str
    living: int
    valid_accuracy: float
    trained: bool
    model: Callable[[], Any]
    control: Reference | None = None


@dataclass(frozen=True)
class Source:
    """What an export needs to know.

    Attributes:
        name: of the experiment, or of the model.
        dataset: the `Dataset`, in the shape that the models take.
        dense: the `Network` that is the baseline: the dense network or model as it is.
        networks: the `Network`s to choose from.
        batch_size, learning_rate: of training.
        moving: the `RandomShift` of the training pixels; None to leave them where they are.
        compiled: whether XLA is to compile a training step.
        depends: what the networks and the data are, as JSON takes it: digests.
    """

    name: str
    dataset: Dataset
    dense: Network
    networks: list[Network]
    batch_size: int
    learning_rate: float
    moving: RandomShift | None
    compiled: bool
    depends: dict


def source_of(config, paths):
    """The `Source` of an `ExportConfig`.

    Raises:
        UsageError: if nothing fits the settings.
        RunError: if the experiment is not there, not finished, or damaged.
    """
    return _of_model(config) if config.model else _Experiment(config, paths).source()


class _Experiment:
    """A finished experiment, from which something is exported."""

    def __init__(self, config, paths):
        self.config, self.paths, self._ranked = config, paths, {}
        self.record = _finished_record(paths, config)
        self.settings = experiment_config(
            {**self.record["settings"], "output_dir": config.output_dir}
        )

    def source(self):
        """Its `Source`."""
        settings, config = self.settings, self.config
        dataset = registry.load(
            settings.dataset, config.data_dir or settings.data_dir, settings.num_valid
        )
        changed = folder.changes(settings, dataset, self.record)
        if changed:
            raise RunError(
                f"{self.paths.root} was trained with something else than what is here now: "
                f"{', '.join(changed)}."
            )
        _check_validation(dataset)
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
            name=config.experiment_id,
            dataset=taken,
            dense=self._network(dense),
            networks=[self._network(row) for row in chosen],
            batch_size=settings.batch_size,
            learning_rate=config.finetune_learning_rate or settings.learning_rate,
            moving=_moving(taken, max(dataset.shape, taken.shape, key=len), shift),
            compiled=is_dense(settings.model),
            depends={
                "checkpoint_sha256": self.record["checkpoint_sha256"],
                "dataset_sha256": dataset.digest,
                "metrics_sha256": file_sha256(self.paths.metrics),
            },
        )

    def _read_table(self):
        """The rows of `metrics.csv` about networks of the kept checkpoint, the dense one too, with
        `trained`, whether a network was trained further and thus has a file of its own."""
        metrics = csv.read_metrics(self.paths.metrics)
        checkpoint, seed = self.record["checkpoint_sha256"], self.settings.seed
        if metrics is not None:
            metrics = metrics[(metrics["checkpoint"] == checkpoint) & (metrics["seed"] == seed)]
        if metrics is None or not (metrics["k"] == 0).any():
            raise RunError(
                f"{self.paths.metrics} knows no network of this experiment; run the experiment to "
                "its end, then export."
            )
        return metrics.assign(trained=controls.is_trained(metrics))

    def _is_there(self, row):
        """Whether a network can be had: one that was trained may have been removed."""
        return not row["trained"] or self._path(row).exists()

    def _with_control(self, rows):
        """The rows of networks that were trained further and whose control is known, which is among
        them: others would only have to be as good as the baseline, and would be chosen for that.

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
            "--reference=control: none of these networks was trained further, so that there is no "
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
        if row["trained"]:
            path = self._path(row)
            try:
                return self.networks.read(path)
            except RunError as error:
                raise RunError(
                    f"{path} is damaged; remove it and run the experiment again, which makes it "
                    "anew."
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
    """Whether a row is of a control, which is exported where it is asked for, or as a reference."""
    return row["k"] == 0 and row["trained"]


def _name(row):
    """What messages call the network of a row."""
    if row["k"] > 0:
        return f"{row['method']} at {percent(row['k'])}"
    return f"control of {row['method']}" if _is_control(row) else DENSE


def known_rows(rows, asked):
    """The rows of methods that are known here: others are of plugins that the last run of the
    experiment was not given.

    Args:
        rows: of `metrics.csv`, as dictionaries.
        asked: the method that is to be exported; None for any.

    Raises:
        UsageError: if it is one that is not known.
    """
    unknown = [m for m in dict.fromkeys(row["method"] for row in rows) if not _is_known(m)]
    if asked in unknown:
        raise UsageError(f"--method: {asked} is of a plugin; name its module with --plugins.")
    if unknown:
        echo(f"Left out, because they need --plugins: {', '.join(unknown)}.")
    return [row for row in rows if row["method"] not in unknown]


def _is_known(method):
    try:
        named(method)
    except UsageError:
        return False
    return True


def _finished_record(paths, config):
    record = folder.read_record(paths)
    if record is not None and folder.is_finished(record):
        return record
    seeds = sorted(place.name for place in paths.replicates.glob("*/") if place.is_dir())
    if record is None and seeds:
        raise UsageError(
            f"{paths.root} is of several seeds; choose one: --output_dir={paths.replicates} "
            f"--experiment_id={seeds[0]}."
        )
    if record is None:
        raise UsageError(
            f"--experiment_id: there is no experiment {paths.root}; train one first, or name its "
            f"folder with --output_dir (now {config.output_dir})."
        )
    raise RunError(
        f"{paths.root} is not trained to its end; run the experiment again, then export."
    )


def _of_model(config):
    """The `Source` of `--model` and `--dataset`."""
    from ..data.files import default_num_valid
    from ..models import model as models
    from ..pruning.model_measures import size_of
    from ..training.model_evaluation import ModelEvaluator

    registry.check(config.dataset)
    num_valid = config.num_valid
    if num_valid is None and is_file(config.dataset):
        num_valid = default_num_valid(config.dataset)
    elif num_valid is None:
        num_valid = DEFAULT_NUM_VALID
    dataset = registry.load(config.dataset, config.data_dir, num_valid)
    _check_validation(dataset)
    learning_rate = config.finetune_learning_rate or 0.001
    model = models.build(
        learning_rate, name=config.model, shape=dataset.shape, num_classes=dataset.num_classes
    )
    taken = dataset.shaped(models.example_shape(model, dataset.shape))
    network = Network(
        name=Path(config.model).name,
        living=size_of(model, taken.shape).living,
        valid_accuracy=ModelEvaluator(model, None)(taken.valid).accuracy,
        trained=True,
        model=lambda: models.clone(model),
    )
    if config.shift:
        check_images(config, dataset, taken)
    return Source(
        name=Path(config.model).name,
        dataset=taken,
        dense=network,
        networks=[network],
        batch_size=128,
        learning_rate=learning_rate,
        moving=_moving(taken, max(dataset.shape, taken.shape, key=len), config.shift),
        compiled=False,
        depends={
            "model_sha256": file_sha256(Path(config.model).expanduser()),
            "dataset_sha256": dataset.digest,
        },
    )


def _check_validation(dataset):
    if dataset.valid is None:
        raise UsageError(
            "An export is chosen by its accuracy on validation examples, but none are held out; "
            "give --num_valid a number above 0 when you train (or here, with --model)."
        )


def _moving(dataset, shape, shift):
    """What moves the training pixels; None for no shift."""
    return RandomShift(dataset.train.pixels, image_shape(shape), shift) if shift else None


def paths_of(config):
    """Where an export is written: in the experiment, or in a folder that is called like the model
    and the first digits of its file's digest.

    Raises:
        UsageError: if the model's file cannot be read.
    """
    if config.experiment_id:
        return ArtifactPaths.of(config)
    name = called_by_content("model", config.model)
    return ArtifactPaths(Path(config.output_dir).expanduser() / name)
