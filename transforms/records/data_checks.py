"""Data checks on a new version of a region's data: is it fit to be trained and forecast on.

Compared are the new version and the one that was approved last; of the first version the latest weeks are looked at. A check that fails stops
nothing by itself: the version then waits for a person (`transforms.records.dataset_versions`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from transforms.calendar import Region, Week
from transforms.contracts.bronze import LANDING_FILES, QUARANTINE
from transforms.contracts.gold import DEMAND
from transforms.lake.tables import Lake, day

_LOOK_BACK = 8
"""Weeks whose median a week is compared with, and the weeks of a first version that are looked at."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far data may be from what came before.

    Attributes
    ----------
    max_quarantined
        Share of rows in quarantine, in any week of a region or in any file.
    volume_ratio
        Units of a week against the median of the eight before; no more than this times as much, no less than its inverse.
    min_stores
        Share of the usual number of stores that have deliveries in a week.
    max_jumps
        Share of a week's deliveries that are more than eight times the largest of their series in the half year before.
    max_rewritten
        Share of the approved deliveries that are added, changed or gone.
    """

    max_quarantined: float = 0.05
    volume_ratio: float = 3.0
    min_stores: float = 0.5
    max_jumps: float = 0.02
    max_rewritten: float = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of one check: the value found, the limit, and where it was found. One that does not decide stands on record and stops nothing."""

    name: str
    passed: bool
    value: float
    limit: float
    detail: str
    decides: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.value:.3g} ({'within' if self.passed else 'beyond'} {self.limit:.3g}): {self.detail}"


def data_checks(lake: Lake, approved: Lake | None, region: Region, last_week: Week, limits: Limits) -> list[Check]:
    """Check a region's data as they stand in `lake` against those in `approved` (None for a first version).

    Parameters
    ----------
    last_week
        The last week of which any region has deliveries.
    """
    with lake.connect(QUARANTINE.name, LANDING_FILES.name) as connection:
        connection.execute(f"create temp view now as {_of(region, lake.select(DEMAND.name))}")
        if approved:
            connection.execute(f"create temp view before as {_of(region, approved.select(DEMAND.name))}")
            connection.execute(f"create temp view only_now as {_of(region, lake.select(DEMAND.name, beside=approved))}")
            connection.execute(f"create temp view only_before as {_of(region, approved.select(DEMAND.name, beside=lake))}")
        else:
            connection.execute("create temp view before as from now where false")
        _find_changed_weeks(connection, last_week, first=approved is None)
        checks = [_quarantined(connection, region, limits), *_weekly(connection, limits), _jumps(connection, limits)]
        return [*checks, _missing_weeks(connection, last_week), *([_rewritten(connection, limits)] if approved else [])]


def _of(region: Region, rows: str) -> str:
    """SQL of a region's deliveries: a view, since each check reads a few of the columns and weeks."""
    return f"select store_id, product_id, week, units_shipped from ({rows}) where region = '{region}'"


def _find_changed_weeks(connection: duckdb.DuckDBPyConnection, last_week: Week, first: bool) -> None:
    """Temp tables `weeks` (units, rows, stores of each week now) and `changed` (the weeks to look at)."""
    connection.execute(
        """
        create temp table weeks as
        select week, sum(units_shipped) as units, count(*) filter (where units_shipped > 0) as n, count(distinct store_id) as stores
        from now group by week
        """
    )
    if first:
        connection.execute(f"create temp table changed as select week from weeks where week > {day(last_week + -_LOOK_BACK)}")
        return
    # What files that both states have add to a week's sum is the same on both sides.
    connection.execute(
        """
        create temp table changed as
        with a as (select week, sum(hash(store_id, product_id, units_shipped)) as content from only_now where units_shipped > 0 group by week),
        b as (select week, sum(hash(store_id, product_id, units_shipped)) as content from only_before where units_shipped > 0 group by week)
        select week from a full join b using (week) where a.content is distinct from b.content
        """
    )


