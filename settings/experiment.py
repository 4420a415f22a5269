"""One experiment as data: every setting, its flag, its validation and the experiment's name.

Only the standard library and absl are imported here, so that `--help` and flag errors are instant.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from absl import flags

from ..utils import UsageError, file_sha256

PACKAGE_DIR = Path(__file__).resolve().parent.parent
DEFAULT_K_VALS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999)
# Both data sets have 60,000 training examples, and at least one must be left to train on.
DEFAULT_NUM_VALID, MAX_NUM_VALID = 10_000, 59_999
# What names a file instead of something registered: data, and models that Keras has saved.
DATA_FILES, MODEL_FILES = (".npz",), (".keras", ".h5", ".hdf5")
FILES = (*DATA_FILES, *MODEL_FILES)
MAX_SEED = 2**32 - 1
# What every default name of an experiment tells; longer names of folders are cut.
IN_NAME = ("dataset", "epochs", "learning_rate", "l1_reg", "l2_reg", "model")
MOST_BYTES = 200


def default_output_dir(package_dir):
    """`results/` of a checkout, which is not installed: its folder holds `pyproject.toml`.

    An installed package lies among others that are not ours to write to: `results/` of the
    working directory.
    """
    in_checkout = (package_dir / "pyproject.toml").is_file()
    return str(package_dir / "results") if in_checkout else "results"


def setting(default, help_text, *, trains=False, retrains=False):
    """A config field with a flag.

    `trains` marks settings that change the dense weights, `retrains` those of training while and
    after pruning.
    """
    metadata = {"help": help_text, "trains": trains, "retrains": retrains}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ExperimentConfig:
    """Settings of one experiment, validated when made.

    Raises:
        UsageError: if a value is out of range; the message names the flag.
    """

    dataset: str = setting(
        "digits",
        "Data set to train on: digits, fashion, or an .npz file with the arrays x_train, y_train, "
        "x_test and y_test.",
        trains=True,
    )
    batch_size: int = setting(128, "Training examples per step.", trains=True)
    epochs: int = setting(
        20, "Passes over the training data; 0 prunes a saved model as it is.", trains=True
    )
    learning_rate: float = setting(0.001, "Learning rate of Adam.", trains=True)
    l1_reg: float = setting(0.0, "L1 penalty on the hidden layers' weights.", trains=True)
    l2_reg: float = setting(0.0, "L2 penalty on the hidden layers' weights.", trains=True)
    num_valid: int | None = setting(
        None,
        "Training examples held out for validation, taken from the front; with 0 the checkpoint "
        "is chosen by training loss. (default: 10000, or a sixth of a file's training examples "
        "where it has fewer than 60,000)",
        trains=True,
    )
    k_vals: tuple[float, ...] = setting(
        DEFAULT_K_VALS,
        "Sparsities to prune to: fractions in [0, 1], separated by commas. They are sorted and "
        "repeated values are dropped.",
    )
    keep_best: bool = setting(
        True,
        "Keep the checkpoint with the lowest validation loss; otherwise that of the last epoch.",
        trains=True,
    )
    force_train: bool = setting(False, "Train again even if a finished checkpoint exists.")
    experiment_id: str | None = setting(
        None,
        "Name of the experiment's folder under --output_dir. "
        "(default: <dataset>-<epochs>-lr=<lr>-l1=<l1>-l2=<l2>, and what else of training is not "
        "at its default, such as -seed=1)",
    )
    output_dir: str = setting(
        default_output_dir(PACKAGE_DIR),
        "Folder in which experiments are written: results/ of the checkout or, where the program "
        "is installed, of the folder that you stand in.",
    )
    seed: int = setting(
        0,
        "Seed of the initial weights, of the data order, and of what is random in pruning.",
        trains=True,
    )
    data_dir: str | None = setting(
        None,
        "Folder with the data files, raw or .gz, and where downloads are kept. "
        "(default: $NETWORK_PRUNING_DATA, else a per-user cache folder)",
    )
    model: str = setting(
        "mlp",
        "Network to train: mlp, lenet_300_100, lenet_5, or a model that Keras has saved, a file "
        "that ends in .keras, .h5 or .hdf5.",
        trains=True,
    )
    methods: tuple[str, ...] = setting(
        ("weight", "unit"),
        "Pruning methods, separated by commas. Each names its granularity, criterion, scope, "
        "schedule and recovery, as in weight/lamp/global/gradual/finetune; what is not named is "
        "at its default. weight and unit are always among them. help lists all values.",
    )
    preset: str | None = setting(
        None,
        "A recipe, strong or strong_units: values for the flags below and --methods, each of which "
        "you may still give.",
    )
    plugins: tuple[str, ...] = setting(
        (), "Python modules of yours, separated by commas, that register criteria and the like."
    )
    prune_epochs: int = setting(
        4,
        "Epochs of training in which the schedule gradual gets from one sparsity to the next.",
        retrains=True,
    )
    prune_fraction: float = setting(
        0.2,
        "Share of what is left that the schedule iterative removes in each round.",
        retrains=True,
    )
    finetune_epochs: int = setting(6, "Epochs of training in each recovery.", retrains=True)
    finetune_learning_rate: float | None = setting(
        None,
        "Learning rate at which the recovery finetune begins. (default: --learning_rate)",
        retrains=True,
    )
    control_rounds: int = setting(
        1,
        "Rounds of further training, each as the method's own, for the control of methods that "
        "train: the dense network that theirs are compared with.",
    )
    rewind_epoch: int = setting(
        0,
        "Epoch of the dense training to whose end weight_rewind goes back; 0 for the beginning.",
        retrains=True,
    )
    distillation: float = setting(
        0.0,
        "Share of the dense network's answers in what a network learns while it is pruned and "
        "recovers; the rest are the labels.",
        retrains=True,
    )
    shift: int = setting(
        0,
        "While a network is pruned and recovers, move each training image at random by up to this "
        "many pixels in each direction, anew in every epoch.",
        retrains=True,
    )
    tensorboard: bool = setting(
        False, "Also write TensorBoard's event files, for those who compare experiments there."
    )
    replicates: int = setting(
        1, "Run the experiment with this many seeds, from --seed on, and report mean and interval."
    )
    threads: int | None = setting(
        None,
        "Threads that compute, at most. Another number rounds otherwise, so that results differ in "
        "their last digits. (default: one for each processor core)",
    )
    ray_address: str | None = setting(
        None,
        "With --replicates: run the seeds beside each other on Ray, where it is: local for this "
        "machine, auto or ray://<host>:10001 for a cluster, see docs/cluster.md.",
    )

    def __post_init__(self):
        check_at_least(self, "batch_size", 1)
        if self.epochs == 0 and not is_file(self.model):
            raise UsageError(
                f"--epochs=0 prunes a saved model as it is, but --model={self.model} is none; give "
                f"a file that ends in {', '.join(MODEL_FILES)}, or train for 1 epoch or more."
            )
        check_at_least(self, "epochs", 0 if is_file(self.model) else 1)
        check_positive(self, "learning_rate")
        for name in ("l1_reg", "l2_reg"):
            check_at_least(self, name, 0)
        if is_file(self.dataset):
            if self.num_valid is not None:
                check_at_least(self, "num_valid", 0)
        elif self.num_valid is None:
            object.__setattr__(self, "num_valid", DEFAULT_NUM_VALID)
        else:
            check_between(self, "num_valid", 0, MAX_NUM_VALID)
        check_between(self, "seed", 0, MAX_SEED)
        for name in ("prune_epochs", "finetune_epochs", "control_rounds", "replicates"):
            check_at_least(self, name, 1)
        if self.finetune_learning_rate is not None:
            check_positive(self, "finetune_learning_rate")
        check_between(self, "prune_fraction", 0.01, 0.99)
        check_between(self, "distillation", 0, 1)
        check_between(self, "shift", 0, 27)
        check_between(self, "rewind_epoch", 0, self.epochs)
        check_between(self, "replicates", 1, MAX_SEED - self.seed + 1)
        if self.threads is not None:
            check_at_least(self, "threads", 1)
        if self.ray_address is not None and self.replicates == 1:
            raise UsageError(
                "--ray_address runs the seeds of --replicates; for other experiments beside each "
                "other there is python -m network-pruning.sweep."
            )
        object.__setattr__(self, "k_vals", _checked_k_vals(self.k_vals))
        if self.experiment_id is None:
            object.__setattr__(self, "experiment_id", default_experiment_id(self))
        check_plain_name(self.experiment_id)
        if self.experiment_id == "sweeps":
            raise UsageError(
                "--experiment_id: the folder sweeps holds sweeps; choose another name."
            )
        if not self.output_dir.strip():
            raise UsageError("--output_dir is empty; name the folder to write experiments in.")

    def to_dict(self):
        """Every setting as JSON-ready values."""
        return dataclasses.asdict(self)


def default_experiment_id(config, more=""):
    """`digits-20-lr=0.001-l1=0.0-l2=0.0` and the like, and `-<setting>=<value>` of other settings
    of training that are not at their defaults.

    Files are called by their names and the first digits of their contents' digests.

    Args:
        config: the `ExperimentConfig`; of several seeds, it does not matter where they begin.
        more: what follows.

    Raises:
        UsageError: if a file cannot be read.
    """
    return _named(_base_name(config), _changed(config), more)


def known_experiment_id(config, more=""):
    """The default name of an experiment, or another one under which it is in `output_dir`.

    Earlier versions of `train` named none of the other settings of training, and `sweep` all that
    it varied, at their defaults, too. Where an experiment with other settings has the default name,
    what differs is named as well.

    Args:
        config, more: as for `default_experiment_id`.
    """
    base, values, changed = _base_name(config), _values_in_name(config), _changed(config)
    sets = [s for n in range(len(values) + 1) for s in itertools.combinations(values.items(), n)]
    for told in sorted(map(dict, sets), key=lambda told: told != changed):
        stored = _stored_settings(config, _named(base, told, more))
        # Of a damaged record nobody knows; the run says so of the one it would go on with.
        if _is_same(config, stored) if stored else told == changed and stored is not None:
            return _named(base, told, more)
    default = _named(base, changed, more)
    stored = _stored_settings(config, default) or values
    differing = {n: v for n, v in values.items() if n in changed or stored.get(n, v) != v}
    return _named(base, differing, more)


def _is_same(config, stored):
    return not differences(config, stored) and config.seed == stored.get("seed", config.seed)


def _base_name(config):
    name = (
        f"{_called(config, 'dataset')}-{config.epochs}-lr={config.learning_rate}"
        f"-l1={config.l1_reg}-l2={config.l2_reg}"
    )
    return name if config.model == "mlp" else f"{name}-{_called(config, 'model')}"


def settings_in_name(config):
    """The settings of training that the default name tells where they are not at their defaults.

    Several seeds are one experiment, wherever they begin.
    """
    left_out = (*IN_NAME, *(("seed",) if config.replicates > 1 else ()))
    return [name for name in training_settings() if name not in left_out]


def _values_in_name(config):
    return {name: getattr(config, name) for name in settings_in_name(config)}


def _changed(config):
    """The same values, of those that are not at their defaults."""
    defaults = {f.name: f.default for f in _fields()}
    if not is_file(config.dataset):
        defaults["num_valid"] = DEFAULT_NUM_VALID
    values = _values_in_name(config).items()
    return {name: value for name, value in values if value != defaults[name]}


def _named(base, values, more):
    return cut_name(base, "".join(f"-{name}={value}" for name, value in values.items()) + more)


def cut_name(base, extra):
    """A name and what follows, with a digest of that instead where it would be too long."""
    name = f"{base}{extra}"
    if len(name.encode()) <= MOST_BYTES:
        return name
    return f"{base}-{hashlib.sha256(extra.encode()).hexdigest()[:12]}"


def _stored_settings(config, name):
    """The settings of an experiment that is there, as its record has them; empty if it is damaged,
    None if there is none. Of several seeds those of the first."""
    place = Path(config.output_dir).expanduser() / name
    if config.replicates > 1:
        place = min((place / "replicates").glob("*-seed=*/"), default=place / "replicates")
    try:
        stored = json.loads((place / "config.json").read_text(encoding="utf-8"))["settings"]
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        return {}
    several = {"seed": config.seed} if config.replicates > 1 else {}
    # How many examples of a file are held out is not known before it is read.
    unknown = {"num_valid": None} if config.num_valid is None else {}
    return {**stored, **several, **unknown} if isinstance(stored, dict) else {}


def is_file(value):
    """Whether a value of `--dataset` or `--model` names a file."""
    return value.lower().endswith(FILES)


def short_name(value):
    """What tables call a data set or model: a file goes without its folder."""
    return Path(value).name if is_file(value) else value


def _called(config, setting):
    value = getattr(config, setting)
    return called_by_content(setting, value) if is_file(value) else value


def called_by_content(setting, value):
    """The name of a file, made plain, and the first digits of its content's digest.

    Raises:
        UsageError: if it cannot be read; the message names the flag `setting`.
    """
    path = Path(value).expanduser()
    try:
        about = path.stat()
        digest = _digest_of(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise UsageError(
            f"--{setting}: {value} cannot be read ({error.strerror or error}); name a file that is "
            "there."
        ) from error
    stem = re.sub(r"[^\w.=+-]|\.\.|^[.-]", "_", path.stem)[:60]
    return f"{stem}-{digest[:8]}"


@functools.cache
def _digest_of(path, _mtime, _size):
    """The digest of a file, which is read once as long as it seems to be the same."""
    return file_sha256(path)


def differences(config, stored):
    """What trains differently in `config` than in the settings of a stored experiment.

    Args:
        config: an `ExperimentConfig`.
        stored: a dictionary as `to_dict` made it; a setting it does not know had its default.

    Returns:
        One text for each difference, such as "--seed=1 instead of 0".
    """
    found = []
    # A model that is taken as it is comes from no seed; the pruned networks know theirs.
    irrelevant = ("seed",) if config.epochs == stored.get("epochs") == 0 else ()
    for f in _fields():
        value, old = getattr(config, f.name), stored.get(f.name, f.default)
        if f.name in irrelevant:
            continue
        if f.metadata["trains"] and value != old and not _are_files(value, old):
            found.append(f"--{f.name}={value} instead of {old}")
    return found


def _are_files(*values):
    """Whether all name files: these are compared by their contents, wherever they are."""
    return all(isinstance(value, str) and is_file(value) for value in values)


def experiment_settings():
    """The names of the settings that networks may depend on: those of training and retraining."""
    return [f.name for f in _fields() if f.metadata["trains"] or f.metadata["retrains"]]


def training_settings():
    """The names of the settings that the dense network depends on."""
    return [f.name for f in _fields() if f.metadata["trains"]]


def retraining_settings():
    """The names of the settings that say how a network is trained while and after pruning."""
    return [f.name for f in _fields() if f.metadata["retrains"]]


def define_flags(module_name, flag_values=flags.FLAGS, kind=ExperimentConfig):
    """Defines one absl flag per setting and `--version`, listed by `--help` under `module_name`.

    Args:
        module_name: where the flags are listed.
        flag_values: where they are defined.
        kind: whose settings they are: `ExperimentConfig` or another.
    """
    where = {"flag_values": flag_values, "module_name": module_name}
    for f in flagged(kind):
        define = DEFINERS[f.type]
        define(f.name, f.default, f.metadata["help"], **where)
    flags.DEFINE_bool("version", False, "Print the version and stop.", **where)


def config_from_flags(flag_values):
    """An `ExperimentConfig` from parsed absl flags.

    Raises:
        UsageError: if a value is out of range or `--k_vals` holds something else than numbers.
    """
    values = {f.name: getattr(flag_values, f.name) for f in _fields()}
    return config_of(values, {name for name in values if flag_values[name].present})


def config_of(values, given):
    """An `ExperimentConfig` of the values of flags.

    Args:
        values: by name; lists as lists of texts.
        given: the names of those that somebody gave: they go before a preset's.

    Raises:
        UsageError: as `config_from_flags`.
    """
    chosen = {name: value for name, value in preset(values["preset"]).items() if name not in given}
    values = {**values, **chosen}
    values["k_vals"] = tuple(map(_number, values["k_vals"]))
    for name in ("methods", "plugins"):
        values[name] = tuple(values[name])
    return ExperimentConfig(**values)


def experiment_config(stored):
    """The `ExperimentConfig` of a stored experiment.

    Args:
        stored: a dictionary as `to_dict` made it, of this version or an earlier one.
    """
    known = {f.name for f in _fields()}
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in known
    }
    return ExperimentConfig(**values)


EXPORT_FORMATS = ("keras", "npk", "litert")
# What an exported network is compared with.
REFERENCES = ("baseline", "control")
BITS = range(2, 7)


@dataclass(frozen=True)
class ExportConfig:
    """Settings of one export, validated when made.

    Raises:
        UsageError: if a value is out of range, or it is not clear what to export; the message names
            the flag.
    """

    experiment_id: str | None = setting(None, "Name of the finished experiment to export from.")
    output_dir: str = setting(
        default_output_dir(PACKAGE_DIR), "Folder in which experiments are, and exports are written."
    )
    method: str | None = setting(
        None, "Choose among the networks of this method, as metrics.csv names it. (default: of all)"
    )
    k: float | None = setting(None, "Choose among the networks of this sparsity. (default: of all)")
    model: str | None = setting(
        None, "Export a model that Keras has saved, which no experiment made; with --dataset."
    )
    dataset: str | None = setting(
        None, "With --model: digits, fashion, or an .npz file, see docs/own.md."
    )
    max_accuracy_drop: float = setting(
        0.0,
        "Share of the validation examples, in [0, 1], by which the exported model may be right "
        "less often than what --reference names, or than --model.",
    )
    reference: str = setting(
        "baseline",
        "What --max_accuracy_drop is measured against: baseline, the dense network as it is, or "
        "control, the dense network with the same further training as the pruned network.",
    )
    formats: tuple[str, ...] = setting(
        EXPORT_FORMATS, "Files to write, separated by commas: keras, npk, litert."
    )
    bits: tuple[int, ...] = setting(
        tuple(BITS), "Choose among so many bits for each weight: 2 to 6, separated by commas."
    )
    finetune_epochs: int | None = setting(
        None,
        "Epochs of quantization-aware training; 0 only quantizes. (default: 15, or fewer for large "
        "models, so that it takes no more than about two minutes)",
    )
    finetune_learning_rate: float | None = setting(
        None, "Learning rate at its beginning. (default: that of the experiment, else 0.001)"
    )
    distillation: float = setting(
        0.5,
        "Share of the best network's answers in what is learned then; the rest are the labels.",
    )
    shift: int | None = setting(
        None,
        "Images are moved at random then by up to this many pixels. (default: as in the "
        "experiment, else 0)",
    )
    seed: int = setting(0, "Of what is random then.")
    num_valid: int | None = setting(
        None, "With --model: training examples held out for validation, as for an experiment."
    )
    data_dir: str | None = setting(None, "Folder with the data files, as for an experiment.")
    plugins: tuple[str, ...] = setting(
        (), "Python modules of yours that the data set or model needs, separated by commas."
    )

    def __post_init__(self):
        if (self.experiment_id is None) == (self.model is None):
            raise UsageError(
                "Give either --experiment_id, a finished experiment, or --model, a model that "
                "Keras has saved."
            )
        if self.experiment_id is not None:
            check_plain_name(self.experiment_id)
        for name, other in (
            ("dataset", "model"),
            ("num_valid", "model"),
            ("method", "experiment_id"),
            ("k", "experiment_id"),
        ):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise UsageError(f"--{name} goes with --{other}, which is not given.")
        if self.model is not None:
            if not self.model.lower().endswith(MODEL_FILES):
                raise UsageError(
                    f"--model: {self.model!r} is no file that ends in {', '.join(MODEL_FILES)}."
                )
            if self.dataset is None:
                raise UsageError("--model needs --dataset, to choose by and to report on.")
        if self.k is not None:
            check_fraction("--k", self.k)
        check_fraction("--max_accuracy_drop", self.max_accuracy_drop)
        if self.reference not in REFERENCES:
            raise UsageError(
                f"--reference: choose {' or '.join(REFERENCES)}, not {self.reference!r}."
            )
        if self.reference == "control" and self.model is not None:
            raise UsageError(
                "--reference=control goes with --experiment_id: of --model no control is known."
            )
        for name, valid in (("formats", EXPORT_FORMATS), ("bits", BITS)):
            wrong = [value for value in getattr(self, name) if value not in valid]
            if wrong or not getattr(self, name):
                came = repr(wrong[0]) if wrong else "nothing"
                raise UsageError(f"--{name}: choose of {', '.join(map(str, valid))}, not {came}.")
        if self.finetune_epochs is not None:
            check_at_least(self, "finetune_epochs", 0)
        if self.finetune_learning_rate is not None:
            check_positive(self, "finetune_learning_rate")
        check_between(self, "distillation", 0, 1)
        if self.shift is not None:
            check_between(self, "shift", 0, 27)
        check_between(self, "seed", 0, MAX_SEED)
        if self.num_valid is not None:
            check_between(self, "num_valid", 1, MAX_NUM_VALID)

    def to_dict(self):
        """Every setting as JSON-ready values."""
        return dataclasses.asdict(self)


def export_config_from_flags(flag_values):
    """An `ExportConfig` from parsed absl flags.

    Raises:
        UsageError: if a value is out of range.
    """
    values = {f.name: getattr(flag_values, f.name) for f in dataclasses.fields(ExportConfig)}
    for name in ("formats", "plugins"):
        values[name] = tuple(dict.fromkeys(values[name]))
    if not all(text.isdecimal() for text in values["bits"]):
        raise UsageError(f"--bits: {','.join(values['bits'])} are not whole numbers such as 3,4.")
    values["bits"] = tuple(sorted(set(map(int, values["bits"]))))
    return ExportConfig(**values)


@dataclass(frozen=True)
class ReportConfig:
    """Which pages to make, or what to print of experiments, validated when made.

    Raises:
        UsageError: if something is out of range.
    """

    output_dir: str = setting(
        default_output_dir(PACKAGE_DIR), "Folder in which the experiments are."
    )
    tensorboard: bool = setting(False, "Also write TensorBoard's event files.")
    list: bool = setting(False, "Print the table of experiments, and write nothing.")
    show: str | None = setting(
        None, "Print this experiment, with curves drawn in the terminal, and write nothing."
    )

    def __post_init__(self):
        if self.list + (self.show is not None) + self.tensorboard > 1:
            raise UsageError("Give one of --list, --show and --tensorboard.")
        if self.show is not None:
            check_plain_name(self.show, "--show")
        if not self.output_dir.strip():
            raise UsageError("--output_dir is empty; name the folder that holds experiments.")

    def to_dict(self):
        """Every setting as JSON-ready values."""
        return dataclasses.asdict(self)


def report_config_from_flags(flag_values):
    """A `ReportConfig` of parsed absl flags."""
    return ReportConfig(**{f.name: flag_values[f.name].value for f in flagged(ReportConfig)})


@dataclass(frozen=True)
class PredictConfig:
    """What to ask of a small file, validated when made.

    Raises:
        UsageError: if something is missing or out of range.
    """

    model: str
    images: tuple[str, ...]
    classes: tuple[str, ...] = setting(
        (), "Names of the classes, in their order, separated by commas. (default: their numbers)"
    )
    top: int = setting(3, "How many classes to show for each image.")
    margin: float = setting(
        4 / 28,
        "Share of the width that is left free on each side of what an image shows, as in MNIST; 0 "
        "for Fashion-MNIST. Images of just the model's size are not cut out.",
    )
    plugins: tuple[str, ...] = setting(
        (), "Python modules of yours that register layers in the model, separated by commas."
    )
    invert: str = setting(
        "auto",
        "Whether to turn light and dark round: yes, no, or auto, where the border is light and the "
        "model takes grey images.",
    )

    def __post_init__(self):
        if not self.images:
            raise UsageError(
                "Give an .npk file and one or more images: "
                "python -m network-pruning.predict model.npk image.png"
            )
        check_at_least(self, "top", 1)
        if self.invert not in ("auto", "yes", "no"):
            raise UsageError(f"--invert: choose of auto, yes, no, not {self.invert!r}.")
        if not 0 <= self.margin < 0.5:
            raise UsageError(f"--margin must be at least 0 and below 0.5, not {self.margin:g}.")

    def to_dict(self):
        """Every setting as JSON-ready values."""
        return dataclasses.asdict(self)


def predict_config_from_flags(flag_values, names):
    """A `PredictConfig` of parsed absl flags and of the names of files, the model's first."""
    model, *images = [*names, ""][: len(names) or 1]
    settings = {f.name: getattr(flag_values, f.name) for f in flagged(PredictConfig)}
    for name in ("classes", "plugins"):
        settings[name] = tuple(settings[name])
    return PredictConfig(model, tuple(images), **settings)


