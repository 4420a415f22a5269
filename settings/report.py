"""What the command `report` writes or prints, as data."""

from dataclasses import dataclass

from ..utils import UsageError
from .fields import Settings, not_blank, plain_name, setting
from .files import OUTPUT_DIR


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
    list: bool = setting(False, "Print the table of experiments, and write nothing.")
    show: str | None = setting(
        None,
        "Print this experiment, and write nothing.",
        bounds=plain_name,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.list + (self.show is not None) + self.tensorboard > 1:
            raise UsageError("Give one of `list`, `show` and `tensorboard`.")
