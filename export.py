"""Quantizes a pruned network into a very small file, and measures it.

python -m network-pruning.export --experiment_id=digits-20-lr=0.001-l1=0.0-l2=0.0
python -m network-pruning.export --model=my.keras --dataset=my.npz
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from absl import flags


if __name__ == "__main__" and __package__ != "network_pruning":
    # As in train.py: the program runs under one name; this does not return.
    from .__main__ import run

    run("export")

from functools import partial

from .cli import launch
from .cli.flags import define_flags, export_config_from_flags
from .experiments import plugins
from .settings.export import ExportConfig
from .utils import UsageError, echo

OUT_OF_MEMORY = "Close other programs, then run the same command again."
INTERRUPTED = "No incomplete files remain; the same command starts again."


@plugins.explained()
def main(config: ExportConfig) -> None:
    """Runs the export of the flags."""
    from .experiments.exports import export
    from .experiments.notes import notes_of_export
    from .pages import experiment_page, index_page
    from .visualization import console

    for note in notes_of_export(config):
        echo(note)
    record, paths = export(config)
    if config.experiment_id:
        experiment_page.try_to_write_report(paths)
        index_page.try_to_write_index(config.output_dir)
    echo(console.export_table(record))
    echo(f"The files are in {paths.exports}")


@plugins.explained()
def parse(flag_values: "flags.FlagValues") -> ExportConfig:
    """The `ExportConfig` of parsed flags; loads plugins, including those of the experiment."""
    config = export_config_from_flags(flag_values)
    plugins.load(config.plugins)
    if config.experiment_id:
        from .experiments import folder
        from .experiments.paths import ArtifactPaths

        record = folder.read_record(ArtifactPaths.of(config))
        known = record["settings"].get("plugins", ()) if record else ()
        try:
            plugins.load([name for name in known if name not in config.plugins])
        except UsageError as error:
            made = f"The experiment was made with --plugins={','.join(known)}"
            raise UsageError(f"{made}, which the export needs. {error}") from error
    return config


def cli() -> None:
    """The command `network-pruning export`."""
    launch.launch(
        __doc__,
        partial(define_flags, kind=ExportConfig),
        parse,
        main,
        OUT_OF_MEMORY,
        INTERRUPTED,
    )


if __name__ == "__main__":
    cli()