PRESETS = {
    "strong": {
        "methods": ("weight/obd/global/gradual/finetune",),
        "prune_epochs": 8,
        "finetune_epochs": 25,
        "distillation": 0.2,
        "shift": 1,
    },
    "strong_units": {
        "methods": ("unit/gradual/finetune",),
        "prune_epochs": 8,
        "finetune_epochs": 25,
        "distillation": 0.2,
        "shift": 1,
    },
}


def preset(name):
    """The settings of a preset, by name of the field; none for None.

    Raises:
        UsageError: if there is none of this name.
    """
    if name is None:
        return {}
    if name not in PRESETS:
        raise UsageError(f"--preset: {name!r} is not known; choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]


class _ListParser(flags.ListParser):
    """Values between commas; a comma too many at the end is forgiven."""

    def parse(self, argument):
        """The values of a text, without the white space around them; a list is taken as it is."""
        values = super().parse(argument)
        if values and not any(values):
            raise ValueError("there is nothing but commas; give at least one value.")
        if values and not values[-1]:
            values = values[:-1]
        if "" in values:
            raise ValueError("there is an empty value between two commas; leave one comma out.")
        return values


def define_list(name, default, help_text, **args):
    default = [str(value) for value in default]
    serializer = flags.CsvListSerializer(",")
    return flags.DEFINE(_ListParser(), name, default, help_text, serializer=serializer, **args)


DEFINERS = {
    str: flags.DEFINE_string,
    str | None: flags.DEFINE_string,
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    int | None: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    float | None: flags.DEFINE_float,
    tuple[float, ...]: define_list,
    tuple[int, ...]: define_list,
    tuple[str, ...]: define_list,
}


def flagged(kind):
    """The fields of a config that have a flag."""
    return [f for f in dataclasses.fields(kind) if f.metadata]


def _fields():
    return dataclasses.fields(ExperimentConfig)


def _number(text):
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"--k_vals: {text!r} is not a number; give fractions such as 0.0,0.5,0.9."
        ) from None


