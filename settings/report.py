"""What the command `report` writes or prints, as data."""

from dataclasses import dataclass

from ..utils import UsageError
from .fields import Settings, not_blank, plain_name, setting, some_of
from .files import OUTPUT_DIR
from .logs import LOG_TO, LOGS, logs_of


@dataclass(frozen=True)
class ReportConfig(Settings):
    """Settings of a report: pages to write or experiments to print, validated when made.

    Raises:
        UsageError: if something is out of range.
    """

    output_dir: str = setting(
        OUTPUT_DIR,
        "Folder in which the experiments are.",
        bounds=not_blank("name the folder that holds experiments"),
    )
    tensorboard: bool = setting(False, "Also write event files for TensorBoard.")
    log_to: tuple[str, ...] = setting((), LOG_TO, bounds=some_of(*LOGS, or_none=True))
    list: bool = setting(False, "Print the table of experiments, and write nothing.")
    show: str | None = setting(
        None,
        "Print this experiment, and write nothing.",
        bounds=plain_name,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.list + (self.show is not None) + bool(logs_of(self)) > 1:
            raise UsageError("Give one of `list`, `show`, and `tensorboard` or `log_to`.")
