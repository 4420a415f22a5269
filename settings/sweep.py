"""Many experiments as data: settings of `train` with several values each, and how to run them."""

import dataclasses
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..utils import UsageError, fingerprint
from .distributions import Distribution, distribution, ends
from .experiment import ExperimentConfig, config_of
from .fields import Settings, at_least, flagged, fraction, one_of, plain_name, setting
from .files import called_by_content, is_file
from .names import IN_NAME, cut_name, known_experiment_id, settings_in_name
from .objective import EXPORT_BYTES, GOALS, check_objective, default_objective, parsed

# Settings of `train` that are lists themselves: they are not varied.
LISTS = ("k_vals", "methods", "plugins", "log_to")
# Settings that all experiments of a sweep share.
SINGLE = (
    *LISTS,
    *("experiment_id", "output_dir", "data_dir", "force_train", "tensorboard", "replicates"),
    "threads",
)
# How and where a sweep runs: these do not make it another sweep.
NON_IDENTITY = (
    *("sweep_id", "dry_run", "yes", "cpus_per_trial", "gpus_per_trial", "ray_address"),
    *("output_dir", "data_dir", "force_train", "log_to"),
)
# More trials than this need a confirmation: they may be a typing error.
MANY_TRIALS = 1000
DEFAULT_SAMPLES = 20


def _address(name: str, address: str) -> None:
    """Bounds: addresses of Ray."""
    if address not in ("local", "auto") and not re.fullmatch(r"(ray://)?[\w.\[\]:-]+:\d+", address):
        raise UsageError(
            f"`{name}`: {address!r} is not local, auto, ray://<host>:10001 or <host>:6379."
        )


