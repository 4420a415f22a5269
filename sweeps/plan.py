"""What a sweep would run, and how long by the times of finished experiments: `--dry_run`."""

from ..experiments import durations
from ..utils import pluralize
from .journal import check_free, is_done
from .paths import FINISHED, STOPPED, SweepPaths, read_record
from .ray_connection import cores
from .screen import duration


def plan(sweep):
    """What would run, as a text: every trial, or what a search draws from.

    Args:
        sweep: the `SweepConfig`.

    Raises:
        RunError: if experiments of another kind lie where the trials belong.
    """
    rows = durations.noted(sweep.output_dir)
    lines, seconds = (_search if sweep.search else _grid)(sweep, rows)
    return "\n".join([*lines, _total(sweep, seconds)])


def _search(sweep, rows):
    """What is said of a search, and how long each trial that is left may take."""
    done = _done(sweep)
    before = f", of which {done} are done" if done else ""
    lines = [f"{pluralize(sweep.samples, 'experiment')}{before}, drawn by {sweep.search} from"]
    lines += [f"  --{name}={_listed(values)}" for name, values in sweep.varied.items()]
    ends = [durations.estimate(config, rows) for config in (sweep.first, sweep.last)]
    middle = None if None in ends else sum(ends) / 2
    return lines, [middle] * (sweep.samples - done)


def _done(sweep):
    """How many trials of a search have been done before."""
    record = read_record(SweepPaths.of(sweep.output_dir, sweep.sweep_id))
    if record is None or record.get("asked") != sweep.identity():
        return 0
    return sum(trial["state"] in (FINISHED, STOPPED) for trial in record["trials"])


def _listed(values):
    return ",".join(map(str, values)) if isinstance(values, tuple) else str(values)


def _grid(sweep, rows):
    """The same of all combinations."""
    configs = [sweep.trial(values) for values in sweep.grid()]
    is_forced = sweep.settings.get("force_train")
    if not is_forced:
        check_free(configs)
    load, lines, seconds = {}, [f"{pluralize(sweep.number, 'experiment')}:"], []
    for config in configs:
        if config.replicates == 1 and not is_forced and is_done(sweep, config, load):
            about = "is finished"
        else:
            seconds.append(durations.estimate(config, rows))
            about = duration(seconds[-1])
        lines.append(f"  {config.experiment_id}  {about}")
    return lines, seconds


def _total(sweep, seconds):
    known = [value for value in seconds if value is not None]
    if not seconds:
        return "All are finished."
    if not known:
        return (
            "How long is not known: no experiment like these has been finished in this folder yet."
        )
    total = sum(known) / len(known) * len(seconds)
    beside = max(1, cores() // sweep.cpus_per_trial)
    guessed = "" if len(known) == len(seconds) else " (some by the others)"
    return (
        f"About {duration(total)} one after the other{guessed}; on this machine "
        f"{beside} at a time, {duration(total / min(beside, len(seconds)))} or more."
    )
