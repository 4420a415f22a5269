"""Trains a network, prunes it to every sparsity, tests and reports the results.

python -m network-pruning.train --dataset=digits
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from absl import flags

    from .settings.experiment import ExperimentConfig


if __name__ == "__main__" and __package__ != "network_pruning":
    # Started under the folder's name, but plugins import the program as `network_pruning`. Here at
    # the top, so that nothing is imported twice; this does not return.
    from .__main__ import run

    run()

import dataclasses

from .cli import launch
from .cli.flags import config_from_flags, define_flags
from .experiments import plugins
from .settings.names import known_experiment_id
from .utils import limit_threads


def main(config: "ExperimentConfig") -> None:
    """Runs the experiment of the flags; writes the page of all experiments."""
    from .experiments.runner import experiment
    from .pages.index_page import try_to_write_index
    from .pages.publish import check, publish
    from .sweeps.replicates import run_on_ray

    check(config)
    experiment(config, publish, on_ray=run_on_ray)
    try_to_write_index(config.output_dir)


@plugins.explained()
def parse(flag_values: "flags.FlagValues") -> "ExperimentConfig":
    """The `ExperimentConfig` of parsed flags; checks that data set, model and methods exist."""
    limit_threads(flag_values.threads)  # before NumPy is imported
    from .data import registry
    from .experiments.runner import checked

    plugins.load(flag_values.plugins)
    if "help" in flag_values.methods:
        from .pruning.catalogue import catalogue

        raise launch.PrintAndExit(catalogue())
    registry.check(flag_values.dataset)
    config = config_from_flags(flag_values)
    if flag_values.experiment_id is None:
        config = dataclasses.replace(config, experiment_id=known_experiment_id(config))
    return checked(config)


def cli() -> None:
    """The command `network-pruning train`."""
    launch.launch(__doc__, define_flags, parse, main)


if __name__ == "__main__":
    cli()
