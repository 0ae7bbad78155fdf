"""Files that say again what other files say.

Where files add up, one that says the same again, or corrects it, would double what was delivered. Where they replace each other, the later one holds;
of two that arrive at the same time neither is known to be the later.

Days of a week and trucks of a day hold the same stores, products and weeks as well, so rows are compared only with rows of the same days. A file
repeats others where it is about the same keys as they are, whatever the units are, or where nearly all of its rows have a counterpart with nearly
the same units. Names may tell deliveries apart that are about the same keys (trucks, orders, days of a week): those with nearly the same units are
held all the same. How often deliveries that are independent look like repetitions was measured by taking each week for a second delivery of the week
before: none of 3,928 weeks of a region (Iowa), 2.7 % of 219,580 weeks of one store, half of them of one or two rows (0.4 % of those of ten or more).
Where the same products go to the same stores each time, and neither days nor names tell deliveries apart, most do: 966 of 1,185 days of a bakery.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from transforms.contracts import SOURCES
from transforms.lake.database import literal, open_database
from transforms.landing.files import Identity, LandingFile
from transforms.landing.staging import Staging

_ALIKE = 2 / 3
"""Least share of the keys of a week, here or there, that are in both, for both to be about the same."""
_SHARED = 0.8
"""Least share of a week's rows that others have, for the week to be repeated."""
_NEAR = 0.8
"""Least share of those that have nearly the same units: at most `_APART` of the greater number apart."""
_APART = 0.25
_SAME = 0.5
"""Least share of those that have the same units."""
_TELLING = 10
"""Rows with the same units in repeated weeks that are enough to hold a file which holds more new rows than repeated ones."""
_FEW = 3
"""Rows from which on nearly the same units for a few keys of many are no chance."""
_NAMED = 3
_DELIVERY = re.compile(
    r"(?:^|[^a-z])(truck|lorry|lkw|camion|van|tour|route|ruta|trip|load|part|teil|depot|warehouse|lager|order|auftrag|bestellung|commande|pedido|"
    r"invoice|rechnung|facture|factura|lieferschein)[ _-]*(?:no|nr)?[ ._#-]*(\d{1,7}|[a-z])(?![a-z0-9])"
)
"""Which delivery a name tells: truck 2, part-B, order_4711."""
_DATE = re.compile(r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)")


def repetition(staged: Staging, file: LandingFile, rows: pa.Table, others: Sequence[Identity], known: Sequence[Identity]) -> str | None:
    """Say which files the rows repeat, and what to do; None where they are deliveries of their own.

    Parameters
    ----------
    rows
        What the file holds: the contract's columns with `first_day` and `last_day`.
    others
        Versions whose rows count and are of the same weeks, without the file's own.
    known
        Some versions of other weeks too, which show whether the source tells days.
    """
    contract = SOURCES[file.source]
    key = [name for name in contract.key if name != "region"]
    [units] = [column.name for column in contract.columns if column.kind == "integer"]
    with open_database() as connection:
        connection.register("rows", rows)
        days = _tells_days(connection, staged.select(file.source, known, days=True))
        weeks = [] if days else sorted({*rows["week"].to_pylist()})
        apart = [name for _, name, _ in others if _told_apart(file.name, name, weeks)]
        _pair(connection, key, units, staged.select(file.source, others, days=True), apart)
        if (rule := _rule(connection, days)) is None:
            return None
        n, shared, same, first, last = connection.execute(
            f"""
            select count(*), count(others) filter (where {rule}), count(*) filter (where same and {rule}),
                min(week) filter (where {rule}), max(week) filter (where {rule})
            from pairs
            """
        ).fetchall()[0]
        files = [
            name
            for (name,) in connection.execute(
                f"select source_file from there join pairs using (number) where {rule} group by source_file order by count(*) desc, source_file"
            ).fetchall()
        ]
        named = " || ', ' || ".join(f"'{name} ' || {name}" for name in key)
        other = connection.execute(
            f"""
            select '; the first with others is ' || {named} || ': ' || units || ' units here, ' || others || ' there'
            from pairs where {rule} and not same order by {", ".join(key)} limit 1
            """
        ).fetchall()
        replaced = [identity for identity in others if identity[1] == files[0]]
        query = f"select count(*) from ({staged.select(file.source, replaced)}) anti join mine using ({', '.join(key)}) where {units} > 0"
        [(lacking,)] = connection.execute(query).fetchall()
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    advice = "Give it the name of the file that it replaces"
    if lacking:
        advice = f"It lacks {lacking} rows that {files[0]} holds: add them and give it that name, since a file replaces all that its name held"
    return (
        f"{file.name}: held, since its files add up and it says again what is on record for {first if first == last else f'{first}..{last}'}: "
        f"of its {n} rows of {file.source} {shared} stand in {', '.join(files[:_NAMED])}{more}, {same} of them with the same "
        f"units{other[0][0] if other else ''}. {advice}, or name it under 'counted' in the provider YAML if it was delivered beside."
    )


