"""Families of measurements and how they are read from a lake; which there are stands in `forecasting` and `operations`.

Names and units are Prometheus' conventions: seconds, ratios of 1, counters that end in `_total`, times as seconds since 1970, of which a rule takes
the age. A week's time is that of its Monday, 00:00 UTC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from transforms.lake.tables import Lake

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
    """Families that are read together, from these tables alone and, where `beside` is true, from files beside them."""

    name: str
    tables: tuple[str, ...]
    read: Callable[[Lake], list[Family]]
    beside: bool = False


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
