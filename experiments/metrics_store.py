"""The stored results in `metrics.csv`: networks with a row are not made or tested again."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..utils import check_writes, echo
from ..visualization import csv


class MetricsStore:
    """The rows of `metrics.csv` by the digest of their key, which the column `recipe` has; every
    new row is written at once.

    Raises:
        RunError: if the file is not such a table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        table = csv.read_metrics(path)
        self._rows = {}
        if table is not None and "dataset" not in table:
            # Early versions did not write the settings, which are needed here.
            kept = path.with_name("metrics-of-earlier-version.csv")
            check_writes()
            path.replace(kept)
            echo(f"{path.name} is of an earlier version: it is kept as {kept.name}, and replaced.")
        elif table is not None:
            self._rows = {row["recipe"]: row for row in table.to_dict("records")}

    def __contains__(self, digest: object) -> bool:
        return digest in self._rows

    def __getitem__(self, digest: str) -> dict[str, Any]:
        return self._rows[digest]

    def add(self, row: dict[str, Any]) -> None:
        """Writes the table with this row, replacing one of the same key."""
        self._rows[row["recipe"]] = row
        csv.write_metrics(self.path, self._table(self._rows.values()))

    def rows(self, digests: Iterable[str]) -> pd.DataFrame:
        """The rows of keys with these digests, as a table."""
        return self._table(self._rows[digest] for digest in digests)

    @staticmethod
    def _table(rows):
        return csv.typed(pd.DataFrame(list(rows)))
