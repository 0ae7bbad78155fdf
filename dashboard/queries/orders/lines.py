"""What a truck is loaded with, and where a planner must look: lines of one store and week, and the stores of a region."""

from collections.abc import Sequence
from datetime import date

from dashboard.queries.orders.plans import CHOSEN, NAMES, PlanOf
from dashboard.queries.reader import Reader
from transforms.contracts.gold import DEMAND, FORECASTS
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.contracts.rungs import BASELINE
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_STORES
from transforms.rows import Row

WEEKS_BACK = 8
_YEAR = 52
_TABLES = (ORDER_PLAN_FINAL.name, FORECASTS.name, DEMAND.name, SILVER_STORES.name, SILVER_PRODUCTS.name, SILVER_EVENT_WEEKS.name)


def stores_of(reader: Reader, plan: PlanOf) -> list[Row]:
    """One row for each store of a plan: units, cases, expected demand, returns, lost sales, and lines to look at; most of these first."""
    sql = f"""
        with {_lines()}
        select
            store_id, any_value(store_name) as store_name,
            sum(order_quantity)::bigint as units, sum(order_quantity // coalesce(case_pack, 1))::bigint as cases,
            sum(expected) as expected, sum(expected_returns) as expected_returns, sum(expected_lost_sales) as expected_lost_sales,
            count(*) filter (where edited) as edited, sum(last_week)::bigint as last_week,
            count(*) filter (where {_ANY}) as to_look_at
        from (select *, {_CHECKED} from lines) group by store_id order by to_look_at desc, store_name, store_id
    """
    return reader.rows(sql, *_TABLES, within=str(plan.region), **plan.keys)


def lines_of(reader: Reader, plan: PlanOf, store: str) -> list[Row]:
    """The lines of one store: what is planned, expected and loaded, the last weeks' deliveries (`past`, oldest first), and why to look (`look`)."""
    sql = f"""
        with {_lines("and store_id = $store")}
        select * from (select *, {_CHECKED} from lines)
        order by ({_ANY}) desc, order_quantity = 0, category nulls last, product_name, product_id
    """
    rows = reader.rows(sql, *_TABLES, within=str(plan.region), **plan.keys, store=store)
    weeks = [(plan.origin + back).monday for back in range(1 - WEEKS_BACK, 1)]
    return [{**row, "look": _reasons(row), "past": _past(row, weeks)} for row in rows]


def _lines(where: str = "") -> str:
    """CTE `lines`: one row a store and product of the plan, with what was delivered in the weeks before."""
    return f"""
        {NAMES},
        loaded as (select * from gold_order_plan_final where {CHOSEN} {where}),
        forecasts as (
            select store_id, product_id, p_demand, expected, q10, q50, q90, rung, is_stale, ended, model_version
            from gold_forecasts where {CHOSEN} {where}
        ),
        past as (
            select
                store_id, product_id,
                list({{week: week, units: units_shipped}} order by week) filter (where week > $origin - 7 * {WEEKS_BACK}) as delivered,
                sum(units_shipped) filter (where week = $origin)::bigint as last_week,
                sum(units_shipped) filter (where week = $target - 7 * {_YEAR})::bigint as last_year,
                min(week) as first_week
            from gold_demand where region = $region and week <= $origin {where} group by all
        ),
        offers as (
            select distinct store_id as of_store, product_id from silver_event_weeks
            where week = $target and product_id is not null and (region is null or region = $region)
        ),
        lines as (
            select
                l.*, f.* exclude (store_id, product_id), past.* exclude (store_id, product_id, last_week), coalesce(past.last_week, 0) as last_week,
                stores.store_name, products.product_name, products.category,
                exists (select 1 from offers as o where o.product_id = l.product_id and coalesce(o.of_store, l.store_id) = l.store_id) as on_offer
            from loaded as l
            left join forecasts as f using (store_id, product_id)
            left join past using (store_id, product_id)
            left join stores using (store_id)
            left join products using (product_id)
            where f.ended is null or l.order_quantity > 0 or past.last_week > 0
        )
    """


def _past(row: Row, weeks: Sequence[date]) -> list[int | None]:
    """Units delivered in each of `weeks`: a week without a delivery is 0 once there has been one."""
    delivered = {one["week"]: one["units"] for one in row["delivered"] or ()}
    first = row["first_week"]
    return [delivered.get(week, 0) if first is not None and week >= first else None for week in weeks]


# What is delivered in fewer than half of the weeks comes and goes: a quantity that was delivered lately is no news there.
_COMES_AND_GOES = f"""
    len(list_filter(delivered, one -> one.units > 0)) < {WEEKS_BACK // 2}
    and order_quantity <= list_max(list_transform(delivered, one -> one.units)) + coalesce(case_pack, 1)
"""
# A case more or less is no news; half of last week's delivery is. Where less than half a case is missed, one more would mostly come back.
_CHECKS = {
    "plan_moved": "edited and plan_at_edit is distinct from planned_quantity",
    "is_ending": "ended is not null",
    "is_new": f"coalesce(first_week > $origin - 7 * {WEEKS_BACK}, true)",
    "promoted": "on_offer",
    "moved": f"abs(order_quantity - last_week) >= greatest(2 * coalesce(case_pack, 1), 0.5 * last_week) and not coalesce({_COMES_AND_GOES}, false)",
    "moved_a_year": "last_year > 0 and abs(order_quantity - last_year) >= greatest(3 * coalesce(case_pack, 1), last_year)",
    "low_service": "expected >= 1 and expected_lost_sales > greatest(0.2 * expected, 0.5 * coalesce(case_pack, 1))",
    "by_average": f"rung = '{BASELINE}'",
}
"""Why a line is an exception, as SQL over the CTE `lines`; the most urgent first."""
_CHECKED = ", ".join(f"coalesce({sql}, false) as {name}" for name, sql in _CHECKS.items())
_ANY = " or ".join(_CHECKS)


def _reasons(row: Row) -> list[str]:
    """Why a line is an exception, in words."""
    words = {
        "plan_moved": f"edited when the plan said {row['plan_at_edit']}; it says {row['planned_quantity']} now",
        "is_ending": f"ending: {row['ended']}",
        "is_new": "new here",
        "promoted": "on promotion",
        "moved": f"{'up' if row['order_quantity'] > row['last_week'] else 'down'} from {row['last_week']} last week",
        "moved_a_year": f"{row['last_year']} a year ago",
        "low_service": f"may miss {row['expected_lost_sales']:.0f} of {row['expected'] or 0:.0f}",
        "by_average": "by historical average",
    }
    return [words[name] for name in _CHECKS if row[name]]
