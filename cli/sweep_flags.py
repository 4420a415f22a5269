"""Flags of a sweep: its own, and those of `train` with several values or a distribution."""

import re
from typing import Any

from absl import flags

from ..settings.distributions import PATTERN, Distribution, distribution
from ..settings.experiment import ExperimentConfig
from ..settings.fields import flagged
from ..settings.sweep import LISTS, SINGLE, SweepConfig
from ..utils import UsageError
from .flags import define_common, define_flag
from .messages import with_flags

# The settings of `train`; the address of Ray is a setting of the sweep.
OF_TRIALS = [f for f in flagged(ExperimentConfig) if f.name != "ray_address"]


def define_sweep_flags(module_name: str, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of a sweep, and those of `train`, which take several values here."""
    where: dict[str, Any] = {"flag_values": flag_values, "module_name": module_name}
    for f in flagged(SweepConfig):
        define_flag(f, **where)
    for f in OF_TRIALS:
        if f.name in LISTS:
            define_flag(f, **where)
        else:
            flags.DEFINE_flag(_text_flag(f), **where)
    define_common(**where)


def _text_flag(f):
    """A flag that takes any text: values are parsed when all flags are known."""
    several = "" if f.name in SINGLE else " Several values are separated by commas."
    if f.default is not None and "(default:" not in f.metadata["help"]:
        several += f" (default: {f.default})"
    kind = _BoolTexts if f.type is bool else flags.Flag
    return kind(
        parser=flags.ArgumentParser(),
        serializer=flags.ArgumentSerializer(),
        name=f.name,
        default=None,
        help_string=f"{with_flags(f.metadata['help'])}{several}",
    )


class _BoolTexts(flags.Flag):
    """`--keep_best`, `--nokeep_best` and `--keep_best=true,false`."""

    def __init__(self, **about):
        super().__init__(**about)
        self.boolean = True


def sweep_config_from_flags(flag_values: flags.FlagValues) -> SweepConfig:
    """A `SweepConfig` of parsed absl flags.

    Raises:
        UsageError: if a value is out of range, or flags do not go together.
    """
    settings, varied = {}, {}
    for f in OF_TRIALS:
        if not flag_values[f.name].present:
            continue
        text: Any = flag_values[f.name].value
        values = [list(text)] if f.name in LISTS else _values(f, text)
        if not isinstance(values, Distribution) and len(values) == 1:
            settings[f.name] = values[0]
        elif f.name in SINGLE:
            raise UsageError(
                f"--{f.name} is the same for all experiments of a sweep; give one value."
            )
        else:
            varied[f.name] = values
    own = {f.name: getattr(flag_values, f.name) for f in flagged(SweepConfig)}
    return SweepConfig(settings, varied, **own)


def _values(f, text):
    """The values in a text without duplicates, or a `Distribution`."""
    is_text = str in _kinds(f)
    is_distribution = PATTERN.fullmatch(text.strip()) or (
        not is_text and re.match(r"\s*[a-z]+\(", text)
    )
    if f.name not in SINGLE and is_distribution:
        return distribution(f.name, text.strip(), f.type)
    if f.name in SINGLE and is_text:
        return (text,)  # a folder may have a comma in its name
    parts = [part.strip() for part in text.split(",")]
    if parts[-1] == "" and len(parts) > 1:
        del parts[-1]
    if "" in parts:
        raise UsageError(
            f"--{f.name}: there is an empty value; give one or more, separated by commas."
        )
    return tuple(dict.fromkeys(_value(f, part) for part in parts))


def _value(f, text):
    """A text as a value of a setting."""
    kinds = _kinds(f)
    try:
        if bool in kinds:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if int in kinds:
            return int(text)
        if float in kinds:
            return float(text)
    except (KeyError, ValueError):
        asked = (
            "true or false" if bool in kinds else "a whole number" if int in kinds else "a number"
        )
        raise UsageError(f"--{f.name}: {text!r} is not {asked}.") from None
    return text


def _kinds(f):
    """The types that a setting may have."""
    return getattr(f.type, "__args__", (f.type,))
