"""How models and data do: accuracy against the target by region and week, drift and its price, which step of the ladder served, ageing models, A/B
tests. What is training's business (segments, decisions) stands in its own module.
"""

from datetime import date, timedelta

from dashboard.queries.reader import Reader
from transforms.calendar import ALL_REGIONS
from transforms.contracts.gold import STALE_DAYS
from transforms.contracts.rungs import CHALLENGER, CHAMPION
from transforms.monitoring.accuracy import SUMS
from transforms.rows import Row

HEALTH_WEEKS = 4
"""Weeks that the state of a model is of."""
_ORIGINS = 8


def error_board(reader: Reader, weeks: int) -> list[Row]:
    """Accuracy of each region in each of the last weeks that turned out, of the forecasts of all leads."""
    return reader.rows(
        f"""
        with last_ones as (select distinct week from gold_accuracy order by week desc limit {int(weeks)})
        select region, week, {SUMS} from gold_accuracy where week in (from last_ones) group by region, week order by region, week
        """,
        "gold/accuracy",
    )


def champions(reader: Reader) -> list[Row]:
    """The champion of each model: ensembles by region, format and mover, historical averages by region and format (mover all), with its age.

    Models over all regions serve none by themselves, and are left out. `days`: from its training to the newest origin; `since`: the origin from which
    it serves.
    """
    return reader.rows(
        """
        with decided as (
            select * from gold_model_events where event in ('champion', 'rolled back', 'rejected')
            qualify row_number() over (partition by model_version order by effective_week desc, event_time desc) = 1
        ), serving as (
            select model_version, effective_week as since from decided where event = 'champion'
            qualify row_number() over (partition by region, format, mover order by effective_week desc, event_time desc) = 1
        ), newest as (
            select greatest((select max(trained_week) from gold_model_versions), (select max(origin_week) from gold_forecasts)) as origin
        )
        select v.region, v.format, v.mover, v.kind, v.model_version, v.trained_week, s.since, (n.origin - v.trained_week)::int as days
        from gold_model_versions as v join serving as s using (model_version), newest as n where v.region <> $all
        order by v.region, v.format, v.mover
        """,
        "gold/model_versions",
        "gold/model_events",
        "gold/forecasts",
        all=ALL_REGIONS,
    )


def model_errors(reader: Reader) -> dict[tuple[str, str, str], float]:
    """Error over the last weeks that turned out of what served each region, format and mover, and of the historical average (mover all)."""
    rows = reader.rows(
        f"""
        with last_ones as (select distinct week from gold_accuracy order by week desc limit {HEALTH_WEEKS})
        select region, format, coalesce(mover, 'all') as mover, grouping(mover) as both, {SUMS} from gold_accuracy where week in (from last_ones)
        group by grouping sets ((region, format, mover), (region, format))
        """,
        "gold/accuracy",
    )
    found = {(row["region"], row["format"], row["mover"]): row["baseline_mape" if row["both"] else "mape"] for row in rows}
    return {model: error for model, error in found.items() if error is not None}


def drift(reader: Reader, weeks: int) -> list[Row]:
    """Each region's drift in the last weeks that were watched: columns watched and drifted, and USD in the week.

    Columns that move together share their effect: `money` is that of the drifted column whose drift costs most, 0 where none drifted.
    """
    return reader.rows(
        f"""
        with last_ones as (select distinct week from gold_drift order by week desc limit {int(weeks)})
        select region, week, count(*) as watched, count(*) filter (where drifted) as drifted,
            coalesce(max(greatest(effect_money, 0)) filter (where drifted), 0) as money,
            coalesce(list("column" order by effect_money desc nulls last) filter (where drifted), []) as columns
        from gold_drift where week in (from last_ones) group by region, week order by region, week
        """,
        "gold/drift",
    )


def served(reader: Reader, origin: date) -> list[Row]:
    """Forecast rows made at an origin by region, format, mover and step of the ladder, with the step's reason; most rows first."""
    return reader.rows(
        """
        select region, format, mover, rung, count(*) as n, count(*) filter (where is_stale) as stale, any_value(rung_reason) as reason
        from gold_forecasts where origin_week = $origin group by region, format, mover, rung order by n desc, region, format, mover, rung
        """,
        "gold/forecasts",
        origin=origin,
    )


def origin_before(reader: Reader, origin: date) -> date | None:
    """The origin before another one, at most a quarter of a year before; None where there is none."""
    row = reader.row(
        "select max(origin_week) as week from gold_forecasts where origin_week < $origin and origin_week >= $first",
        "gold/forecasts",
        origin=origin,
        first=origin - timedelta(weeks=13),
    )
    found: date | None = row.get("week")
    return found


def lower_share(rows: list[Row]) -> float | None:
    """Share of rows that another step than the champion's made, or the challenger of a test; None where there are no rows."""
    total = sum(row["n"] for row in rows)
    return sum(row["n"] for row in rows if row["rung"] not in {CHAMPION, CHALLENGER}) / total if total else None


def scoring_runs(reader: Reader, newest: date) -> list[Row]:
    """Runs that forecast at the last origins: regions, rows, and how many rows a stale model made, newest origin first."""
    return reader.rows(
        """
        select origin_week, run_id, count(distinct region) as regions, count(*) as n, count(*) filter (where is_stale) as stale,
            coalesce(list(distinct region order by region) filter (where is_stale), []) as stale_regions
        from gold_forecasts where origin_week between $first and $last group by origin_week, run_id order by origin_week desc, n desc
        """,
        "gold/forecasts",
        first=newest - timedelta(weeks=_ORIGINS - 1),
        last=newest,
    )


def is_stale(model: Row) -> bool:
    """Whether a champion is of an age from which its forecasts are marked."""
    return bool(model["days"] is not None and model["days"] > STALE_DAYS)


def running_tests(reader: Reader) -> list[Row]:
    """A/B tests that nobody stopped and whose weeks are not over, with how they stand after their last look."""
    return reader.rows(
        """
        with started as (select * from gold_ab_tests where event = 'started'),
        stopped as (select test_id from gold_ab_tests where event = 'stopped'),
        standing as (
            select * from gold_ab_lift qualify row_number() over (partition by test_id order by week desc) = 1
        )
        select s.test_id, s.region, s.format, s.mover, s.mode, s.metric, s.from_week, s.weeks, s.challenger,
            l.look, l.champion as champion_metric, l.challenger as challenger_metric, l.difference, l.low, l.high, l.verdict
        from started as s left join standing as l using (test_id)
        where s.test_id not in (from stopped) and coalesce(l.look, 0) < s.weeks order by s.from_week, s.test_id
        """,
        "gold/ab_tests",
        "gold/ab_lift",
    )
