"""Flags of a sweep: its own, and those of `train` with several values, or with what draws them."""

import re

from absl import flags

from ..settings.distributions import PATTERN, Distribution, distribution
from ..settings.experiment import ExperimentConfig
from ..settings.fields import flagged
from ..settings.sweep import LISTS, SINGLE, SweepConfig
from ..utils import UsageError
from .flags import define_common, define_flag
from .messages import with_flags


def define_sweep_flags(module_name: str, flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of a sweep, and those of `train`, which take several values here."""
    where = {"flag_values": flag_values, "module_name": module_name}
    for f in flagged(SweepConfig):
        define_flag(f, **where)
    for f in flagged(ExperimentConfig):
        if f.name == "ray_address":
            continue
        if f.name in LISTS:
            define_flag(f, **where)
            continue
        several = "" if f.name in SINGLE else " Several: separated by commas."
        if f.default is not None and "(default:" not in f.metadata["help"]:
            several += f" (default: {f.default})"
        kind = _BoolTexts if f.type is bool else flags.Flag
        flags.DEFINE_flag(
            kind(
                parser=flags.ArgumentParser(),
                serializer=flags.ArgumentSerializer(),
                name=f.name,
                default=None,
                help_string=f"{with_flags(f.metadata['help'])}{several}",
            ),
            **where,
        )
    define_common(**where)


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
    for f in flagged(ExperimentConfig):
        if f.name == "ray_address" or not flag_values[f.name].present:
            continue
        text = flag_values[f.name].value
        if f.name in LISTS:
            settings[f.name] = list(text)
            continue
        values = _values(f, text)
        if isinstance(values, Distribution) or len(values) > 1:
            if f.name in SINGLE:
                raise UsageError(
                    f"--{f.name} is the same for all experiments of a sweep; give one value."
                )
            varied[f.name] = values
        else:
            settings[f.name] = values[0]
    own = {f.name: getattr(flag_values, f.name) for f in flagged(SweepConfig)}
    return SweepConfig(settings, varied, **own)


def _values(f, text):
    """The values in a text, the same ones once; or a `Distribution`."""
    kinds = getattr(f.type, "__args__", (f.type,))
    looks_drawn = PATTERN.fullmatch(text.strip()) or (
        str not in kinds and re.match(r"\s*[a-z]+\(", text)
    )
    if f.name not in SINGLE and looks_drawn:
        return distribution(f.name, text.strip(), f.type)
    if f.name in SINGLE and f.type in (str, str | None):
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
    kinds = getattr(f.type, "__args__", (f.type,))
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
