"""Files that say again what other files say.

Where files add up, one that says nearly the same would double what was delivered. Where they replace each other, the later one holds; of two that
arrive at the same time neither is known to be the later.

Days of a week and trucks of a day hold the same stores, products and weeks as well, so rows are compared only with rows of the same days, and a file
repeats others only where nearly all of its rows have a counterpart with nearly the same units. How often deliveries that are independent look
like that was measured by taking each week for a second delivery of the week before: none of 484 files of a region (Iowa), none of 1,199 days of 35
bakeries, none of 121 weeks of 83 supermarkets, 42 of 34,330 files of one store.
"""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from transforms.contracts import SOURCES
from transforms.lake.database import open_database
from transforms.landing.files import Identity, LandingFile
from transforms.landing.staging import Staging

_SHARED = 0.8
"""Least share of a week's rows that others have, for the week to be repeated."""
_NEAR = 0.8
"""Least share of those that have nearly the same units: at most `_APART` of the greater number apart."""
_APART = 0.25
_SAME = 0.5
"""Least share of those that have the same units."""
_TELLING = 10
"""Rows with the same units in repeated weeks that are enough to hold a file which holds more new rows than repeated ones."""
_NAMED = 3


def repetition(staged: Staging, file: LandingFile, rows: pa.Table, others: Sequence[Identity]) -> str | None:
    """Say which files the rows repeat, and what to do; None where they are deliveries of their own.

    Parameters
    ----------
    rows
        What the file holds: the contract's columns with `first_day` and `last_day`.
    others
        Versions whose rows count, without the file's own.
    """
    contract = SOURCES[file.source]
    key = [name for name in contract.key if name != "region"]
    [units] = [column.name for column in contract.columns if column.kind == "integer"]
    with open_database() as connection:
        connection.register("rows", rows)
        _pair(connection, key, units, staged.select(file.source, others, days=True))
        n, shared, same, first, last = connection.execute(
            """
            select count(*), count(others) filter (where repeated), count(*) filter (where same and repeated),
                min(week) filter (where repeated), max(week) filter (where repeated)
            from pairs
            """
        ).fetchall()[0]
        if not shared or (same < _TELLING and shared < n / 2):
            return None
        files = connection.execute(
            "select source_file from there join pairs using (number) where repeated group by source_file order by count(*) desc, source_file"
        ).fetchall()
        named = " || ', ' || ".join(f"'{name} ' || {name}" for name in key)
        other = connection.execute(
            f"""
            select '; the first with others is ' || {named} || ': ' || units || ' units here, ' || others || ' there'
            from pairs where repeated and not same order by {", ".join(key)} limit 1
            """
        ).fetchall()
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    return (
        f"{file.name}: held, since its files add up and it says again what is on record for {first if first == last else f'{first}..{last}'}: "
        f"of its {n} rows of {file.source} {shared} stand in {', '.join(name for (name,) in files[:_NAMED])}{more}, {same} of them with the same "
        f"units{other[0][0] if other else ''}. Give it the name of the file that it replaces, or name it under 'counted' in the provider YAML if it "
        "was delivered beside."
    )


def contradiction(staged: Staging, file: LandingFile, rows: pa.Table, others: Sequence[Identity]) -> str | None:
    """Say where a file and others that arrived with it say different things about the same; None where they do not.

    Parameters
    ----------
    rows
        What the file holds, in the contract's columns.
    others
        Versions of files that replace each other and arrived at the same time, so that none of them is known to be the later word.
    """
    contract = SOURCES[file.source]
    key = [name for name in contract.key if name != "region"]
    values = [name for name in contract.names if name not in {*contract.key, "known_at"}]
    differing = " or ".join(f"m.{name} is distinct from o.{name}" for name in values)
    named = " || ', ' || ".join(f"'{name} ' || m.{name}" for name in key)
    shown = [" || ', ' || ".join(f"coalesce({side}.{name}::varchar, 'nothing')" for name in values) for side in ("m", "o")]
    with open_database() as connection:
        connection.register("rows", rows)
        [(count, first, last)] = connection.execute(
            f"""
            select count(*), min(o.source_file || ', the first being ' || {named} || ': ' || {shown[0]} || ' here, ' || {shown[1]} || ' there'),
                max(o.source_file)
            from rows as m join ({staged.select(file.source, others)}) as o using ({", ".join([*key, "known_at"] if "known_at" not in key else key)})
            where {differing}
            """
        ).fetchall()
    if not count:
        return None
    return (
        f"{count} of its rows say otherwise than {first}. Both arrived at the same time: {max(file.name, last)} counts, whose name is the later one. "
        "Remove the file that does not hold, or drop the later one after the other."
    )


def _pair(connection: duckdb.DuckDBPyConnection, key: Sequence[str], units: str, others: str) -> None:
    """Make the tables `there` (rows of other files about the same) and `pairs` (each row with their sum, and whether its week is repeated)."""
    same_key = " and ".join(f"o.{name} = m.{name}" for name in key)
    connection.execute(
        f"""
        create temp table mine as
        select row_number() over () as number, {", ".join(key)}, {units} as units, first_day, last_day from rows where {units} > 0;
        create temp table there as
        select m.number, o.source_file, o.{units} as units
        from mine as m join ({others}) as o on {same_key} and o.first_day <= m.last_day and o.last_day >= m.first_day;
        create temp table pairs as
        with told as (select number, sum(units)::bigint as others from there group by number),
        compared as (
            select mine.*, others, others = units as same, abs(others - units) <= {_APART} * greatest(others, units) as near
            from mine left join told using (number)
        )
        select
            *, count(others) over w >= {_SHARED} * count(*) over w and count(*) filter (where near) over w >= {_NEAR} * count(others) over w
                and count(*) filter (where same) over w >= {_SAME} * count(others) over w as repeated
        from compared window w as (partition by week)
        """
    )
