"""A week as it was seen at a moment: the plan, its forecasts and their data at their versions of then, and of each record what was on it by then.

Plans and forecasts are read as their tables stood at the moment, data as the version of them that was in force names its tables. Records only grow:
of these, what came later is left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dashboard.queries.reader import Reader
from transforms.calendar import Region, Week
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN
from transforms.contracts.life_cycle import DATASET_EVENTS, DATASET_VERSIONS
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.contracts.orders import APPROVED, OVERRIDES, PLAN_EVENTS
from transforms.contracts.silver import SILVER_PRODUCTS, SILVER_STORES, SILVER_WEATHER_KNOWN
from transforms.exports.names import PRODUCTS_NOW, STORES_NOW
from transforms.orders.final import latest_edits
from transforms.records.model_registry import POOLED, champions
from transforms.rows import Row

MADE, EDITED = "plan made", "edited"
_SEEN = (ORDER_PLAN.name, FORECASTS.name)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which something happened to a region's plan of a week, and who did it; `newest` where a plan was made from the last data before."""

    at: datetime
    what: str
    by: str
    newest: bool = False


@dataclass(frozen=True)
class Then:
    """A region's week at a moment: the origin whose plan was the newest then, and the versions at which tables stood."""

    region: Region
    target: Week
    moment: datetime
    origin: Week
    stood: Mapping[str, int]

    @property
    def keys(self) -> dict[str, Any]:
        """As parameters of a query."""
        return {"region": str(self.region), "target": self.target.monday, "origin": self.origin.monday}


def moments_of(reader: Reader, region: str, target: Week) -> list[Moment]:
    """When a region's plan of a week was made, edited and decided on, as all this is on record; oldest first."""
    sql = f"""
        with origins as (select distinct origin_week as origin from gold_order_plan where region = $region and target_week = $target)
        select ended_at as moment, '{MADE}' as what, started_by as "by", (select max(origin) from origins) between first_week and last_week as newest
        from gold_pipeline_steps
        where state = 'succeeded' and list_contains(string_split(assets, ','), $plan)
            and (regions is null or list_contains(string_split(regions, ','), $region))
            and exists (select 1 from origins where origin between first_week and last_week)
        union all
        select max(edited_at), '{EDITED}', person, false from gold_overrides where region = $region and target_week = $target group by edit_id, person
        union all
        select event_time, event, person, false from gold_plan_events where region = $region and target_week = $target
        order by moment
    """
    tables = (PIPELINE_STEPS.name, OVERRIDES.name, PLAN_EVENTS.name, ORDER_PLAN.name)
    rows = reader.rows(sql, *tables, region=region, target=target.monday, plan=ORDER_PLAN.name)
    return [Moment(row["moment"], row["what"], row["by"], row["newest"]) for row in rows]


def loaded_at(moments: list[Moment], target: Week) -> datetime | None:
    """The moment that the truck was loaded by: the last approval, else the last moment before the week began.

    Of a week that was planned after it began, as in a backtest: when its plan was first made from the newest data before it.
    """
    approvals = [one.at for one in moments if one.what == APPROVED]
    before = [one.at for one in moments if one.at < datetime.combine(target.monday, datetime.min.time(), UTC)]
    after = [one.at for one in moments if one.newest]
    return next(iter([*approvals[-1:], *before[-1:], *after[:1], *(one.at for one in moments[:1])]), None)


def then(reader: Reader, region: str, target: Week, moment: datetime) -> Then | None:
    """The plan of a week that was the newest at a moment; None where there was none yet."""
    stood = reader.as_of(moment, *_SEEN)
    sql = "select max(origin_week) as origin from gold_order_plan where region = $region and target_week = $target"
    found = reader.row(sql, ORDER_PLAN.name, at=stood, within=region, region=region, target=target.monday)
    return Then(Region(region), target, moment, Week(found["origin"]), stood) if found.get("origin") else None


