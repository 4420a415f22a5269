"""A sweep from its first trial to its summary."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..experiments import lock
from ..utils import RunError, echo, pluralize
from . import engine, ray_connection, screen, tune_search
from .journal import Journal
from .paths import FAILED, FINISHED, STOPPED, WAITING, SweepPaths

if TYPE_CHECKING:
    from ..settings.sweep import SweepConfig


def run(
    sweep: "SweepConfig",
    command: str,
    write_results: Callable[[SweepPaths, dict[str, Any]], object],
    write_index: Callable[[str], object],
) -> None:
    """Runs the waiting trials of a sweep, and writes tables, figures and pages of all trials.

    Args:
        sweep: the `SweepConfig`.
        command: the command line.
        write_results: makes tables, figures and the page, of the `SweepPaths` and the record.
        write_index: makes the page of all experiments in an output folder.

    Raises:
        RunError: if trials failed, after all others are done, or if no trial can be run.
    """
    ray_connection.check_installed(sweep.search, sweep.ray_address)
    paths = SweepPaths.of(sweep.output_dir, sweep.sweep_id)  # type: ignore[arg-type]
    with lock.locked(paths, "--sweep_id"):
        journal = Journal(sweep, paths, command)
        try:
            if journal.waiting_trials() or not journal.is_complete:
                _run_trials(sweep, paths, journal)
                journal.is_complete = True
            else:
                echo(f"All {pluralize(len(journal.trials), 'trial')} were done before.")
        except KeyboardInterrupt:
            echo(
                f"{screen.beginning(journal.record)}. python -m network-pruning.report makes "
                f"the pages of the finished trials in {paths.output_dir}"
            )
            raise
        finally:
            journal.close()
        write_results(paths, journal.record)
    write_index(sweep.output_dir)
    echo(screen.result(journal.record, journal.best()))
    echo(f"Tables, figures and a page are in {paths.root}")
    waiting = [trial for trial in journal.trials if trial["state"] == WAITING]
    if waiting:
        raise RunError(
            f"{pluralize(len(waiting), 'trial')} could not be run; run the same command again to "
            "continue."
        )
    failed = [trial for trial in journal.trials if trial["state"] == FAILED]
    if failed:
        raise RunError(
            f"{pluralize(len(failed), 'trial')} of {len(journal.trials)} failed; run the same "
            "command to try them again."
        )


def _run_trials(sweep, paths, journal):
    search = _search(sweep, journal)
    job = engine.Job(
        request={"sweep": sweep.to_dict()},
        place=paths.root,
        output_dir=paths.output_dir,
        cpus=sweep.cpus_per_trial,
        gpus=sweep.gpus_per_trial,
        address=sweep.ray_address,
        trials=None if search else [trial["drawn"] for trial in journal.waiting_trials()],
        search=search,
        # Optuna needs an objective with every report.
        every_epoch=search is None or sweep.ends_early,
    )
    echo(f"Sweep {sweep.sweep_id}: {screen.beginning(journal.record)}")
    with screen.Screen(journal.record, journal.seconds_left, journal.best) as shown:
        journal.screen = shown
        engine.run(job, journal.take)


def _search(sweep, journal):
    if not sweep.search:
        return None
    done = [t for t in journal.trials if t["state"] in (FINISHED, STOPPED)]
    return tune_search.TuneSearch(
        varied=dict(sweep.varied),
        kind=sweep.search,
        seed=sweep.first.seed,
        goal=sweep.goal,
        finished=[(t["drawn"], t["objective"] if t["state"] == FINISHED else None) for t in done],
        unfinished=[t["drawn"] for t in journal.waiting_trials()],
        number=sweep.samples - len(done),
        epochs=_most_epochs(sweep) if sweep.ends_early else None,
    )


def _most_epochs(sweep):
    epochs = sweep.varied.get("epochs", (sweep.first.epochs,))
    return max(epochs) if isinstance(epochs, tuple) else epochs.high
