"""What is to be loaded: the order plan with the edits that are in force. How an edit comes to be on record is `record`'s."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.contracts.orders import ORDER_PLAN_FINAL, OVERRIDES
from transforms.lake.lease import turn
from transforms.lake.tables import Lake, block_predicate, day, region_list
from transforms.orders.effect import Known, effect_of, floats

_KNOWN = ("p_demand", "q10", "q50", "q90", "expected", "planned", "service_level", "expected_returns", "expected_lost_sales")


def latest_edits(known: str = "true") -> str:
    """SQL: the last edit of each store, product and target week; where it took earlier ones back, `quantity_to` is null and the plan holds.

    Parameters
    ----------
    known
        SQL over the columns of gold/overrides: which edits count.
    """
    return f"""
        select * from gold_overrides where {known}
        qualify row_number() over (partition by region, store_id, product_id, target_week order by edited_at desc) = 1
    """


def keep_final(lake: Lake, block: SliceBlock) -> None:
    """Make gold/order_plan_final anew for a block of origins, one region after the other: edits made meanwhile wait, and are in it or follow."""
    for region in block.regions:
        with turn(lake, turn_of(region)):
            replace_final(lake, region, SliceBlock((region,), block.first, block.last))


def turn_of(region: Region) -> str:
    """Name of the lock that is held from reading a region's edits to writing what is loaded."""
    return f"orders-{region}"


def replace_final(lake: Lake, region: Region, block: SliceBlock) -> None:
    """The same for one region whose lock is held."""
    if lake.exists(ORDER_PLAN.name):
        lake.replace(ORDER_PLAN_FINAL.name, block, final_of(lake, block_predicate("origin_week", block), region_list([region])))


def final_of(lake: Lake, where: str, regions: str, stores: Sequence[str] = ()) -> pa.Table:
    """Rows of gold/order_plan_final, as plan and edits are now.

    Parameters
    ----------
    where
        SQL over the plan's columns.
    regions
        SQL list of the regions that edits are read of.
    stores
        Only these; all where there is none.
    """
    with lake.connect(ORDER_PLAN.name, FORECASTS.name, OVERRIDES.name) as connection:
        chosen = f"{where} and ($stores is null or list_contains($stores, store_id))"
        rows = connection.execute(
            f"""
            with plans as (select * from gold_order_plan where {chosen}),
            forecasts as (select * from gold_forecasts where {chosen}),
            edits as (select * from ({latest_edits()}) where region in ({regions}) and quantity_to is not null)
            select
                p.* exclude (order_quantity),
                coalesce(e.quantity_to, p.order_quantity) as order_quantity,
                p.order_quantity as planned_quantity,
                e.quantity_to is not null as edited,
                e.edited_at, e.person, e.reason, e.note,
                e.planned_quantity as plan_at_edit,
                f.p_demand, f.q10, f.q50, f.q90, f.expected,
                p.order_quantity as planned
            from plans as p
            left join forecasts as f using (region, store_id, product_id, origin_week, target_week)
            left join edits as e using (region, store_id, product_id, target_week)
            order by all
            """,
            {"stores": list(stores) or None},
        ).to_arrow_table()
    return with_effects(rows).select(ORDER_PLAN_FINAL.names).cast(ORDER_PLAN_FINAL.schema)


def with_effects(rows: pa.Table) -> pa.Table:
    """The rows with service level, returns and lost sales of `order_quantity`, where that is not what was planned.

    Parameters
    ----------
    rows
        Columns `order_quantity`, those of `transforms.orders.effect.Known` and `planned`.
    """
    edited = np.flatnonzero(rows["order_quantity"].to_numpy() != rows["planned"].to_numpy())
    if not len(edited):
        return rows
    some = rows.take(edited)
    known = Known(**{name: floats(some[name]) for name in _KNOWN})
    effect = effect_of(known, floats(some["order_quantity"]))
    for name, values in vars(effect).items():
        whole = rows[name].to_numpy().copy()
        whole[edited] = np.round(values, 6)
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(whole))
    return rows


def newest_origin(lake: Lake, region: Region, target: Week) -> Week | None:
    """Origin of the newest plan of a region for a week; None where there is none."""
    if not lake.exists(ORDER_PLAN.name):
        return None
    where = f"region = '{region}' and target_week = {day(target)}"
    found: Any = lake.read(ORDER_PLAN.name, where=where, columns="max(origin_week) as origin")["origin"][0].as_py()
    return None if found is None else Week(found)
