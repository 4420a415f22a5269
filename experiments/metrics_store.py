"""`metrics.csv` as a memory: a network that has its row there is not made or tested again."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..utils import check_writes, echo
from ..visualization import csv


class MetricsStore:
    """The rows of `metrics.csv` by the digest of their recipe; every new one is written at once.

    Raises:
        RunError: if there is a file that is not such a table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        table = csv.read_metrics(path)
        self._rows = {}
        if table is not None and "dataset" not in table:
            # Of a version that did not write the settings: it cannot be interpreted alone.
            kept = path.with_name("metrics-of-earlier-version.csv")
            check_writes()
            path.replace(kept)
            echo(f"{path.name} is of an earlier version: it is kept as {kept.name} and made anew.")
        elif table is not None:
            self._rows = {row["recipe"]: row for row in table.to_dict("records")}

    def __contains__(self, digest: object) -> bool:
        return digest in self._rows

    def __getitem__(self, digest: str) -> dict[str, Any]:
        return self._rows[digest]

    def add(self, row: dict[str, Any]) -> None:
        """Writes the table with this row, in the place of one of the same recipe."""
        self._rows[row["recipe"]] = row
        csv.write_metrics(self.path, self._table(self._rows.values()))

    def rows(self, digests: Iterable[str]) -> pd.DataFrame:
        """The rows of these recipes as a table."""
        return self._table(self._rows[digest] for digest in digests)

    @staticmethod
    def _table(rows):
        return csv.typed(pd.DataFrame(list(rows)))