def _checked_k_vals(k_vals):
    if not k_vals:
        raise UsageError("--k_vals is empty; give at least one sparsity such as 0.9.")
    for k in k_vals:
        check_fraction("--k_vals", k)
    return tuple(sorted({abs(float(k)) for k in k_vals}))  # abs: -0.0 is 0.0


def check_fraction(name, value):
    """Raises a UsageError unless a value is a fraction; `name` is what the user calls it."""
    if 0 <= value <= 1:
        return
    hint = f"; did you mean {value / 100:g}?" if 1 < value <= 100 else "."
    raise UsageError(f"{name}: {value:g} is not a fraction in [0, 1]{hint}")


def check_at_least(config, name, low):
    value = getattr(config, name)
    if not (math.isfinite(value) and value >= low):
        raise UsageError(f"--{name} must be at least {low} and finite, not {value}.")


def check_positive(config, name):
    value = getattr(config, name)
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"--{name} must be greater than 0 and finite, not {value}.")


def check_between(config, name, low, high):
    value = getattr(config, name)
    if not low <= value <= high:
        raise UsageError(f"--{name} must lie between {low} and {high}, not {value}.")


def check_plain_name(name, flag="--experiment_id"):
    """`name` becomes a folder: it must not lead anywhere else nor be hidden."""
    plain = (
        name.strip()
        and name.isprintable()
        and not name.startswith((".", "-"))
        and not any(part in name for part in ("/", "\\", ".."))
        and len(os.fsencode(name)) <= 200
    )
    if not plain:
        raise UsageError(
            f"{flag} {name!r} is not a plain folder name: use letters, digits and -_=.+ "
            "(no slash, no '..', no leading dot or dash, not empty, at most 200 bytes)."
        )
