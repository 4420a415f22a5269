"""Makes the pages of all experiments again, or prints them in the terminal.

python -m network-pruning.report
python -m network-pruning.report --list
python -m network-pruning.report --show=digits-20-lr=0.001-l1=0.0-l2=0.0
"""

if __name__ == "__main__" and __package__ != "network_pruning":
    # As in train.py: the program runs under one name; this does not return.
    from .__main__ import run

    run("report")

import shutil
import sys
from functools import partial
from pathlib import Path

from .cli import launch
from .cli.flags import define_flags, report_config_from_flags
from .cli.messages import with_flags
from .settings.logs import logs_of
from .settings.report import ReportConfig
from .utils import RunError, UsageError, echo, one_line, pluralize

OUT_OF_MEMORY = "Close other programs, then run the same command again."
INTERRUPTED = "Finished pages are complete; run the same command again to continue."


def main(config: ReportConfig) -> None:
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
    from .experiments import finished
    from .pages import experiment_page, index_page, publish, sweep_results
    from .sweeps.paths import read_record, sweeps_of

    publish.check(config)
    written, pending, failed, unlogged = 0, [], [], []
    for experiment in index_page.experiments_of(root):
        for paths in (*experiment.seeds().values(), experiment):
            try:
                if experiment_page.write_report(paths, keep_richer=True):
                    written += 1
                else:
                    echo(f"Kept: {paths.report} has diagnostics that its folder lacks now.")
                unlogged += _unlogged(config, paths)
            except experiment_page.NothingYet:
                pending.append(paths.root.name)
            except finished.FAILURES as error:
                failed.append(f"{paths.root.name}: {with_flags(error)}")
    for paths in sweeps_of(root):
        try:
            sweep_results.write_results(paths, read_record(paths))
            written += 1
        except finished.FAILURES as error:
            failed.append(f"{paths.root.name}: {with_flags(error)}")
    for name in sorted(set(pending) - set(index_page.stopped_trials(root))):
        echo(f"No page yet for {name}, which has no tested networks.")
    for text in failed:
        echo(f"No page for {text}")
    for text in unlogged:
        echo(f"Not logged: {text}")
    index = index_page.write_index(root)
    echo(f"Wrote {pluralize(written, 'report')} and {index}")
    if failed:
        raise RunError(f"{pluralize(len(failed), 'page')} could not be written.")
    if unlogged:
        raise RunError(f"{pluralize(len(unlogged), 'experiment')} could not be logged.")


def _unlogged(config, paths):
    """Logs an experiment; what could not be written, and why."""
    from .experiments import finished, lock
    from .pages.publish import write_log

    for name in logs_of(config):
        try:
            with lock.locked(paths):
                write_log(name, paths)
        except finished.FAILURES as error:
            yield f"{paths.root.name}, to {name}: {with_flags(error)}"


def _list(root):
    from .pages import index_page
    from .visualization import console

    print(console.experiments_table(index_page.entries_of(root), _width()))


def _show(root, name):
    from .experiments import finished
    from .experiments.paths import ArtifactPaths
    from .pages import experiment_page
    from .visualization import console

    paths = ArtifactPaths(root / name).or_seed()
    if not paths.root.is_dir():
        raise RunError(f"There is no experiment {root / name}; --list shows all.")
    try:
        found = experiment_page.report_of(paths)
    except finished.FAILURES as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{paths.root} cannot be read ({one_line(error, 200)}).") from error
    print(console.experiment(found, _width()))


def _width():
    """The width of the terminal; wide enough for all names if the output is a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 400


def cli() -> None:
    """The command `network-pruning report`."""
    launch.launch(
        __doc__,
        partial(define_flags, kind=ReportConfig),
        report_config_from_flags,
        main,
        OUT_OF_MEMORY,
        INTERRUPTED,
    )


if __name__ == "__main__":
    cli()
