"""What a planner is given: the plan of a week, store by store, with names, packs and what the forecast says. Files: `transforms.exports.workbook`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.calendar import Region, Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.contracts.silver import SILVER_PRODUCTS, SILVER_STORES
from transforms.errors import MissingData
from transforms.exports.names import PRODUCTS_NOW, STORES_NOW
from transforms.lake.tables import Lake, day

TABLES = (ORDER_PLAN.name, ORDER_PLAN_FINAL.name, FORECASTS.name, SILVER_STORES.name, SILVER_PRODUCTS.name)


@dataclass(frozen=True)
class StorePlan:
    """The plan of one store for one week: one row for each product that the store carries, those to load first, by category and name."""

    region: Region
    store_id: str
    store_name: str
    week: Week
    origin: Week
    rows: pa.Table

    @cached_property
    def to_load(self) -> list[dict[str, Any]]:
        """The rows with at least one pack."""
        loaded: list[dict[str, Any]] = [row for row in self.rows.to_pylist() if row["packs"]]
        return loaded

    @property
    def not_loaded(self) -> tuple[int, float]:
        """Number of the other products, and the demand expected of them."""
        rest = [row["expected"] for row in self.rows.to_pylist() if not row["packs"]]
        return len(rest), sum(rest)


def store_plans(lake: Lake, region: Region, week: Week, horizons: int, store: str | None = None) -> Iterator[StorePlan]:
    """Yield what is to be loaded for each of a region's stores (or one) in a week, by its newest plan and its edits; of series that have ended
    only what somebody wants loaded all the same.

    Parameters
    ----------
    horizons
        Weeks ahead that the lake forecasts: which origins would plan the week is told where none has.

    Raises
    ------
    MissingData
        If there is no plan of the week, or none for that store.
    """
    origin = _newest_origin(lake, region, week, horizons)
    with lake.connect(*TABLES) as connection:
        rows = connection.execute(_sql(region, week, origin, store is not None), {"store": store} if store is not None else {}).to_arrow_table()
        ended = connection.execute(_ENDED, {"store": store, "origin": origin.monday, "week": week.monday, "region": str(region)}).fetchall()
    if not rows.num_rows and store is not None:
        why = f"nothing is planned for it: {ended[0][0]}" if ended else "expected one of the region's store ids"
        raise MissingData(f"{region}: store {store} is not in the plan for {week} (made at {origin}): {why}.")
    ids = rows["store_id"].combine_chunks().dictionary_encode()
    for code, store_id in enumerate(ids.dictionary.to_pylist()):
        mine = rows.filter(pc.equal(ids.indices, code))
        yield StorePlan(region, store_id, mine["store_name"][0].as_py() or "", week, origin, mine)


def origins_that_plan(week: Week, horizons: int) -> str:
    """What makes a plan of a week, for messages."""
    return f"'shelfcast run --week' with an origin from {week + -horizons} to {week + -1}"


def _newest_origin(lake: Lake, region: Region, week: Week, horizons: int) -> Week:
    for table in (ORDER_PLAN.name, FORECASTS.name):
        lake.require(table)
    where = f"region = '{region}' and target_week = {day(week)}"
    newest = lake.read(ORDER_PLAN.name, where=where, columns="max(origin_week) as origin")["origin"][0].as_py()
    if newest is None:
        found = lake.read(ORDER_PLAN.name, where=f"region = '{region}'", columns="min(target_week) as first, max(target_week) as last").to_pylist()[0]
        known = f"there are plans for {found['first']} to {found['last']}" if found["first"] else "there is no plan of that region yet"
        raise MissingData(f"{region} has no plan for the week {week}: {known}. Run {origins_that_plan(week, horizons)}.")
    return Week(newest)


def _sql(region: Region, week: Week, origin: Week, one_store: bool) -> str:
    """One row a store and product, edits included; names as they are known now, packs as they were at the origin."""
    chosen = f"region = '{region}' and target_week = {day(week)} and origin_week = {day(origin)}{' and store_id = $store' if one_store else ''}"
    return f"""
        with

        loaded as (
            select region, store_id, product_id, origin_week, target_week, order_quantity, service_level, expected_returns, expected_lost_sales
            from gold_order_plan_final where {chosen}
        ),

        -- As planned where the lake is older than edits are.
        plans as (
            select
                p.* exclude (order_quantity, service_level, expected_returns, expected_lost_sales),
                coalesce(l.order_quantity, p.order_quantity) as order_quantity,
                coalesce(l.service_level, p.service_level) as service_level,
                coalesce(l.expected_returns, p.expected_returns) as expected_returns,
                coalesce(l.expected_lost_sales, p.expected_lost_sales) as expected_lost_sales,
                p.order_quantity as planned_units
            from (select * from gold_order_plan where {chosen}) as p
            left join loaded as l using (region, store_id, product_id, origin_week, target_week)
        ),

        forecasts as (select * from gold_forecasts where {chosen}),

        stores as ({STORES_NOW}),

        products as ({PRODUCTS_NOW})

        select
            p.store_id,
            stores.name as store_name,
            p.target_week as week,
            p.product_id,
            products.name as product_name,
            products.category,
            coalesce(p.case_pack, 1) as case_pack,
            p.order_quantity // coalesce(p.case_pack, 1) as packs,
            p.order_quantity as units,
            p.planned_units,
            f.expected,
            f.q10,
            f.q90,
            p.service_level,
            p.expected_returns,
            p.expected_lost_sales,
            f.rung,
            f.is_stale
        from plans as p
        join forecasts as f using (region, store_id, product_id, origin_week, target_week)
        left join stores using (store_id)
        left join products using (product_id)
        where f.ended is null or (p.order_quantity > 0 and p.order_quantity <> p.planned_units)
        order by p.store_id, packs = 0, products.category, products.name, p.product_id
    """


_ENDED = """
    select ended from gold_forecasts
    where region = $region and store_id = $store and origin_week = $origin and target_week = $week and ended is not null
    group by ended order by count(*) desc, ended
"""
