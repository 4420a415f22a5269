"""Many experiments as data: the flags of `train` with several values each, and how to run them.

Only the standard library and absl are imported here, so that `--help` and flag errors are instant.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from absl import flags

from ..utils import UsageError
from .experiment import (
    DEFINERS,
    IN_NAME,
    ExperimentConfig,
    called_by_content,
    check_at_least,
    check_fraction,
    check_plain_name,
    config_of,
    cut_name,
    define_list,
    flagged,
    is_file,
    known_experiment_id,
    setting,
    settings_in_name,
)

# Of `train`, lists that belong to one experiment: they are not varied.
LISTS = ("k_vals", "methods", "plugins")
# What is the same for all experiments of a sweep.
SINGLE = (
    *LISTS,
    *("experiment_id", "output_dir", "data_dir", "force_train", "tensorboard", "replicates"),
    "threads",
)
# What the summary of several seeds has, too.
GOALS_OF_SEEDS = ("valid_accuracy", "compression_ratio", "speedup")
# How a sweep is run, and where: another way does not make it another sweep.
NON_IDENTITY = (
    *("sweep_id", "dry_run", "yes", "cpus_per_trial", "gpus_per_trial", "ray_address"),
    *("output_dir", "data_dir", "force_train"),
)
# So many trials nobody types by mistake.
MANY_TRIALS = 1000
DEFAULT_SAMPLES = 20
# Columns of metrics.csv that may be aimed at, and where to; none of the test set.
GOALS = {
    "valid_accuracy": "max",
    "valid_cross_entropy": "min",
    "compression_ratio": "max",
    "speedup": "max",
    "nonzero": "min",
    "living": "min",
    "multiply_adds": "min",
}
EXPORT_BYTES = "export_bytes"
DISTRIBUTION = re.compile(r"(\w+)\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*\)")
DISTRIBUTIONS = {"uniform": float, "loguniform": float, "randint": int, "lograndint": int}
# Digits of a drawn number: names stay short, and what runs is what the name says.
DIGITS = 4


@dataclass(frozen=True)
class Distribution:
    """Values that a search draws: from `low` to `high`, both of them possible."""

    kind: str
    low: float
    high: float

    def __str__(self):
        return f"{self.kind}({self.low}, {self.high})"

    @property
    def is_log(self):
        return self.kind.startswith("log")

    @property
    def is_whole(self):
        return DISTRIBUTIONS[self.kind] is int

    def rounded(self, value):
        """A drawn value as an experiment takes it."""
        return int(value) if self.is_whole else float(f"{value:.{DIGITS}g}")


@dataclass(frozen=True)
class SweepConfig:
    """Settings of a sweep, validated when made.

    Attributes:
        settings: of `train`, those given with one value, by name.
        varied: of `train`, those given with several: tuples of values or `Distribution`s, by name.

    Raises:
        UsageError: if something is out of range, or does not go together; the message names the
            flag.
    """

    settings: Mapping[str, object] = field(default_factory=dict)
    varied: Mapping[str, object] = field(default_factory=dict)
    sweep_id: str | None = setting(
        None,
        "Name of the sweep's folder, sweeps/<sweep_id>/ of --output_dir. (default: the varied "
        "flags, and a digest of all that is asked for)",
    )
    search: str | None = setting(
        None,
        "Draw --samples instead of running the whole grid: random, or optuna, which looks where "
        "the objective was best (TPE).",
    )
    samples: int | None = setting(
        None, f"With --search: how many experiments. (default: {DEFAULT_SAMPLES})"
    )
    objective: str | None = setting(
        None,
        "What is best: a column of metrics.csv at a sparsity, such as valid_accuracy@0.99, or "
        "export_bytes. (default: valid_accuracy at the largest of --k_vals up to 0.9)",
    )
    asha: bool = setting(
        True,
        "With --search and an objective in valid_accuracy or valid_cross_entropy: end hopeless "
        "trainings early, by what the objective would be after each epoch.",
    )
    export: bool = setting(False, "Also make the files of export of each experiment.")
    max_accuracy_drop: float = setting(0.0, "With --export: as for export.")
    dry_run: bool = setting(
        False, "Print what would run, and how long by the times of finished experiments; run none."
    )
    yes: bool = setting(False, f"Run more than {MANY_TRIALS:,} experiments without being asked.")
    cpus_per_trial: int = setting(
        1, "Processor cores that an experiment needs; it computes with as many threads."
    )
    gpus_per_trial: float = setting(
        0.0, "GPUs that an experiment needs, or which share of one; without any it sees none."
    )
    ray_address: str = setting(
        "local",
        "Where Ray runs: local starts it on this machine and ends it, auto or ray://<host>:10001 "
        "joins a cluster, see docs/cluster.md.",
    )

    def __post_init__(self):
        check_at_least(self, "cpus_per_trial", 1)
        check_at_least(self, "gpus_per_trial", 0)
        self._check_search()
        self._check_values()
        _check_address(self.ray_address)
        check_fraction("--max_accuracy_drop", self.max_accuracy_drop)
        first = self.first
        if self.objective is None:
            object.__setattr__(self, "objective", f"valid_accuracy@{_usual_k(first.k_vals)}")
        self._check_objective(first)
        if "seed" in self.varied and first.replicates > 1:
            raise UsageError(
                "--replicates runs the seeds from --seed on, so that some would count twice; give "
                "several seeds or --replicates."
            )
        if self.max_accuracy_drop and not self.export:
            raise UsageError("--max_accuracy_drop goes with --export, which is not given.")
        if self.export and first.replicates > 1:
            raise UsageError("--export is of single experiments; leave out --replicates.")
        if self.sweep_id is None:
            object.__setattr__(self, "sweep_id", self._default_id())
        check_plain_name(self.sweep_id, "--sweep_id")
        if self.number > MANY_TRIALS and not (self.yes or self.dry_run):
            raise UsageError(
                f"These are {self.number:,} experiments; if you mean it, say --yes (--dry_run "
                "shows them)."
            )

    def _check_search(self):
        if self.search not in (None, "random", "optuna"):
            raise UsageError(f"--search: choose of random, optuna, not {self.search!r}.")
        if not self.varied:
            raise UsageError(
                "Nothing varies: give a flag of train several values, such as --seed=0,1,2 (for "
                "one experiment there is python -m network-pruning.train)."
            )
        drawn = [name for name, values in self.varied.items() if isinstance(values, Distribution)]
        if self.search is None:
            if drawn:
                raise UsageError(
                    f"--{drawn[0]}: only a search draws values from {self.varied[drawn[0]]}; give "
                    "--search=random or --search=optuna, or values separated by commas."
                )
            if self.samples is not None:
                raise UsageError("--samples goes with --search, which is not given.")
            return
        if "seed" in self.varied:
            raise UsageError(
                "--seed: a search over seeds would choose the luckiest; give one seed, and "
                "--replicates=3 where each choice is to be judged by several."
            )
        if self.samples is None:
            object.__setattr__(self, "samples", DEFAULT_SAMPLES)
        check_at_least(self, "samples", 1)
        if not drawn and self.samples > (most := self._combinations()):
            raise UsageError(
                f"--samples={self.samples}: there are only {most} combinations; leave --search out "
                "to run them all."
            )

    def _check_values(self):
        """Every choice, so that the sentence comes before any work; of a search, and of very many,
        every value with the first ones of the others."""
        if self.search is None and self.number <= MANY_TRIALS:
            names = [self.trial(values).experiment_id for values in self.grid()]
            name, times = Counter(names).most_common(1)[0]
            if times > 1:
                raise UsageError(
                    f"Two choices would be the same experiment, {name}; leave one out."
                )
            return
        first = {name: _ends(values)[0] for name, values in self.varied.items()}
        for name, values in self.varied.items():
            for value in _ends(values):
                self.trial({**first, name: value})

    def _check_objective(self, first):
        if self.objective == EXPORT_BYTES:
            if first.replicates > 1:
                raise UsageError(
                    "--objective=export_bytes is of single experiments, without --replicates."
                )
            object.__setattr__(self, "export", True)
            return
        column, _, text = self.objective.partition("@")
        if column.startswith("test_"):
            raise UsageError(
                f"--objective: {column} would choose by the test set, which is there to report on; "
                "choose by valid_accuracy, for one."
            )
        if column not in GOALS:
            choice = ", ".join((*GOALS, EXPORT_BYTES))
            raise UsageError(
                f"--objective: {column!r} is none of {choice}; as in valid_accuracy@0.99."
            )
        try:
            k = float(text)
        except ValueError:
            raise UsageError(f"--objective: say at which sparsity, as in {column}@0.99.") from None
        if k not in (0.0, *first.k_vals):
            raise UsageError(f"--objective: {k:g} is not among --k_vals; add it there.")
        if first.replicates > 1 and column not in GOALS_OF_SEEDS:
            raise UsageError(
                f"--objective: with --replicates choose of {', '.join(GOALS_OF_SEEDS)}, not "
                f"{column}."
            )
        held_out = _ends(self.varied.get("num_valid", (first.num_valid,)))
        if column.startswith("valid") and 0 in held_out:
            raise UsageError(
                f"--objective: without validation examples (--num_valid=0) there is no {column}."
            )

    @property
    def first(self):
        """The experiment of the first values."""
        return self.with_values({name: _ends(values)[0] for name, values in self.varied.items()})

    @property
    def last(self):
        """The experiment of the last values."""
        return self.with_values({name: _ends(values)[-1] for name, values in self.varied.items()})

    @property
    def goal(self):
        """Whether the objective is to be large or small: max or min."""
        return GOALS.get(self.column, "min")

    @property
    def column(self):
        """The column of the objective."""
        return parsed(self.objective)[0]

    @property
    def k(self):
        """The sparsity of the objective; None for that of files."""
        return parsed(self.objective)[1]

    @property
    def ends_early(self):
        """Whether hopeless trainings end before their last epoch."""
        is_watched = self.column.startswith("valid_") and self.first.replicates == 1
        return bool(self.search and self.asha and is_watched)

    @property
    def number(self):
        """How many experiments there are."""
        return self.samples if self.search else self._combinations()

    @property
    def output_dir(self):
        return self.settings.get("output_dir", ExperimentConfig.output_dir)

    def _combinations(self):
        return math.prod(len(values) for values in self.varied.values())

    def grid(self):
        """All combinations of the varied values, as dictionaries; the last flag changes first."""
        for values in itertools.product(*self.varied.values()):
            yield dict(zip(self.varied, values, strict=True))

    def trial(self, values, output_dir=None):
        """The `ExperimentConfig` of one choice of the varied settings: an ordinary experiment,
        under the name that `train` would give it and `-<flag>=<value>` for what that does not tell.

        Args:
            values: by name; those that are drawn may have more digits than are kept.
            output_dir: where experiments are, if not where the settings say.
        """
        values = self.rounded(values)
        config = self.with_values(values)
        config = dataclasses.replace(config, output_dir=output_dir or config.output_dir)
        if "experiment_id" in self.settings:
            name = cut_name(config.experiment_id, _suffix(values))
        else:
            told = (*IN_NAME, *settings_in_name(config))
            lacking = {name: value for name, value in values.items() if name not in told}
            name = known_experiment_id(config, _suffix(lacking))
        return dataclasses.replace(config, experiment_id=name)

    def rounded(self, values):
        """Drawn values with the digits that are kept, in the order of the flags."""
        return {
            name: (known.rounded(values[name]) if isinstance(known, Distribution) else values[name])
            for name, known in self.varied.items()
        }

    def with_values(self, values):
        given = {**self.settings, **values}
        defaults = {f.name: f.default for f in flagged(ExperimentConfig)}
        return config_of({**defaults, "threads": self.cpus_per_trial, **given}, set(given))

    def identity(self):
        """What makes a sweep the same one, as JSON has it."""
        every = self.to_dict()
        own = {name: value for name, value in every.items() if name not in NON_IDENTITY}
        settings = {n: v for n, v in every["settings"].items() if n not in NON_IDENTITY}
        return json.loads(json.dumps({**own, "settings": settings}))

    def _default_id(self):
        text = json.dumps(self.identity(), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{'-'.join(self.varied)[:100]}-{digest}"

    def to_dict(self):
        """Every setting as JSON-ready values."""
        own = {f.name: getattr(self, f.name) for f in flagged(SweepConfig)}
        return {
            "settings": dict(self.settings),
            "varied": {name: _plain(values) for name, values in self.varied.items()},
            **own,
        }


def parsed(objective):
    """The column and the sparsity of an objective; no sparsity for that of files."""
    column, _, k = objective.partition("@")
    return column, float(k) if k else None


def sweep_config(stored):
    """The `SweepConfig` that `to_dict` made into plain values."""
    varied = {
        name: tuple(values) if isinstance(values, list) else _distribution(name, values)
        for name, values in stored["varied"].items()
    }
    return SweepConfig(**{**stored, "varied": varied})


def define_sweep_flags(module_name, flag_values=flags.FLAGS):
    """Defines the flags of a sweep, and those of `train`, which take several values here."""
    where = {"flag_values": flag_values, "module_name": module_name}
    for f in flagged(SweepConfig):
        DEFINERS[f.type](f.name, f.default, f.metadata["help"], **where)
    for f in flagged(ExperimentConfig):
        if f.name == "ray_address":
            continue
        if f.name in LISTS:
            define_list(f.name, f.default, f.metadata["help"], **where)
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
                help_string=f"{f.metadata['help']}{several}",
            ),
            **where,
        )
    flags.DEFINE_bool("version", False, "Print the version and stop.", **where)


class _BoolTexts(flags.Flag):
    """`--keep_best`, `--nokeep_best` and `--keep_best=true,false`."""

    def __init__(self, **about):
        super().__init__(**about)
        self.boolean = True


def sweep_config_from_flags(flag_values):
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
    looks_drawn = DISTRIBUTION.fullmatch(text.strip()) or (
        str not in kinds and re.match(r"\s*[a-z]+\(", text)
    )
    if f.name not in SINGLE and looks_drawn:
        return _distribution(f.name, text.strip(), f.type)
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


def _distribution(name, text, kind=None):
    """The `Distribution` of a text such as loguniform(1e-4,1e-2).

    Raises:
        UsageError: if it is not one that the setting can have.
    """
    matched = DISTRIBUTION.fullmatch(text)
    if matched is None or matched[1] not in DISTRIBUTIONS:
        raise UsageError(
            f"--{name}: {text!r} is no distribution; there are {', '.join(DISTRIBUTIONS)}, each "
            "from a number to another, as in loguniform(1e-4,1e-2)."
        )
    of = DISTRIBUTIONS[matched[1]]
    kinds = getattr(kind, "__args__", (kind,))
    if kind is not None and (of not in kinds or bool in kinds):
        possible = [
            d for d, values in DISTRIBUTIONS.items() if values in kinds and bool not in kinds
        ]
        hint = f"of {', '.join(possible)}" if possible else "values separated by commas"
        raise UsageError(f"--{name} is not drawn from {matched[1]}; take {hint}.")
    try:
        low, high = of(matched[2]), of(matched[3])
    except ValueError:
        raise UsageError(
            f"--{name}: the ends of {text} are not both numbers of the right kind."
        ) from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"--{name}: {text} must go from a number to a larger one.")
    if matched[1].startswith("log") and low <= 0:
        raise UsageError(f"--{name}: {text} must begin above 0.")
    return Distribution(matched[1], low, high)


def _ends(values):
    return (values.low, values.high) if isinstance(values, Distribution) else values


def _plain(values):
    return str(values) if isinstance(values, Distribution) else list(values)


def _suffix(values):
    return "".join(f"-{name}={_in_name(name, value)}" for name, value in values.items())


def _in_name(name, value):
    """A value as a part of a folder's name."""
    if name in ("dataset", "model") and is_file(value):
        return called_by_content(name, value)
    return re.sub(r"[^\w.=+-]", "_", str(value))


def _usual_k(k_vals):
    """The sparsity at which most people would compare: the largest up to 0.9."""
    return max((k for k in k_vals if k <= 0.9), default=min(k_vals))


def _check_address(address):
    if address not in ("local", "auto") and not re.fullmatch(r"(ray://)?[\w.\[\]:-]+:\d+", address):
        raise UsageError(
            f"--ray_address: {address!r} is not local, auto, ray://<host>:10001 or <host>:6379."
        )
