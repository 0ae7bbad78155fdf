"""Families of measurements and how they are read from a lake; which there are stands in `forecasting` and `operations`.

Names and units are Prometheus' conventions: seconds, ratios of 1, counters that end in `_total`, times as seconds since 1970, of which a rule takes
the age. A week's time is that of its Monday, 00:00 UTC.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from transforms.lake.tables import Lake

_IN_A_STORE_SECONDS = 300.0
Value = float | int | bool
Rows = Sequence[tuple[tuple[str, ...], Value]]
"""Values of a family, each with those of its labels."""


@dataclass(frozen=True, slots=True)
class Family:
    """Series of one name."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: Rows
    kind: Literal["gauge", "counter"] = "gauge"


@dataclass(frozen=True)
class Collector:
    """Families that are read together, from these tables and from the files below the root that `beside` names."""

    name: str
    tables: tuple[str, ...]
    read: Callable[[Lake], list[Family]]
    beside: tuple[str, ...] = ()

    def state(self, lake: Lake) -> object:
        """What changes whenever other numbers might be read: versions of the tables, and names, sizes and times of the files.

        Of a lake in a store, whose files are copied here, the time in steps of some minutes stands for its files.
        """
        versions = lake.versions(self.tables)
        if not self.beside or not lake.is_local:
            return versions, time.monotonic() // _IN_A_STORE_SECONDS if self.beside else 0
        found = sorted(path for name in self.beside for path in (lake.path(name), *lake.path(name).rglob("*")))
        return versions, [(str(path), *_stat(path)) for path in found]


def _stat(path: Path) -> tuple[int, int]:
    """Size and time of a file; a name that is gone, or was never there, has none."""
    try:
        found = path.lstat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def query(lake: Lake, sql: str, *tables: str) -> list[tuple[Any, ...]]:
    """Rows of DuckDB SQL over tables, each a view named `layer_table`."""
    with lake.connect(*tables) as connection:
        return connection.execute(sql).fetchall()


def measured(rows: Iterable[Mapping[str, Any]], labels: Sequence[str], column: str) -> Rows:
    """Values of a column; rows of which it was not measured are left out."""
    return [(tuple(row[label] for label in labels), row[column]) for row in rows if row[column] is not None]


def known(rows: Iterable[tuple[str, Value | None]]) -> Rows:
    """Values by their one label; those that are not known are left out."""
    return [((label,), value) for label, value in rows if value is not None]


def seconds(week: date) -> float:
    """The time of a week, by its Monday."""
    return datetime(week.year, week.month, week.day, tzinfo=UTC).timestamp()
