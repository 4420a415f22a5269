"""One experiment as data: every setting, its bounds, and which settings go together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..utils import UsageError
from .fields import (
    DEFAULT_NUM_VALID,
    MAX_NUM_VALID,
    MAX_SEED,
    MAX_SHIFT,
    Settings,
    above,
    at_least,
    between,
    check_fraction,
    flagged,
    marked,
    not_blank,
    plain_name,
    setting,
    some_of,
)
from .files import MODEL_FILES, OUTPUT_DIR, is_file
from .logs import LOG_TO, LOGS
from .names import default_experiment_id
from .presets import preset

DEFAULT_K_VALS = (0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class ExperimentConfig(Settings):
    """Settings of one experiment, validated when made.

    Raises:
        UsageError: if a value is out of range; the message names the setting.
    """

    dataset: str = setting(
        "digits",
        "Data set to train on: digits, fashion, or an .npz file with the arrays x_train, y_train, "
        "x_test and y_test.",
        trains=True,
    )
    batch_size: int = setting(128, "Training examples per step.", bounds=at_least(1), trains=True)
    epochs: int = setting(
        20, "Passes over the training data; 0 prunes a saved model as it is.", trains=True
    )
    learning_rate: float = setting(0.001, "Learning rate of Adam.", bounds=above(0), trains=True)
    l1_reg: float = setting(
        0.0, "L1 penalty on the hidden layers' weights.", bounds=at_least(0), trains=True
    )
    l2_reg: float = setting(
        0.0, "L2 penalty on the hidden layers' weights.", bounds=at_least(0), trains=True
    )
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
        "Name of the experiment's folder under `output_dir`. "
        "(default: <dataset>-<epochs>-lr=<lr>-l1=<l1>-l2=<l2>, followed by other training settings "
        "that are not at their defaults, such as -seed=1)",
        bounds=plain_name,
    )
    output_dir: str = setting(
        OUTPUT_DIR,
        "Folder in which experiments are written: results/ of the checkout or, where the program "
        "is installed, of the current folder.",
        bounds=not_blank("name the folder to write experiments in"),
    )
    seed: int = setting(
        0,
        "Seed of the initial weights, the data order, and everything random in pruning.",
        bounds=between(0, MAX_SEED),
        trains=True,
    )
    data_dir: str | None = setting(
        None,
        "Folder with the data files, raw or .gz, and where downloads are kept. "
        "(default: $NETWORK_PRUNING_DATA, else a per-user cache folder)",
    )
    model: str = setting(
        "mlp",
        "Network to train: mlp, lenet_300_100, lenet_5, or a model saved by Keras, a file that "
        "ends in .keras, .h5 or .hdf5.",
        trains=True,
    )
    methods: tuple[str, ...] = setting(
        ("weight", "unit"),
        "Pruning methods, separated by commas. Each names its granularity, criterion, scope, "
        "schedule and recovery, as in weight/lamp/global/gradual/finetune; what is not named takes "
        "its default. weight and unit are always included. The value help lists all choices.",
    )
    preset: str | None = setting(
        None,
        "Values for `methods` and the flags below that work well together: strong, strong_units, "
        "or oneshot, which needs no labels and a few minutes for each network. "
        "Flags that you give take precedence.",
    )
    plugins: tuple[str, ...] = setting(
        (), "Your own Python modules, separated by commas, that register criteria and the like."
    )
    prune_epochs: int = setting(
        4,
        "Epochs in which the schedule gradual raises the sparsity from one value to the next.",
        bounds=at_least(1),
        retrains=True,
    )
    prune_fraction: float = setting(
        0.2,
        "Share of the remaining weights or units that the schedule iterative removes in each "
        "round.",
        bounds=between(0.01, 0.99),
        retrains=True,
    )
    finetune_epochs: int = setting(
        6, "Epochs of fine-tuning in each recovery.", bounds=at_least(1), retrains=True
    )
    finetune_learning_rate: float | None = setting(
        None,
        "Initial learning rate of the recovery finetune. (default: `learning_rate`)",
        bounds=above(0),
        retrains=True,
    )
    control_rounds: int = setting(
        1,
        "Rounds of further training for the control, the dense network that retrained networks are "
        "compared with; every round trains like a round of the method.",
        bounds=at_least(1),
    )
    rewind_epoch: int = setting(
        0,
        "Epoch of the dense training whose weights the recovery weight_rewind restores; 0 for the "
        "initial weights.",
        retrains=True,
    )
    distillation: float = setting(
        0.0,
        "Distillation weight, in [0, 1], while a network is pruned and recovers: how much the soft "
        "targets of the teacher, the dense network, count against the labels.",
        bounds=between(0, 1),
        retrains=True,
    )
    shift: int = setting(
        0,
        "Augmentation while a network is pruned and recovers: shift each training image at random "
        "by up to this many pixels in each direction, anew in every epoch.",
        bounds=between(0, MAX_SHIFT),
        retrains=True,
    )
    calibration_examples: int = setting(
        10_000,
        "Training examples, of which the recoveries reconstruct and distill and the scope budget "
        "see the inputs, but not the labels.",
        bounds=at_least(10),
        retrains=True,
    )
    tensorboard: bool = setting(
        False, "Also write event files for TensorBoard, to compare experiments there."
    )
    log_to: tuple[str, ...] = setting((), LOG_TO, bounds=some_of(*LOGS, or_none=True))
    replicates: int = setting(
        1,
        "Run the experiment with this many seeds, from `seed` on, and report means and confidence "
        "intervals.",
        bounds=at_least(1),
    )
    threads: int | None = setting(
        None,
        "Maximum number of threads. Another number changes rounding: results differ in their last "
        "digits. (default: one for each processor core)",
        bounds=at_least(1),
    )
    ray_address: str | None = setting(
        None,
        "With `replicates`: run the seeds in parallel on Ray: local for this machine, auto or "
        "ray://<host>:10001 for a cluster, see docs/cluster.md.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_epochs()
        self._check_num_valid()
        between(1, MAX_SEED - self.seed + 1)("replicates", self.replicates)
        if self.ray_address is not None and self.replicates == 1:
            raise UsageError(
                "`ray_address` runs the seeds of `replicates` in parallel; for other experiments "
                "use python -m network-pruning.sweep."
            )
        self._fill_in("k_vals", _checked_k_vals(self.k_vals))
        if self.experiment_id is None:
            name = default_experiment_id(self)
            plain_name("experiment_id", name)
            self._fill_in("experiment_id", name)
        if self.experiment_id == "sweeps":
            raise UsageError(
                "`experiment_id`: the name sweeps is reserved for sweeps; choose another name."
            )

    def _check_epochs(self) -> None:
        if self.epochs == 0 and not is_file(self.model):
            raise UsageError(
                f"`epochs=0` prunes a saved model as it is, but `model={self.model}` is not one; "
                f"give a file that ends in {', '.join(MODEL_FILES)}, or train for 1 epoch or more."
            )
        at_least(0 if is_file(self.model) else 1)("epochs", self.epochs)
        between(0, self.epochs)("rewind_epoch", self.rewind_epoch)

    def _check_num_valid(self) -> None:
        if self.num_valid is None:
            if not is_file(self.dataset):
                self._fill_in("num_valid", DEFAULT_NUM_VALID)
        else:
            # The number of examples in a file is not known before it is read.
            bounds = at_least(0) if is_file(self.dataset) else between(0, MAX_NUM_VALID)
            bounds("num_valid", self.num_valid)


def experiment_settings() -> list[str]:
    """The names of the settings that networks may depend on: those of training and retraining."""
    return marked(ExperimentConfig, "trains", "retrains")


def training_settings() -> list[str]:
    """The names of the settings that the dense network depends on."""
    return marked(ExperimentConfig, "trains")


def retraining_settings() -> list[str]:
    """The names of the settings of training during and after pruning."""
    return marked(ExperimentConfig, "retrains")


def config_of(values: Mapping[str, Any], given: Collection[str]) -> ExperimentConfig:
    """An `ExperimentConfig` of values as they are typed.

    Args:
        values: by name; lists as lists of texts.
        given: the names of those that the user gave: they take precedence over a preset's.

    Raises:
        UsageError: if a value is out of range, or a sparsity is not a number.
    """
    chosen = {name: value for name, value in preset(values["preset"]).items() if name not in given}
    values = {**values, **chosen}
    values["k_vals"] = tuple(map(_number, values["k_vals"]))
    for name in ("methods", "plugins"):
        values[name] = tuple(values[name])
    return ExperimentConfig(**values)


def experiment_config(stored: Mapping[str, Any]) -> ExperimentConfig:
    """The `ExperimentConfig` of a stored experiment.

    Args:
        stored: a dictionary as `to_dict` made it, of this version or an earlier one.
    """
    known = {f.name for f in flagged(ExperimentConfig)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in stored.items()
        if name in known
    }
    return ExperimentConfig(**values)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"`k_vals`: {text!r} is not a number; give fractions such as 0.0,0.5,0.9."
        ) from None


def _checked_k_vals(k_vals: tuple[float, ...]) -> tuple[float, ...]:
    if not k_vals:
        raise UsageError("`k_vals` is empty; give at least one sparsity such as 0.9.")
    for k in k_vals:
        check_fraction("`k_vals`", k)
    return tuple(sorted({abs(float(k)) for k in k_vals}))  # abs: -0.0 is 0.0
