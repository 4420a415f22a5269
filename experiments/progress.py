"""How far a long step is: a bar on a terminal, lines elsewhere."""

import sys
import time
from functools import cache
from typing import Any

from ..utils import COLUMNS, echo, pluralize, shortened

SECONDS_BETWEEN_LINES = 60


def progress(**options: Any) -> Any:
    """A progress bar on a terminal; elsewhere, as in the log of a job, a line every minute, and
    none in the first."""
    if sys.stdout.isatty():
        return _bar()(leave=False, dynamic_ncols=True, file=sys.stdout, **options)
    return _Lines(**options)


class _Lines:
    """Lines with what is done and how long the rest takes, with the interface of a bar."""

    def __init__(self, total: int, desc: str = "", unit: str = "") -> None:
        self.total, self.desc, self.n = total, desc or f"{pluralize(total, unit)}", 0
        self._begun = self._said = time.monotonic()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def update(self, number: int = 1) -> None:
        """Adds to what is done."""
        self.n += number
        now = time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES and self.n < self.total:
            self._said = now
            left = (now - self._begun) * (self.total - self.n) / self.n
            echo(f"  {self.desc}: {self.n / self.total:.0%}, {left / 60:.1f} minutes left")

    def set_description(self, desc: str, refresh: bool = True) -> None:  # noqa: ARG002 - as tqdm
        """Changes what is in front."""
        self.desc = desc

    def reset(self) -> None:
        """Begins again with nothing done."""
        self.n, self._begun = 0, time.monotonic()

    def close(self) -> None:
        """Ends it."""


@cache
def _bar():
    """tqdm's bar, with a description that leaves room for the numbers after it."""
    from tqdm import tqdm

    class Bar(tqdm):
        @property
        def format_dict(self):
            meter = super().format_dict
            room = (meter["ncols"] or COLUMNS) - _METER_COLUMNS
            return {**meter, "prefix": shortened(self.desc.removesuffix(": "), room)}

    return Bar


# The width of the numbers: ": 100%|#####| 4688/4688 [00:59<00:00, 79.46network/s]".
_METER_COLUMNS = 55
