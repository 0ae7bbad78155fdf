"""What the values of a file look like as a whole, where no single one breaks its contract: names of weeks, events without end, units, places.

What is worth a sentence is returned as sentences, for the record of the file. Rules for one row are `transforms.adapters.validation`'s.
"""

from datetime import date, datetime

import duckdb

from transforms.adapters.expressions import Kinds, converted
from transforms.adapters.mapping import row_filter
from transforms.adapters.moments import WEEKDAYS
from transforms.adapters.spec import FileSpec, ProviderSpec
from transforms.contracts import SOURCES, Source
from transforms.errors import LandingFileRefused
from transforms.lake.database import quoted

_TELLING_DAYS = 5
"""Different dates from which on one weekday throughout is no chance: days from Monday to Saturday hit that once in 1,300 files of five."""
_YEARS_AHEAD = 5
"""Whole years after a file came that its events can reach to."""
_NAMED = 3
_CLIMATE = (
    # Coldest and hottest of places with stores: Oymyakon's January and Kuwait's July. Mawsynram's June has 90 mm a day.
    ("tmin_c", "degC", -60, 40, ("fahrenheit", "tenth", "tenth_fahrenheit")),
    ("tmax_c", "degC", -55, 50, ("fahrenheit", "tenth", "tenth_fahrenheit")),
    ("precip_mm", "mm", 0, 100, ("tenth", "hundredth_inch")),
)
"""Column, unit, bounds of what half of the days are like, and units of other providers."""


def refuse_unnamed_weeks(connection: duckdb.DuckDBPyConnection, spec: FileSpec, provider: ProviderSpec, kinds: Kinds, name: str) -> None:
    """Refuse days that look like names of weeks: all of one weekday that is no Monday. A week from Sunday on would be known before it has ended."""
    week = spec.columns.get("week")
    if week is None or not week.sources or week.clean != "week" or week.weekday is not None:
        return
    day = converted(SOURCES["shipments"]["week"], week.as_written(), provider, kinds)
    days, weekday, first = connection.execute(
        f"""
        with written as (select distinct {", ".join(map(quoted, week.sources))} from raw where {row_filter(spec, kinds)}),
        days as (select distinct {day} as day from written)
        select count(day), case when min(isodow(day)) = max(isodow(day)) then min(isodow(day)) end, min(day) from days
        """
    ).fetchall()[0]
    if days < _TELLING_DAYS or weekday in {None, 1}:
        return
    named = WEEKDAYS[weekday - 1]
    raise LandingFileRefused(
        f"{name}, column week: expected days of all kinds for 'clean: week', came {days} dates that are {named.capitalize()}s throughout (the first "
        f"{first}): are they names of weeks? Say in the provider YAML 'week_starts: {named}' or 'week_ends: {named}' in place of 'clean: week', "
        f"whichever day of its week the date is; or 'weekday: {named}' beside it if they are days on which something happened."
    )


def clip_endless(connection: duckdb.DuckDBPyConnection, spec: FileSpec, arrived_at: datetime) -> list[str]:
    """Let events that never end (9999-12-31) end some years after their file came, and say so: each of their weeks is a row later on."""
    if "end_date" not in spec.columns:
        return []
    last = date(arrived_at.year + _YEARS_AHEAD, 12, 31)
    endless = f"end_date > greatest(start_date, date '{last}')"
    count, example = connection.execute(
        f"select count(*), min(end_date) from mapped where {endless} and row not in (select row from broken)"
    ).fetchall()[0]
    if not count:
        return []
    connection.execute(f"update mapped set end_date = greatest(start_date, date '{last}') where {endless}")
    return [
        f"{count} of its events end after {last} (the first on {example}): they count up to that day. Drop the file again with new dates by then."
    ]


def unserved_places(connection: duckdb.DuckDBPyConnection, contract: Source, spec: FileSpec, provider: ProviderSpec, kinds: Kinds) -> list[str]:
    """Say which places of weather are no store's."""
    place = spec.columns.get("place")
    if place is None or not contract.sliced:
        return []
    connection.execute(
        f"""
        create or replace temp table unserved as
        with written as (select {converted(contract["place"], place, provider, kinds)} as place from raw where {row_filter(spec, kinds)})
        select place, count(*) as n from written
        where place is not null and place not in (select place from stores where place is not null) group by place
        """
    )
    [(rows, places, some)] = connection.execute(
        f"select coalesce(sum(n), 0)::bigint, count(*), array_to_string(array_agg(place order by n desc, place)[:{_NAMED}], ', ') from unserved"
    ).fetchall()
    if not rows:
        return []
    taken, served = connection.execute(
        f"select (select count(*) from mapped), array_to_string((select array_agg(distinct place order by place) from stores)[:{_NAMED}], ', ')"
    ).fetchall()[0]
    rest = "none of its rows is of one" if not taken else f"{rows} of its rows are of others"
    serve = "place that serves" if places == 1 else "places that serve"
    return [
        f"Stores have weather from places like {served or '(none)'}; {rest}: it names {places} {serve} no store, like {some}. "
        "If they are the same places, write them alike ('place' of the stores, or 'map' in the provider YAML)."
    ]


def implausible_climate(connection: duckdb.DuckDBPyConnection, contract: Source, spec: FileSpec) -> list[str]:
    """Say where weather is as on no place with stores, day for day: its numbers are of another unit."""
    notes = []
    for column, unit, low, high, units in _CLIMATE:
        if column not in contract.names or column not in spec.columns or not spec.columns[column].sources:
            continue
        found = connection.execute(
            f"""
            select place, median({column}) as usual, count(distinct row) from mapped
            where row not in (select row from broken) group by place
            having count(distinct row) >= {_TELLING_DAYS} and median({column}) not between {low} and {high} order by abs(median({column})) desc, place
            """
        ).fetchall()
        if found:
            place, usual, days = found[0]
            more = f" ({len(found)} places are like that)" if len(found) > 1 else ""
            others = "".join(f" or {other!r}" for other in units[1:])
            notes.append(
                f"Its {column} at {place} has a median of {usual:g} {unit} over {days} days{more}: expected {low} to {high} {unit}. Is it of "
                f"another unit? Say in the provider YAML, at {column}, 'unit: {units[0]}'{others}."
            )
    return notes
