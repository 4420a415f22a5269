"""One export as data: what to export, the allowed accuracy drop, which files to write."""

from dataclasses import dataclass

from ..utils import UsageError
from .fields import (
    MAX_NUM_VALID,
    MAX_SEED,
    MAX_SHIFT,
    Settings,
    above,
    at_least,
    between,
    fraction,
    one_of,
    plain_name,
    setting,
    some_of,
    whole_or_share,
)
from .files import MODEL_FILES, OUTPUT_DIR

EXPORT_FORMATS = ("keras", "npk", "litert")
# All formats, with the suffixes of their files.
SUFFIXES = {
    "keras": ("keras",),
    "npk": ("npk",),
    "litert": ("tflite",),
    "litert_int8": ("int8.tflite",),
    "onnx": ("onnx",),
    "onnx_int8": ("int8.onnx",),
    "openvino": ("xml", "bin"),
    "torch": ("pt2",),
}
# The dense networks that an exported one may be compared with.
REFERENCES = ("baseline", "control")
BITS = range(2, 7)


@dataclass(frozen=True)
class ExportConfig(Settings):
    """Settings of one export, validated when made.

    Raises:
        UsageError: if a value is out of range, or it is not clear what to export; the message names
            the setting.
    """

    experiment_id: str | None = setting(
        None, "Name of the finished experiment to export from.", bounds=plain_name
    )
    output_dir: str = setting(
        OUTPUT_DIR, "Folder in which experiments are, and exports are written."
    )
    method: str | None = setting(
        None, "Choose among the networks of this method, named as in metrics.csv. (default: all)"
    )
    k: float | None = setting(
        None, "Choose among the networks of this sparsity. (default: all)", bounds=fraction
    )
    model: str | None = setting(
        None, "Export a model saved by Keras instead of an experiment; needs `dataset`."
    )
    dataset: str | None = setting(
        None, "With `model`: digits, fashion, or an .npz file, see docs/own.md."
    )
    max_accuracy_drop: float | None = setting(
        None,
        "Allowed drop in validation accuracy, a fraction in [0, 1], relative to `reference` or, "
        "with `model`, to that model. (default: 0, or any if another limit is given)",
        bounds=fraction,
    )
    max_bytes: float | None = setting(
        None,
        "Limit of the .npk file, such as 100_000, or as a share of the dense float32 weights, such "
        "as 0.01: the most accurate network that keeps the limits is exported. If those of the "
        "experiment need more or are less accurate, the dense network is compressed.",
        bounds=whole_or_share,
    )
    max_multiply_adds: float | None = setting(
        None,
        "Limit of multiply-adds for one example, as runtimes compute them, or a share: as "
        "`max_bytes`.",
        bounds=whole_or_share,
    )
    max_latency_ms: float | None = setting(
        None,
        "Limit in milliseconds for one example on this machine, by LiteRT or, for models that it "
        "cannot run, by compiled Keras: as `max_bytes`.",
        bounds=above(0),
    )
    reference: str = setting(
        "baseline",
        "What `max_accuracy_drop` is measured against: baseline, the untouched dense network, or "
        "control, the dense network with the same further training as the pruned network.",
        bounds=one_of(*REFERENCES, rule=f"choose {' or '.join(REFERENCES)}"),
    )
    formats: tuple[str, ...] = setting(
        EXPORT_FORMATS,
        "Files to write, separated by commas: keras, npk, litert, onnx, openvino, torch, and "
        "litert_int8 and onnx_int8, with weights and activations of eight bits. All but the first "
        "three and litert_int8 need the extras onnx, openvino and torch.",
        bounds=some_of(*SUFFIXES),
    )
    bits: tuple[int, ...] = setting(
        tuple(BITS),
        "Quantization: bits per weight to choose from, 2 to 6, separated by commas.",
        bounds=some_of(*BITS),
    )
    finetune_epochs: int | None = setting(
        None,
        "Epochs of quantization-aware training; 0 quantizes without training. (default: 15, or "
        "fewer for large models, so that it takes at most about two minutes)",
        bounds=at_least(0),
    )
    finetune_learning_rate: float | None = setting(
        None,
        "Initial learning rate of quantization-aware training. (default: that of the experiment, "
        "else 0.001)",
        bounds=above(0),
    )
    distillation: float = setting(
        0.5,
        "Distillation weight, in [0, 1], in quantization-aware training: how much the soft targets "
        "of the teacher, the best network, count against the labels.",
        bounds=between(0, 1),
    )
    shift: int | None = setting(
        None,
        "Augmentation in quantization-aware training: shift images at random by up to this many "
        "pixels. (default: as in the experiment, else 0)",
        bounds=between(0, MAX_SHIFT),
    )
    seed: int = setting(0, "Seed of quantization-aware training.", bounds=between(0, MAX_SEED))
    num_valid: int | None = setting(
        None,
        "With `model`: training examples held out for validation, as for an experiment.",
        bounds=between(1, MAX_NUM_VALID),
    )
    data_dir: str | None = setting(None, "Folder with the data files, as for an experiment.")
    plugins: tuple[str, ...] = setting(
        (), "Your own Python modules that the data set or model needs, separated by commas."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_source()
        if self.reference == "control" and self.model is not None:
            raise UsageError("`reference=control` needs `experiment_id`: a `model` has no control.")

    @property
    def has_limits(self) -> bool:
        """Whether anything but the accuracy is limited."""
        limits = self.max_bytes, self.max_multiply_adds, self.max_latency_ms
        return any(limit is not None for limit in limits)

    @property
    def drop_is_limited(self) -> bool:
        """Whether the accuracy is limited."""
        return self.max_accuracy_drop is not None or not self.has_limits

    @property
    def accuracy_drop(self) -> float:
        """The allowed drop in accuracy; 1 for any."""
        if self.max_accuracy_drop is not None:
            return self.max_accuracy_drop
        return 1.0 if self.has_limits else 0.0

    def _check_source(self) -> None:
        if (self.experiment_id is None) == (self.model is None):
            raise UsageError(
                "Give either `experiment_id`, a finished experiment, or `model`, a model saved by "
                "Keras."
            )
        for name, other in (
            ("dataset", "model"),
            ("num_valid", "model"),
            ("method", "experiment_id"),
            ("k", "experiment_id"),
        ):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise UsageError(f"`{name}` needs `{other}`, which is not given.")
        if self.model is not None:
            if not self.model.lower().endswith(MODEL_FILES):
                raise UsageError(
                    f"`model`: {self.model!r} is not a file that ends in {', '.join(MODEL_FILES)}."
                )
            if self.dataset is None:
                raise UsageError(
                    "`model` needs `dataset`, whose accuracy decides what is exported."
                )
