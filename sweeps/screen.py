"""The progress of a sweep: a live table on a terminal, elsewhere a line for each event."""

import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..settings.objective import parsed
from ..utils import middle_cut, pluralize

STATES = ("finished", "stopped", "failed", "running", "waiting")
# Lines of the table: running trials and those that ended last.
SHOWN = 12


class Screen:
    """Shows the progress of a sweep; a context manager.

    Args:
        record: of the sweep, kept up to date by the caller.
        seconds_left: returns an estimate of the remaining time; None if it is not known.
        best: returns the best settings so far, as text.
    """

    def __init__(
        self,
        record: dict[str, Any],
        seconds_left: Callable[[], float | None],
        best: Callable[[], str | None],
    ) -> None:
        self.record, self.seconds_left, self.best = record, seconds_left, best
        self._live: Any = None
        self._latest, self._began = [], time.monotonic()

    def __enter__(self) -> "Screen":
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=sys.stdout, highlight=False)
            self._live = Live(
                get_renderable=lambda: self._table(console.width),
                console=console,
                refresh_per_second=2,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with contextlib.suppress(ValueError):  # the output has been closed
                self._live.stop()

    def show(self, trial: dict[str, Any], before: str, lost: bool = False) -> None:
        """Shows the new state of a trial.

        Args:
            trial: its entry in the record.
            before: its previous state.
            lost: whether its machine or process has died.
        """
        if trial in self._latest:
            self._latest.remove(trial)
        self._latest.append(trial)
        del self._latest[:-SHOWN]
        if self._live is None and (trial["state"] != before or lost):
            print(self._line(trial, lost), flush=True)  # one line each, not wrapped

    def _line(self, trial, lost):
        if lost:
            return f"lost      {trial['experiment_id']}  continues elsewhere"
        parts = [f"{trial['state']:9} {trial['experiment_id']}"]
        if trial["state"] in ("finished", "stopped"):
            parts.append(_reached(self.record, trial))
        if trial["seconds"] and trial["state"] != "running":
            parts.append(duration(trial["seconds"]))
        if trial["note"]:
            parts.append(trial["note"])
        ended = [t for t in self.record["trials"] if t["state"] not in ("running", "waiting")]
        if trial in ended:
            parts.append(f"({len(ended)} of {_number(self.record)}{self._remaining()})")
        return "  ".join(filter(None, parts))

    def _remaining(self):
        seconds = self.seconds_left()
        return "" if seconds is None else f", {duration(seconds)} left"

    def _table(self, width):
        from rich.table import Table
        from rich.text import Text

        record = self.record
        spent = duration(time.monotonic() - self._began)
        table = Table(
            title=f"{record['sweep_id']}: {beginning(record)}",
            caption="\n".join(filter(None, (self.best(), f"{spent}{self._remaining()}"))),
            box=None,
            pad_edge=False,
        )
        objective = record["objective"] or ""
        room = width - len(objective) - len("finished  12345  12 h 59 min") - 8
        table.add_column("trial", no_wrap=True)
        table.add_column("state", no_wrap=True, min_width=8)
        for name, least in (("epoch", 5), (objective, len(objective)), ("time", 6)):
            table.add_column(name, justify="right", no_wrap=True, min_width=least)
        for trial in [*self._latest]:  # another thread adds to it
            table.add_row(
                Text(settings_line(trial["settings"], room)),
                trial["state"],
                str(trial["epochs"] or ""),
                value(record["objective"], trial["objective"]) if record["objective"] else "",
                duration(trial["seconds"]) if trial["seconds"] else "",
            )
        return table


def _number(record):
    return record["samples"] or len(record["trials"])


def beginning(record: dict[str, Any]) -> str:
    """ "18 trials: 2 finished, 16 waiting"."""
    counts = [(state, sum(t["state"] == state for t in record["trials"])) for state in STATES]
    listed = ", ".join(f"{number} {state}" for state, number in counts if number)
    return f"{pluralize(_number(record), 'trial')}{f': {listed}' if listed else ''}"


def settings_line(settings: Mapping[str, Any], room: int) -> str:
    """The varied settings of a trial in one line; only their values if names do not fit."""
    named = " ".join(f"{name}={value}" for name, value in settings.items())
    return named if len(named) <= room else middle_cut(" ".join(map(str, settings.values())), room)


def _reached(record, trial):
    if trial["objective"] is None:
        return ""
    return f"{record['objective']} {value(record['objective'], trial['objective'])}"


def value(objective: str, number: float | None) -> str:
    """A value of the objective as text."""
    column = parsed(objective)[0]
    if number is None:
        return "–"
    if "accuracy" in column or "sparsity" in column:
        return f"{100 * number:.2f} %"
    if "bytes" in column:
        return f"{number:,.0f} bytes"
    if column in ("compression_ratio", "speedup"):
        return f"{number:,.1f}×"
    return f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"


def result(record: dict[str, Any], best: str | None) -> str:
    """The lines at the end of a sweep: counts, the best settings, and failures with reasons."""
    lines = [beginning(record), *([best] if best else [])]
    failed = [trial for trial in record["trials"] if trial["state"] == "failed"]
    lines += [f"Failed: {trial['experiment_id']}: {trial['note']}" for trial in failed]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds as "45 s", "12 min" or "3 h 20 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