def _quarantined(connection: duckdb.DuckDBPyConnection, region: Region, limits: Limits) -> Check:
    """The worst share of rows in quarantine: by week for rows whose region is known, by file for the others."""
    worst = connection.execute(
        f"""
        with placed as (select week, count(*) as bad from bronze_quarantine where region = '{region}' and week is not null group by week),
        shares as (
            select bad / (bad + coalesce(weeks.n, 0)) as share, 'week ' || week || ': ' || bad || ' rows' as place
            from placed left join weeks using (week)
        ),
        files as (
            select source, source_file, rows_taken as taken from bronze_landing_files where status = 'accepted'
            qualify row_number() over (partition by source, source_file order by registered_at desc) = 1
        ),
        unplaced as (
            select
                count(*) / (count(*) filter (where not kept) + any_value(taken)) as share,
                source_file || ': ' || count(*) || ' rows of no known store or week' as place
            from bronze_quarantine join files using (source, source_file) where region is null or week is null group by source, source_file
        )
        select * from (from shares union all by name from unplaced) order by share desc, place limit 1
        """
    ).fetchone()
    share, place = worst or (0.0, "no rows")
    return Check("share in quarantine", share <= limits.max_quarantined, share, limits.max_quarantined, place)


def _weekly(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Iterator[Check]:
    """Units and stores of the changed weeks against the weeks before them."""
    rows = connection.execute(
        f"""
        with usual as (
            select week, units, stores, median(units) over past as usual_units, median(stores) over past as usual_stores
            from weeks window past as (order by week range between interval {7 * _LOOK_BACK} days preceding and interval 7 days preceding)
        )
        select week, units / usual_units, stores / usual_stores from usual semi join changed using (week) where usual_units > 0 order by week desc
        """
    ).fetchall()
    most = max(rows, key=lambda row: max(row[1], 1 / row[1] if row[1] else float("inf")), default=(None, 1.0, 1.0))
    ratio = max(most[1], 1 / most[1] if most[1] else float("inf"))
    detail = f"week {most[0]} has {most[1]:.2f} times the median of the {_LOOK_BACK} weeks before" if most[0] else "no week to compare"
    yield Check("weekly volume ratio", ratio <= limits.volume_ratio, ratio, limits.volume_ratio, detail)
    fewest = min(rows, key=lambda row: row[2], default=(None, 1.0, 1.0))
    detail = f"week {fewest[0]} has deliveries to {fewest[2]:.0%} of the usual number of stores" if fewest[0] else "no week to compare"
    yield Check("share of stores", fewest[2] >= limits.min_stores, fewest[2], limits.min_stores, detail)


def _jumps(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Check:
    """Deliveries that leave their series' scale: what is left of a wrong unit when only a part of a file has it."""
    worst = connection.execute(
        """
        with past as (
            select week, units_shipped, max(units_shipped) over half_year as largest, count(*) over half_year as known
            from now where units_shipped > 0 and week >= (select min(week) - interval 182 days from changed)
            window half_year as (
                partition by store_id, product_id order by week range between interval 182 days preceding and interval 7 days preceding
            )
        )
        select count(*) filter (where known >= 4 and units_shipped > 8 * largest) / count(*) as share, week
        from past semi join changed using (week) group by week order by share desc, week desc limit 1
        """
    ).fetchone()
    share, week = worst or (0.0, None)
    detail = f"week {week}: {share:.1%} of the deliveries exceed eight times the largest of their series" if week else "no week to compare"
    return Check("share of jumps", share <= limits.max_jumps, share, limits.max_jumps, detail)


def _missing_weeks(connection: duckdb.DuckDBPyConnection, last_week: Week) -> Check:
    """Weeks without any delivery since the last approved one, or among the latest."""
    missing = connection.execute(
        f"""
        with span as (
            select greatest(
                coalesce((select max(week) from before), {day(last_week + -_LOOK_BACK)}), coalesce((select min(week) from weeks), {day(last_week)})
            ) as first
        )
        select week::date::varchar as week
        from (select unnest(generate_series(first::timestamp, {day(last_week)}::timestamp, interval 7 days)) as week from span) as expected
        anti join weeks on weeks.week = expected.week::date
        order by 1
        """
    ).fetchall()
    names = ", ".join(week for (week,) in missing) or "none"
    return Check("missing weeks", not missing, float(len(missing)), 0.0, f"weeks without deliveries: {names}")


def _rewritten(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Check:
    """Share of the approved deliveries that the new version adds, changes or lacks."""
    [(share, first, last)] = connection.execute(
        """
        with a as (select * from now semi join changed using (week) where units_shipped > 0 and week <= (select max(week) from before)),
        b as (select * from before semi join changed using (week) where units_shipped > 0),
        moved as (select * from a full join b using (store_id, product_id, week) where a.units_shipped is distinct from b.units_shipped)
        select count(*) / greatest((select count(*) from before where units_shipped > 0), 1), min(week), max(week) from moved
        """
    ).fetchall()
    detail = f"weeks {first}..{last}" if first else "approved weeks are as they were"
    return Check("share rewritten", share <= limits.max_rewritten, share, limits.max_rewritten, detail)
