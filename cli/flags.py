"""Flags from settings, one absl flag for each field, and settings from parsed flags."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from ..settings.experiment import ExperimentConfig, config_of
from ..settings.fields import flagged
from ..utils import UsageError
from .messages import with_flags

# Each command imports only its own settings, so that `--help` is fast.
if TYPE_CHECKING:
    from ..settings.export import ExportConfig
    from ..settings.predict import PredictConfig
    from ..settings.report import ReportConfig


class _ListParser(flags.ListParser):
    """Values separated by commas; a trailing comma is allowed."""

    def parse(self, argument: str | list[str]) -> list[str]:
        """The values of a text, without the white space around them; a list is taken as it is."""
        values = super().parse(argument)
        if values and not any(values):
            raise ValueError("there is nothing but commas; give at least one value.")
        if values and not values[-1]:
            values = values[:-1]
        if "" in values:
            raise ValueError("there is an empty value between two commas; leave one comma out.")
        return values


def _define_list(name, default, help_text, **args):
    default = [str(value) for value in default]
    serializer = flags.CsvListSerializer(",")
    flags.DEFINE(_ListParser(), name, default, help_text, serializer=serializer, **args)


DEFINERS: dict[Any, Callable[..., Any]] = {
    str: flags.DEFINE_string,
    str | None: flags.DEFINE_string,
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    int | None: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    float | None: flags.DEFINE_float,
    tuple[float, ...]: _define_list,
    tuple[int, ...]: _define_list,
    tuple[str, ...]: _define_list,
}


def define_flag(field: dataclasses.Field, **where: Any) -> None:
    """Defines the absl flag of one setting.

    Args:
        field: of a class of settings.
        **where: `flag_values` and `module_name`, as absl takes them.
    """
    DEFINERS[field.type](field.name, field.default, with_flags(field.metadata["help"]), **where)


def define_common(**where: Any) -> None:
    """Defines the flags that every command has in addition to its settings."""
    flags.DEFINE_bool("version", False, "Print the version and stop.", **where)
    flags.DEFINE_bool("debug", False, "Show the traceback behind an error.", **where)


def define_flags(
    module_name: str, flag_values: flags.FlagValues = flags.FLAGS, kind: type = ExperimentConfig
) -> None:
    """Defines one absl flag per setting and the common ones, listed by `--help`.

    Args:
        module_name: under which the flags are listed.
        flag_values: in which they are defined.
        kind: the class of settings, `ExperimentConfig` or another.
    """
    where = {"flag_values": flag_values, "module_name": module_name}
    for field in flagged(kind):
        define_flag(field, **where)
    define_common(**where)


def config_from_flags(flag_values: flags.FlagValues) -> ExperimentConfig:
    """An `ExperimentConfig` from parsed absl flags.

    Raises:
        UsageError: if a value is out of range, or `--k_vals` has values that are not numbers.
    """
    values = _values(flag_values, ExperimentConfig)
    return config_of(values, {name for name in values if flag_values[name].present})


def export_config_from_flags(flag_values: flags.FlagValues) -> "ExportConfig":
    """An `ExportConfig` from parsed absl flags.

    Raises:
        UsageError: if a value is out of range.
    """
    from ..settings.export import ExportConfig

    values = _values(flag_values, ExportConfig)
    for name in ("formats", "plugins"):
        values[name] = tuple(dict.fromkeys(values[name]))
    if not all(text.isdecimal() for text in values["bits"]):
        raise UsageError(f"--bits: {','.join(values['bits'])} are not whole numbers such as 3,4.")
    values["bits"] = tuple(sorted(set(map(int, values["bits"]))))
    return ExportConfig(**values)


def report_config_from_flags(flag_values: flags.FlagValues) -> "ReportConfig":
    """A `ReportConfig` of parsed absl flags."""
    from ..settings.report import ReportConfig

    return ReportConfig(**_values(flag_values, ReportConfig))


def predict_config_from_flags(
    flag_values: flags.FlagValues, names: Sequence[str]
) -> "PredictConfig":
    """A `PredictConfig` of parsed absl flags and of the names of files, the model's first."""
    from ..settings.predict import PredictConfig

    model, *images = [*names, ""][: len(names) or 1]
    settings = _values(flag_values, PredictConfig)
    for name in ("classes", "plugins"):
        settings[name] = tuple(settings[name])
    return PredictConfig(model, tuple(images), **settings)


def _values(flag_values, kind):
    """The values of the flags of a kind of settings, by name."""
    return {field.name: flag_values[field.name].value for field in flagged(kind)}
