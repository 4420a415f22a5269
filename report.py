"""Makes the pages of all experiments again, or prints them in the terminal.

python -m network-pruning.report
python -m network-pruning.report --list
python -m network-pruning.report --show=digits-20-lr=0.001-l1=0.0-l2=0.0
"""

if __name__ == "__main__" and __package__ != "network_pruning":
    # As in train.py: the program runs under one name only; this does not return.
    from .__main__ import run

    run("report")

import shutil
import sys
from functools import partial
from pathlib import Path

from . import command
from .config import ReportConfig, UsageError, define_flags, report_config_from_flags
from .utils import RunError, counted, one_line, say

OUT_OF_MEMORY = "Close other programs, then run the same command again."
INTERRUPTED = "Pages that were finished are whole; the same command goes on."


def main(config):
    """Makes all pages, or prints a table or an experiment."""
    root = Path(config.output_dir).expanduser()
    if not root.is_dir():
        raise UsageError(f"--output_dir: there is no folder {root}.")
    if config.list:
        _list(root)
    elif config.show is not None:
        _show(root, config.show)
    else:
        _write(root, config)


def _write(root, config):
    from .experiments import folder, gallery, reports, sweep_results
    from .experiments.sweep_paths import read_record, sweeps_of
    from .experiments.tensorboard import write_tensorboard

    written, pending, failed = 0, [], []
    for experiment in gallery.experiments_of(root):
        for paths in (*experiment.seeds().values(), experiment):
            try:
                if reports.write_report(paths, keep_richer=True):
                    written += 1
                else:
                    say(f"Left as it is: {paths.report} shows what is not in its folder any more.")
                if config.tensorboard and paths.config.exists():
                    with folder.locked(paths):
                        write_tensorboard(paths)
            except reports.NothingYet:
                pending.append(paths.root.name)
            except reports.FAILURES as error:
                failed.append(f"{paths.root.name}: {error}")
    for paths in sweeps_of(root):
        try:
            sweep_results.write_results(paths, read_record(paths))
            written += 1
        except reports.FAILURES as error:
            failed.append(f"{paths.root.name}: {error}")
    for name in sorted(set(pending) - set(gallery.stopped_trials(root))):
        say(f"No page yet for {name}, which has no tested networks.")
    for text in failed:
        say(f"No page for {text}")
    index = gallery.write_index(root)
    say(f"Wrote {counted(written, 'report')} and {index}")
    if failed:
        raise RunError(f"{counted(len(failed), 'page')} could not be written.")


def _list(root):
    from .experiments import gallery
    from .visualization import console

    print(console.experiments_table(gallery.cards_of(root), _width()))


def _show(root, name):
    from .experiments import reports
    from .experiments.paths import ArtifactPaths
    from .visualization import console

    # A seed lies in the folder of its experiment.
    within = root / name.rpartition("-seed=")[0] / "replicates" / name
    paths = ArtifactPaths(root / name if (root / name).is_dir() else within)
    if not paths.root.is_dir():
        raise RunError(f"There is no experiment {root / name}; --list names all there are.")
    try:
        found = reports.report_of(paths)
    except reports.FAILURES as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{paths.root} cannot be understood ({one_line(error, 200)}).") from error
    print(console.experiment(found, _width()))


def _width():
    """Of the terminal; in a file nobody cuts names for want of room."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 400


def cli():
    """The command `network-pruning-report`."""
    command.launch(
        __doc__,
        partial(define_flags, kind=ReportConfig),
        report_config_from_flags,
        main,
        OUT_OF_MEMORY,
        INTERRUPTED,
    )


if __name__ == "__main__":
    cli()
