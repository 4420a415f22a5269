"""The plan of a sweep: `--dry_run`."""

from typing import TYPE_CHECKING

from ..utils import pluralize
from .journal import check_free, is_done
from .paths import FINISHED, STOPPED, SweepPaths, read_record

if TYPE_CHECKING:
    from ..settings.sweep import SweepConfig


def plan(sweep: "SweepConfig") -> str:
    """The trials that would run, as text, or the distributions of a search.

    Args:
        sweep: the `SweepConfig`.

    Raises:
        RunError: if folders of the trials have other experiments.
    """
    return "\n".join((_search if sweep.search else _grid)(sweep))


def _search(sweep):
    done = _done(sweep)
    before = f", of which {done} are done" if done else ""
    yield f"{pluralize(sweep.samples, 'experiment')}{before}, drawn by {sweep.search} from"
    for name, values in sweep.varied.items():
        yield f"  --{name}={_listed(values)}"


def _done(sweep):
    """How many trials of a search are done already."""
    record = read_record(SweepPaths.of(sweep.output_dir, sweep.sweep_id))
    if record is None or record.get("asked") != sweep.identity():
        return 0
    return sum(trial["state"] in (FINISHED, STOPPED) for trial in record["trials"])


def _listed(values):
    return ",".join(map(str, values)) if isinstance(values, tuple) else str(values)


def _grid(sweep):
    configs = [sweep.trial(values) for values in sweep.grid()]
    is_forced = sweep.settings.get("force_train")
    if not is_forced:
        check_free(configs)
    load, num_waiting = {}, 0
    yield f"{pluralize(sweep.number, 'experiment')}:"
    for config in configs:
        is_finished = config.replicates == 1 and not is_forced and is_done(sweep, config, load)
        num_waiting += not is_finished
        yield f"  {config.experiment_id}{'  is finished' if is_finished else ''}"
    yield f"{num_waiting} to run." if num_waiting else "All are finished."
