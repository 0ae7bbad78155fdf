"""What does not match between sources, and weeks that are missing or ten times the others: rows that follow their contract and look odd together."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np

from transforms.adapters import ProviderSpec
from transforms.arrays import Floats64
from transforms.contracts import SOURCES
from transforms.lake.database import open_database

Select = Callable[[str, bool], str]
"""SQL over the rows of a source as mapped; with True also the first and last day of each."""
_NAMED = 3
_JUMP = 8.0
"""Ratio to the weeks around from which a week is told: units and decimals that are taken wrongly make it 10, 100 or a case's size."""
_AROUND = 4
_FEW = 20
"""Units of a usual week below which jumps tell nothing."""


def remarks_of(select: Select, provider: ProviderSpec) -> Iterator[str]:
    """Yield a sentence for each thing that a person should look at."""
    with open_database() as connection:
        for source in SOURCES:
            connection.execute(f"create temp view {source} as {select(source, False)}")
        yield from _joins(connection, provider)
        yield from _formats(connection)
        yield from _last_day(connection, select("shipments", True))
        for source, units in (("shipments", "units_shipped"), ("returns", "units_returned")):
            totals = connection.execute(
                f"select region, week, sum({units})::double from {source} where region is not null group by all order by all"
            ).fetchall()
            for region in dict.fromkeys(row[0] for row in totals):
                weeks = {week: units for other, week, units in totals if other == region}
                if source == "shipments":
                    yield from gaps(str(region), weeks)
                yield from jumps(f"{source} of {region}", weeks)


def gaps(region: str, totals: dict[date, float]) -> Iterator[str]:
    """Say which weeks between the first and the last have no deliveries at all."""
    if not totals:
        return
    first, last = min(totals), max(totals)
    expected = [first + timedelta(weeks=week) for week in range((last - first).days // 7 + 1)]
    if missing := [week for week in expected if week not in totals]:
        yield f"shipments of {region}: {len(missing)} of {len(expected)} weeks have none, {_listed(missing)}. Is a file missing?"


def jumps(what: str, totals: dict[date, float]) -> Iterator[str]:
    """Say which weeks are about ten times the weeks around them or a tenth of them, and where the level changes like that for good."""
    weeks = sorted(totals)
    values = np.asarray([totals[week] for week in weeks])
    told: list[tuple[date, float, float]] = []
    for at, week in enumerate(weeks):
        around = np.concatenate([values[max(at - _AROUND, 0) : at], values[at + 1 : at + 1 + _AROUND]])
        usual = float(np.median(around)) if around.size >= 2 else 0.0
        if min(usual, values[at]) > 0 and max(usual, values[at]) >= _FEW and not 1 / _JUMP < values[at] / usual < _JUMP:
            told.append((week, float(values[at]), usual))
    if told:
        week, value, usual = told[0]
        more = f", and {len(told) - 1} more weeks like it" if len(told) > 1 else ""
        around_it = f"{value:,.0f} units in week {week}, {usual:,.0f} in the weeks around it{more}"
        yield f"{what}: {around_it}. Is a decimal sign or a unit (tenths, cases) taken wrongly?"
    elif (place := _change(values)) is not None:
        before, after = _levels(values, place)
        yield f"{what}: {before:,.0f} units a week up to {weeks[place - 1]}, {after:,.0f} from {weeks[place]} on. Has the unit changed?"


def _levels(values: Floats64, at: int) -> tuple[float, float]:
    """The medians of the weeks before and from a place on."""
    return float(np.median(values[at - _AROUND : at])), float(np.median(values[at : at + _AROUND]))


def _change(values: Floats64) -> int | None:
    """The place from which on the level is another one; None where it stays."""
    found = []
    for at in range(_AROUND, len(values) - _AROUND + 1):
        before, after = _levels(values, at)
        if min(before, after) > 0 and max(before, after) >= _FEW and not 1 / _JUMP < after / before < _JUMP:
            found.append(at)
    return max(found, key=lambda at: abs(np.log((values[at] + 1) / (values[at - 1] + 1)))) if found else None


def _joins(connection: duckdb.DuckDBPyConnection, provider: ProviderSpec) -> Iterator[str]:
    """Say which references of one source name nothing in another; what the look at landing tells of itself is left to it."""
    weather = [source for source in ("weather_observed", "weather_forecast") if source in provider.sources]
    pairs = [
        ("stores", "store_id", "shipments", "store_id", "stores have no delivery"),
        ("products", "product_id", "shipments", "product_id", "products have no delivery"),
        *(("stores", "place", source, "place", f"weather places of stores are not among those of {source}") for source in weather),
    ]
    for source, column, other, there, told in pairs:
        if source not in provider.sources or other not in provider.sources:
            continue
        rows = connection.execute(
            f"""
            with mine as (select distinct {column} as value from {source} where {column} is not null),
            theirs as (select distinct {there} as value from {other} where {there} is not null)
            select value, (select count(*) from mine), value in (select value from theirs), (select count(*) from theirs) from mine order by value
            """
        ).fetchall()
        missing = [value for value, _, known, _ in rows if not known]
        if missing and rows[0][3]:
            alike = " None matches: compare how both are written (letter case, zeros in front)." if len(missing) == len(rows) else ""
            yield f"{len(missing)} of {rows[0][1]} {told}: {_listed(missing)}.{alike}"
    for source in weather:
        [(places, stores)] = connection.execute(f"select (select count(distinct place) from {source}), (select count(place) from stores)").fetchall()
        if not stores or not places:
            yield f"{source}: no store has weather, since {'no store names a place' if not stores else 'none of its places serves a store'}."


def _formats(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say how the stores are spread, where that leaves nothing to tell apart."""
    rows = connection.execute("select region, count(*), count(distinct format) from stores group by region order by region").fetchall()
    if rows and all(formats == 1 for _, _, formats in rows):
        yield "All stores of a region are of one format: there will be half of the models. Is 'format' mapped rightly?"
    if small := [region for region, stores, _ in rows if stores < 3]:
        yield f"Regions with less than 3 stores: {_listed(small)}. Is 'region' mapped rightly?"


def _last_day(connection: duckdb.DuckDBPyConnection, with_days: str) -> Iterator[str]:
    """Say that the newest week is not over, where days tell."""
    [(week, last)] = connection.execute(f"select max(week), max(last_day) from ({with_days}) where last_day is not null").fetchall()
    if week is not None and last is not None and (days := (last - week).days + 1) < 6:
        yield (
            f"shipments: the newest week, {week}, ends on its day {days} ({last}): it is not over. Forecast from the week before: "
            f"'shelfcast run --week {week - timedelta(weeks=1)}'."
        )


def _listed(values: Sequence[Any]) -> str:
    named = ", ".join(str(value) for value in values[:_NAMED])
    return f"like {named}" if len(values) > _NAMED else named
