"""Runs many experiments, here or on a Ray cluster: a grid of flags, or a search.

python -m network-pruning.sweep --dataset=digits,fashion --l1_reg=0,0.0001,0.001 --seed=0,1,2
python -m network-pruning.sweep --search=optuna --samples=50 --l1_reg="loguniform(1e-6,1e-2)"

Flags of train take several values here, separated by commas, except --k_vals,
--methods, --plugins and --log_to, which are lists of one experiment. With --search numbers
are drawn from distributions: uniform(a,b), loguniform(a,b), randint(a,b),
lograndint(a,b).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from absl import flags

    from .settings.sweep import SweepConfig


if __name__ == "__main__" and __package__ != "network_pruning":
    # As in train.py: the program runs under one name; this does not return.
    from .__main__ import run

    run("sweep")

import dataclasses
import sys

from .cli import launch
from .cli.sweep_flags import define_sweep_flags, sweep_config_from_flags
from .experiments import plugins

OUT_OF_MEMORY = "Give each trial more cores (--cpus_per_trial), so that fewer run at once."
INTERRUPTED = "Running trials keep their finished epochs; run the same command again to continue."


@plugins.explained()
def main(config: "SweepConfig") -> None:
    """Runs the sweep, or prints its plan."""
    from .experiments.notes import notes_of
    from .sweeps import plan, runner
    from .utils import echo

    # The first and the last trial differ in every varied setting.
    for note in dict.fromkeys((*notes_of(config.first), *notes_of(config.last))):
        echo(note)
    if config.dry_run:
        print(plan.plan(config))
    else:
        import shlex

        from .pages.index_page import try_to_write_index
        from .pages.sweep_results import try_to_write_results

        words = ["python", "-m", "network-pruning.sweep", *sys.argv[1:]]
        runner.run(config, shlex.join(words), try_to_write_results, try_to_write_index)


@plugins.explained()
def parse(flag_values: "flags.FlagValues") -> "SweepConfig":
    """The `SweepConfig` of parsed flags; checks that data sets, models and methods exist."""
    from .data import registry
    from .experiments.runner import checked

    plugins.load(flag_values.plugins)
    if "help" in flag_values.methods:
        from .pruning.catalogue import catalogue

        raise launch.PrintAndExit(catalogue())
    config = sweep_config_from_flags(flag_values)
    first = config.first
    every = {name: config.varied.get(name, (getattr(first, name),)) for name in NAMED}
    for dataset in every["dataset"]:
        registry.check(dataset)
    for name, values in every.items():
        for value in values:
            checked(dataclasses.replace(first, **{name: value}, experiment_id=None))
    return config


# Settings that name something that must exist.
NAMED = ("dataset", "model", "methods")


def cli() -> None:
    """The command `network-pruning sweep`."""
    launch.launch(__doc__, define_sweep_flags, parse, main, OUT_OF_MEMORY, INTERRUPTED)


if __name__ == "__main__":
    cli()