def _tells_days(connection: duckdb.DuckDBPyConnection, known: str) -> bool:
    """Whether the source tells days: those of a source of weeks are all the same day of the week."""
    days = f"select first_day from rows union all select last_day from rows union all select first_day from ({known})"
    return bool(connection.execute(f"select count(distinct isodow(first_day)) > 1 from ({days})").fetchall()[0][0])


def _told_apart(name: str, other: str, weeks: Sequence[date]) -> bool:
    """Whether the names of two files tell different deliveries, or different days of the weeks that both are about."""
    mine, theirs = ({*_DELIVERY.findall(text.lower())} for text in (name, other))
    if mine - theirs:
        return True
    mine_days, their_days = (_days(text, weeks) for text in (name, other))
    return bool(mine_days and their_days) and mine_days.isdisjoint(their_days)


def _days(name: str, weeks: Sequence[date]) -> set[date]:
    """Days of the weeks that a name tells."""
    found = set()
    for year, month, day in _DATE.findall(name):
        try:
            told = date(int(year), int(month), int(day))
        except ValueError:
            continue
        found |= {told} if any(week <= told < week + timedelta(days=7) for week in weeks) else set()
    return found


def _rule(connection: duckdb.DuckDBPyConnection, days: bool) -> str | None:
    """Return SQL of the rows of `pairs` that are repeated, if the file has to be held for them."""
    n, alike, shared, same, covered, near = connection.execute(
        """
        select count(*), count(*) filter (where alike), count(others) filter (where nearly), count(*) filter (where same and nearly),
            count(*) filter (where plain), count(*) filter (where near)
        from pairs
        """
    ).fetchall()[0]
    if alike or (shared and (same >= _TELLING or shared >= n / 2)):
        return "(alike or nearly)"
    # Some keys of many: those of a day that was delivered, or with nearly the same units.
    if covered and ((days and covered >= _SHARED * n) or (covered == n >= _FEW and near >= _NEAR * n)):
        return "pairs.plain"
    return None


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


def _pair(connection: duckdb.DuckDBPyConnection, key: Sequence[str], units: str, others: str, apart: Sequence[str]) -> None:
    """Make the tables `mine`, `there` (rows of other files about the same) and `pairs`: each row with their sum, and what its week is told by.

    Parameters
    ----------
    apart
        Files that their names tell apart from this one.

    Notes
    -----
    `plain`: a file that is not told apart has a counterpart. `alike`: the week is about the same keys as such files are. `nearly`: nearly all of its
    rows have a counterpart, and nearly the same units.
    """
    same_key = " and ".join(f"o.{name} = m.{name}" for name in key)
    keys = ", ".join(key)
    plain = f"source_file not in ({', '.join(map(literal, apart))})" if apart else "true"
    connection.execute(
        f"""
        create temp table mine as
        select row_number() over () as number, {keys}, {units} as units, first_day, last_day from rows
        -- Rows of nothing are no delivery, unless all of a file's are: then they take one back.
        where {units} > 0 or not (select bool_or({units} > 0) from rows);
        create temp table theirs as
        select source_file, {keys}, {units} as units, first_day, last_day, {plain} as plain
        from ({others}) where {units} > 0 and week in (select week from mine);
        create temp table there as
        select m.number, o.source_file, o.units, o.plain
        from mine as m join theirs as o on {same_key} and o.first_day <= m.last_day and o.last_day >= m.first_day;
        create temp table pairs as
        with told as (select number, sum(units)::bigint as others, bool_or(plain) as plain from there group by number),
        spans as (select week, min(first_day) as first_day, max(last_day) as last_day from mine group by week),
        counts as (
            select week, count(distinct ({keys})) as theirs
            from theirs as o join spans as m using (week) where o.plain and o.first_day <= m.last_day and o.last_day >= m.first_day group by week
        ),
        compared as (
            select
                mine.*, others, coalesce(plain, false) as plain, others = mine.units as same,
                abs(others - mine.units) <= {_APART} * greatest(others, mine.units) as near, coalesce(theirs, 0) as theirs
            from mine left join told using (number) left join counts using (week)
        )
        select
            *, count(*) filter (where plain) over w as in_both,
            in_both > 0 and in_both >= {_ALIKE} * (count(*) over w + theirs - in_both) as alike,
            count(others) over w >= {_SHARED} * count(*) over w and count(*) filter (where near) over w >= {_NEAR} * count(others) over w
                and count(*) filter (where same) over w >= {_SAME} * count(others) over w as nearly
        from compared window w as (partition by week)
        """
    )