def lines_then(reader: Reader, seen: Then) -> list[Row]:
    """Each line of the plan: units to load and as planned, who edited it last, and the forecast behind it with what made it."""
    sql = f"""
        with edits as (
            select * from ({latest_edits("edited_at <= $moment")})
            where region = $region and target_week = $target and quantity_to is not null
        )
        select
            p.store_id, p.product_id, store_name, product_name, category, p.order_quantity as planned_quantity,
            coalesce(e.quantity_to, p.order_quantity) as order_quantity, e.person, e.reason,
            f.expected, f.q10, f.q90, f.rung, f.model_version, f.trained_week, f.is_stale, f.dataset_version
        from gold_order_plan as p
        left join gold_forecasts as f using (region, store_id, product_id, origin_week, target_week)
        left join edits as e using (region, store_id, product_id, target_week)
        left join (select store_id, name as store_name from ({STORES_NOW})) using (store_id)
        left join (select product_id, name as product_name, category from ({PRODUCTS_NOW})) using (product_id)
        where region = $region and target_week = $target and p.origin_week = $origin
        order by store_name, p.store_id, p.order_quantity = 0, product_name, p.product_id
    """
    tables = (*_SEEN, OVERRIDES.name, SILVER_STORES.name, SILVER_PRODUCTS.name)
    return reader.rows(sql, *tables, at={**seen.stood, **_names(reader, seen)}, within=str(seen.region), moment=seen.moment, **seen.keys)


def data_then(reader: Reader, seen: Then) -> Row:
    """The version of the region's data that the forecasts were made of, with what had been decided on it by then; empty where none is on record."""
    sql = """
        select v.*, e.event, e.actor, e.reason
        from gold_dataset_versions as v
        left join (
            select * from gold_dataset_events where event_time <= $moment
            qualify row_number() over (partition by region, dataset_version order by event_time desc) = 1
        ) as e using (region, dataset_version)
        where region = $region and recorded_at <= $moment
        order by v.dataset_version is not distinct from $used desc, recorded_at desc limit 1
    """
    used = reader.row(
        "select any_value(dataset_version) as used from gold_forecasts where region = $region and origin_week = $origin and target_week = $target",
        FORECASTS.name,
        at=seen.stood,
        within=str(seen.region),
        **seen.keys,
    )["used"]
    return reader.row(sql, DATASET_VERSIONS.name, DATASET_EVENTS.name, region=str(seen.region), moment=seen.moment, used=used)


def champions_then(reader: Reader, seen: Then) -> list[Row]:
    """The champion of each of the region's models for the origin, as it had been decided by then."""
    return champions(reader.lake, [seen.region, POOLED], seen.origin, seen.moment)


def weather_then(reader: Reader, seen: Then) -> list[Row]:
    """The weather of the week at each place, as it was known at the end of the origin in the data that were in force."""
    pins = _pins(data_then(reader, seen))
    if SILVER_WEATHER_KNOWN.name not in pins:
        return []
    sql = """
        select place, tmin_c, tmax_c, precip_mm, forecast_days, last_issued_at, basis from silver_weather_known
        where region = $region and week = $origin and target_week = $target order by place
    """
    return reader.rows(sql, SILVER_WEATHER_KNOWN.name, at=pins, within=str(seen.region), **seen.keys)


def records_then(reader: Reader, seen: Then) -> list[Row]:
    """Edits of the region's plan of the week and decisions on it up to the moment, newest first: moment, what, person, why, line and change."""
    sql = """
        select
            edited_at as moment, 'edited' as what, person, concat_ws(': ', reason, note) as why, store_id, product_id, quantity_from, quantity_to
        from gold_overrides where region = $region and target_week = $target and edited_at <= $moment
        union all
        select event_time, event, person, note, null, null, null, units
        from gold_plan_events where region = $region and target_week = $target and event_time <= $moment
        order by moment desc limit 500
    """
    keys = {"region": str(seen.region), "target": seen.target.monday, "moment": seen.moment}
    return reader.rows(sql, OVERRIDES.name, PLAN_EVENTS.name, **keys)


def came_of_it(reader: Reader, seen: Then) -> Row:
    """What is known of the week today: units delivered, returned and sold; empty where no deliveries of it are on record."""
    sql = """
        select sum(units_shipped)::bigint as shipped, sum(units_returned)::bigint as returned, sum(demand) as demand
        from gold_demand where region = $region and week = $target having count(*) > 0
    """
    return reader.row(sql, DEMAND.name, within=str(seen.region), region=str(seen.region), target=seen.target.monday)


def parsed_moment(text: str) -> datetime | None:
    """A moment as addresses have it, in UTC where it names no other; None where it is none, or lies ahead."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if date(2000, 1, 1) < found.date() and found < datetime.now(UTC) + timedelta(seconds=1) else None


def _names(reader: Reader, seen: Then) -> dict[str, int]:
    """The versions of the tables that hold names, where the data of then name them."""
    pins = _pins(data_then(reader, seen))
    return {table: pins[table] for table in (SILVER_STORES.name, SILVER_PRODUCTS.name) if table in pins}


def _pins(dataset: Row) -> dict[str, int]:
    found: dict[str, int] = json.loads(dataset["delta_versions"]) if dataset else {}
    return found
