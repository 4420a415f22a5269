"""Runs the seeds of an experiment in parallel on Ray."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..data import registry
from ..experiments.replicates import replicate
from ..utils import RunError, echo

if TYPE_CHECKING:
    from ..experiments.paths import ArtifactPaths
    from ..pruning.methods import Method
    from ..settings.experiment import ExperimentConfig


def run_on_ray(
    config: "ExperimentConfig", paths: "ArtifactPaths", forced: Any
) -> "Sequence[Method]":
    """Runs the seeds on Ray, each with the threads of the config.

    Raises:
        RunError: if one fails, after all others.
    """
    from ..experiments.network_factory import networks_of
    from . import engine, ray_connection

    address: Any = config.ray_address
    ray_connection.check_installed(address=address)
    seeds = range(config.seed, config.seed + config.replicates)
    experiments = {
        str(seed): forced.applied_to(replicate(config, paths, seed)).to_dict() for seed in seeds
    }
    failed = {}
    echo(f"{config.replicates} seeds in parallel on Ray:")

    def take(event):
        seed = event["values"]["seed"]
        if event["state"] == "running":
            echo(f"Seed {seed} begins")
        if event["state"] in ("finished", "failed"):
            echo(f"Seed {seed} {event['state']} on {event.get('node', 'its machine')}")
        elif event.get("lost"):
            echo(f"Seed {seed} was lost and continues elsewhere")
        if event["state"] == "finished":
            forced.finish(seed)
        elif event["state"] == "failed":
            failed[seed] = event["note"]

    place = paths.replicates.resolve() / ".ray"
    engine.run(
        engine.Job(
            request={"experiments": experiments},
            place=place,
            output_dir=paths.replicates.resolve(),
            cpus=config.threads,
            gpus=None,
            address=address,
            trials=[{"seed": seed} for seed in seeds],
            every_epoch=False,
        ),
        take,
    )
    if failed:
        reasons = "; ".join(f"seed {seed}: {note}" for seed, note in sorted(failed.items()))
        raise RunError(f"{reasons} The output of each seed is in {place / 'logs'}.")
    dataset = registry.load(config.dataset, config.data_dir, config.num_valid)
    return networks_of(config, dataset).reference
