"""The week at a glance: which it is, whether it is planned, how forecasts and plans of the last weeks turned out, and what waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dashboard.queries.reader import Reader
from transforms.contracts.rungs import CHALLENGER, CHAMPION
from transforms.monitoring.accuracy import SUMS
from transforms.monitoring.savings import Savings, savings_of
from transforms.rows import Row

SETTLED_WEEKS = 4
"""Weeks that an error and an amount are of: one week alone goes up and down with the weather."""
TREND_WEEKS = 26
# What a truck is loaded by is forecast one week before: other horizons would count a week several times.
_NEXT = "horizon = 1"


@dataclass(frozen=True, slots=True)
class Span:
    """The weeks of which is known how their forecasts turned out: the first, the last, and how many."""

    first: date
    last: date
    weeks: int


def this_week(reader: Reader) -> date | None:
    """The newest week with a plan made from the data of the week before; None before there is any."""
    found: date | None = reader.row(
        "select max(target_week) as week from gold_order_plan where target_week = origin_week + 7", "gold/order_plan"
    ).get("week")
    return found


def newest_deliveries(reader: Reader) -> date | None:
    """The last week of which deliveries are on record."""
    found: date | None = reader.row("select max(last_week) as week from gold_dataset_versions", "gold/dataset_versions").get("week")
    return found


def settled(reader: Reader, weeks: int = SETTLED_WEEKS) -> Span | None:
    """The last weeks that turned out; None before there is one."""
    row = reader.row(
        f"""
        with last_ones as (select distinct week from gold_accuracy where {_NEXT} order by week desc limit {int(weeks)})
        select min(week) as first, max(week) as last, count(*) as weeks from last_ones
        """,
        "gold/accuracy",
    )
    return Span(**row) if row and row["weeks"] else None


def target_error(reader: Reader) -> float | None:
    """The largest error of a significant model, as the project said when models were judged last."""
    row = reader.row(
        """
        with checks as (
            select event_time, unnest(from_json(numbers, '[{"name": "varchar", "limit": "double"}]')) as judged
            from gold_model_events where numbers is not null
        )
        select arg_max(judged."limit", event_time) as target from checks where judged.name = 'significant'
        """,
        "gold/model_events",
    )
    found: float | None = row.get("target")
    return found


def regions(reader: Reader) -> list[str]:
    """Every region with data on record or a plan."""
    rows = reader.rows(
        "select region from gold_dataset_versions union select region from gold_order_plan order by region",
        "gold/dataset_versions",
        "gold/order_plan",
    )
    return [row["region"] for row in rows]


def plans(reader: Reader, week: date) -> dict[str, Row]:
    """The plan of each region for a week: units, and expected `lost` and `left`."""
    rows = reader.rows(
        """
        select region, sum(order_quantity)::bigint as units, sum(expected_lost_sales) as lost, sum(expected_returns) as "left"
        from gold_order_plan where target_week = $week and origin_week = $week - 7 group by region
        """,
        "gold/order_plan",
        week=week,
    )
    return {row["region"]: row for row in rows}


def lower_rungs(reader: Reader, week: date) -> dict[str, float]:
    """Share of each region's forecasts for a week that another model than its champion made."""
    rows = reader.rows(
        """
        select region, avg((rung not in ($champion, $challenger))::int) as share
        from gold_forecasts where target_week = $week and origin_week = $week - 7 group by region
        """,
        "gold/forecasts",
        week=week,
        champion=CHAMPION,
        challenger=CHALLENGER,
    )
    return {row["region"]: row["share"] for row in rows}


def errors(reader: Reader, span: Span) -> dict[str, Row]:
    """Accuracy of each region over the weeks of a span, and of all together ('all')."""
    rows = reader.rows(
        f"""
        select coalesce(region, 'all') as region, {SUMS} from gold_accuracy where {_NEXT} and week between $first and $last
        group by grouping sets ((region), ())
        """,
        "gold/accuracy",
        first=span.first,
        last=span.last,
    )
    return {row["region"]: row for row in rows if row["n"] is not None}


def error_trend(reader: Reader) -> list[Row]:
    """Accuracy of all regions together, week by week."""
    sql = f"select week, {SUMS} from gold_accuracy where {_NEXT} group by week order by week desc limit {TREND_WEEKS}"
    return reader.rows(sql, "gold/accuracy")[::-1]


def money(reader: Reader, span: Span) -> dict[str, Savings]:
    """What the plans of a span's weeks saved in each region, and in all together ('all', also where there is one alone)."""
    rows = reader.table(
        f"""
        select region, store_id, policy, sum(cost_left) as cost_left, sum(cost_missed) as cost_missed, sum(demand)::bigint as demand
        from gold_plan_value where {_NEXT} and week between $first and $last group by region, store_id, policy
        """,
        "gold/plan_value",
        first=span.first,
        last=span.last,
    )
    found = savings_of(rows)
    return {row.region: row for row in found} | ({"all": found[-1]} if found else {})


def units_trend(reader: Reader) -> list[Row]:
    """Demand not met (`lost`) and units that came back (`left`), by plan and by shipping the average, week by week."""
    return reader.rows(
        f"""
        with last_ones as (select distinct week from gold_plan_value where {_NEXT} order by week desc limit {TREND_WEEKS})
        select week,
            (sum(units_missed) filter (where policy = 'order_plan'))::bigint as lost,
            (sum(units_left) filter (where policy = 'order_plan'))::bigint as "left",
            (sum(units_missed) filter (where policy = 'historical_average'))::bigint as lost_average,
            (sum(units_left) filter (where policy = 'historical_average'))::bigint as left_average
        from gold_plan_value where {_NEXT} and week in (from last_ones) group by week order by week
        """,
        "gold/plan_value",
    )


def models_waiting(reader: Reader) -> list[Row]:
    """Versions that passed validation and wait for a person, the latest of each model: version, region, format, mover and since when."""
    return reader.rows(
        """
        with latest as (
            select * from gold_model_versions
            qualify row_number() over (partition by region, format, mover, kind order by trained_week desc, trained_at desc) = 1
        ), decided as (
            select * from gold_model_events
            qualify row_number() over (partition by model_version order by event_time desc, event = 'champion' desc) = 1
        )
        select model_version, l.region, l.format, l.mover, d.event_time as since from latest as l join decided as d using (model_version)
        where d.event = 'awaiting validation' and d.numbers is not null order by l.region, l.format, l.mover
        """,
        "gold/model_versions",
        "gold/model_events",
    )


def data_waiting(reader: Reader) -> list[str]:
    """Regions whose present data wait for a person's approval."""
    rows = reader.rows(
        """
        with latest as (
            select * from gold_dataset_versions qualify row_number() over (partition by region order by recorded_at desc) = 1
        ), decided as (
            select * from gold_dataset_events qualify row_number() over (partition by region, dataset_version order by event_time desc) = 1
        )
        select region from latest left join decided using (region, dataset_version)
        where coalesce(event, 'awaiting approval') = 'awaiting approval' order by region
        """,
        "gold/dataset_versions",
        "gold/dataset_events",
    )
    return [row["region"] for row in rows]


def mean_of(rows: Sequence[Row], name: str, weeks: int) -> float | None:
    """Mean of a column over the last weeks of a trend; None where there is none."""
    found = [row[name] for row in rows[-weeks:] if row[name] is not None]
    return sum(found) / len(found) if found else None