@dataclass(frozen=True)
class SweepConfig(Settings):
    """Settings of a sweep, validated when made.

    Attributes:
        settings: of `train`, those given with one value, by name.
        varied: of `train`, those given with several: tuples of values or `Distribution`s, by name.

    Raises:
        UsageError: if something is out of range, or does not go together; the message names the
            setting.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    varied: Mapping[str, Any] = field(default_factory=dict)
    sweep_id: str | None = setting(
        None,
        "Name of the sweep's folder, sweeps/<sweep_id>/ of `output_dir`. (default: the varied "
        "flags, and a digest of all settings)",
        bounds=plain_name,
    )
    search: str | None = setting(
        None,
        "Draw `samples` instead of running the whole grid: random, or optuna, which samples where "
        "the objective was best so far (TPE).",
        bounds=one_of("random", "optuna"),
    )
    samples: int | None = setting(
        None,
        f"With `search`: number of experiments. (default: {DEFAULT_SAMPLES})",
        bounds=at_least(1),
    )
    objective: str | None = setting(
        None,
        "What to optimize: a column of metrics.csv at a sparsity, such as valid_accuracy@0.99, or "
        "export_bytes. (default: valid_accuracy at the largest of `k_vals` up to 0.9)",
    )
    asha: bool = setting(
        True,
        "With `search` and an objective in valid_accuracy or valid_cross_entropy: stop unpromising "
        "trials early, by their objective after each epoch (ASHA).",
    )
    export: bool = setting(False, "Also export each experiment, as the command export does.")
    max_accuracy_drop: float = setting(
        0.0, "With `export`: allowed drop in validation accuracy, as for export.", bounds=fraction
    )
    dry_run: bool = setting(False, "Print what would run, and run nothing.")
    yes: bool = setting(False, f"Confirm a sweep of more than {MANY_TRIALS:,} experiments.")
    cpus_per_trial: int = setting(
        1,
        "Processor cores for each experiment, which uses as many threads.",
        bounds=at_least(1),
    )
    gpus_per_trial: float = setting(
        0.0,
        "GPUs for each experiment, or the share of one; with 0 it uses none.",
        bounds=at_least(0),
    )
    ray_address: str = setting(
        "local",
        "Where Ray runs: local starts it on this machine for the sweep, auto or "
        "ray://<host>:10001 joins a cluster, see docs/cluster.md.",
        bounds=_address,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_search()
        self._check_values()
        first = self.first
        if self.objective is None:
            self._fill_in("objective", default_objective(first.k_vals))
        held_out = ends(self.varied.get("num_valid", (first.num_valid,)))
        check_objective(self.objective, first.k_vals, first.replicates > 1, 0 not in held_out)
        if self.objective == EXPORT_BYTES:
            self._fill_in("export", True)
        if "seed" in self.varied and first.replicates > 1:
            raise UsageError(
                "`replicates` runs the seeds from `seed` on, so that some would count twice; give "
                "either several seeds or `replicates`."
            )
        if self.max_accuracy_drop and not self.export:
            raise UsageError("`max_accuracy_drop` needs `export`, which is not given.")
        if self.export and first.replicates > 1:
            raise UsageError("`export` needs experiments of one seed; leave out `replicates`.")
        if self.sweep_id is None:
            self._fill_in("sweep_id", self._default_id())
        if self.number > MANY_TRIALS and not (self.yes or self.dry_run):
            raise UsageError(
                f"These are {self.number:,} experiments; confirm them with `yes` (`dry_run` lists "
                "them)."
            )

    def _check_search(self) -> None:
        if not self.varied:
            raise UsageError(
                "Nothing varies: give a flag of train several values, such as `seed=0,1,2` (for "
                "one experiment use python -m network-pruning.train)."
            )
        drawn = [name for name, values in self.varied.items() if isinstance(values, Distribution)]
        if self.search is None:
            if drawn:
                raise UsageError(
                    f"`{drawn[0]}`: only a search draws values from {self.varied[drawn[0]]}; give "
                    "`search=random` or `search=optuna`, or values separated by commas."
                )
            if self.samples is not None:
                raise UsageError("`samples` needs `search`, which is not given.")
            return
        if "seed" in self.varied:
            raise UsageError(
                "`seed`: a search over seeds would choose the luckiest; give one seed, and "
                "`replicates=3` to judge each choice by several."
            )
        if self.samples is None:
            self._fill_in("samples", DEFAULT_SAMPLES)
        if not drawn and self.samples > (most := self._combinations()):
            raise UsageError(
                f"`samples={self.samples}`: there are only {most} combinations; leave `search` out "
                "to run them all."
            )

    def _check_values(self) -> None:
        """Checks every combination before any work begins; of a search, and of very many, every
        value together with the first values of the other settings."""
        if self.search is None and self.number <= MANY_TRIALS:
            names = [self.trial(values).experiment_id for values in self.grid()]
            name, times = Counter(names).most_common(1)[0]
            if times > 1:
                raise UsageError(
                    f"Two combinations are the same experiment, {name}; leave one out."
                )
            return
        first = {name: ends(values)[0] for name, values in self.varied.items()}
        for name, values in self.varied.items():
            for value in ends(values):
                self.trial({**first, name: value})

    @property
    def first(self) -> ExperimentConfig:
        """The experiment of the first values."""
        return self.with_values({name: ends(values)[0] for name, values in self.varied.items()})

    @property
    def last(self) -> ExperimentConfig:
        """The experiment of the last values."""
        return self.with_values({name: ends(values)[-1] for name, values in self.varied.items()})

    @property
    def goal(self) -> str:
        """Whether the objective is to be large or small: max or min."""
        return GOALS.get(self.column, "min")

    @property
    def column(self) -> str:
        """The column of the objective."""
        return parsed(self.objective)[0]

    @property
    def k(self) -> float | None:
        """The sparsity of the objective; None for that of files."""
        return parsed(self.objective)[1]

    @property
    def ends_early(self) -> bool:
        """Whether unpromising trials are stopped before their last epoch."""
        is_watched = self.column.startswith("valid_") and self.first.replicates == 1
        return bool(self.search and self.asha and is_watched)

    @property
    def number(self) -> int:
        """The number of experiments."""
        return self.samples if self.search else self._combinations()

    @property
    def output_dir(self) -> str:
        """The folder of experiments and sweeps."""
        return self.settings.get("output_dir", ExperimentConfig.output_dir)

    def _combinations(self) -> int:
        return math.prod(len(values) for values in self.varied.values())

    def grid(self) -> Iterator[dict[str, Any]]:
        """All combinations of the varied values, as dictionaries; the last one changes first."""
        for values in itertools.product(*self.varied.values()):
            yield dict(zip(self.varied, values, strict=True))

    def trial(self, values: Mapping[str, Any], output_dir: str | None = None) -> ExperimentConfig:
        """The `ExperimentConfig` of one combination of the varied settings: an ordinary
        experiment, under the name that `train` would give it and `-<setting>=<value>` of varied
        settings that this name lacks.

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
            known = (*IN_NAME, *settings_in_name(config))
            lacking = {name: value for name, value in values.items() if name not in known}
            name = known_experiment_id(config, _suffix(lacking))
        return dataclasses.replace(config, experiment_id=name)

    def rounded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Drawn values with the digits that are kept, in the order of the settings."""
        return {
            name: (known.rounded(values[name]) if isinstance(known, Distribution) else values[name])
            for name, known in self.varied.items()
        }

    def with_values(self, values: Mapping[str, Any]) -> ExperimentConfig:
        """The experiment of these values of varied settings."""
        given = {**self.settings, **values}
        defaults = {f.name: f.default for f in flagged(ExperimentConfig)}
        return config_of({**defaults, "threads": self.cpus_per_trial, **given}, set(given))

    def identity(self) -> dict[str, Any]:
        """The settings that identify a sweep, as JSON-ready values."""
        import json  # here: `--help` does not need it

        every = self.to_dict()
        own = {name: value for name, value in every.items() if name not in NON_IDENTITY}
        settings = {n: v for n, v in every["settings"].items() if n not in NON_IDENTITY}
        return json.loads(json.dumps({**own, "settings": settings}))

    def _default_id(self) -> str:
        return f"{'-'.join(self.varied)[:100]}-{fingerprint(self.identity(), 8)}"

    def to_dict(self) -> dict[str, Any]:
        """Every setting as JSON-ready values."""
        own = {f.name: getattr(self, f.name) for f in flagged(SweepConfig)}
        return {
            "settings": dict(self.settings),
            "varied": {name: _plain(values) for name, values in self.varied.items()},
            **own,
        }


def sweep_config(stored: Mapping[str, Any]) -> SweepConfig:
    """The `SweepConfig` that `to_dict` made into plain values."""
    varied = {
        name: tuple(values) if isinstance(values, list) else distribution(name, values)
        for name, values in stored["varied"].items()
    }
    return SweepConfig(**{**stored, "varied": varied})


def _plain(values: Any) -> Any:
    return str(values) if isinstance(values, Distribution) else list(values)


def _suffix(values: Mapping[str, Any]) -> str:
    return "".join(f"-{name}={_in_name(name, value)}" for name, value in values.items())


def _in_name(name: str, value: Any) -> str:
    """A value as a part of a folder's name."""
    if name in ("dataset", "model") and is_file(value):
        return called_by_content(name, value)
    return re.sub(r"[^\w.=+-]", "_", str(value))
