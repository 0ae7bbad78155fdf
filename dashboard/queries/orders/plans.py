"""Order plans: which there are, what happened to each (edits, approvals), and whether what is loaded follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from dashboard.queries.reader import Reader
from orchestration.service.orders import keep_in_step
from transforms.calendar import Region, Week
from transforms.contracts.gold import ORDER_PLAN
from transforms.contracts.orders import ORDER_PLAN_FINAL, OVERRIDES, PLAN_EVENTS
from transforms.contracts.silver import SILVER_EVENT_WEEKS, SILVER_PRODUCTS, SILVER_STORES
from transforms.exports.names import PRODUCTS_NOW, STORES_NOW
from transforms.orders.final import latest_edits
from transforms.orders.record import Seen
from transforms.rows import Row

NAMES = f"""
    stores as (select store_id, name as store_name from ({STORES_NOW})),
    products as (select product_id, name as product_name, category from ({PRODUCTS_NOW}))
"""
CHOSEN = "region = $region and origin_week = $origin and target_week = $target"


@dataclass(frozen=True, slots=True)
class PlanOf:
    """The newest plan of a region for a week."""

    region: Region
    target: Week
    origin: Week

    @property
    def keys(self) -> dict[str, str | date]:
        """As parameters of a query."""
        return {"region": str(self.region), "origin": self.origin.monday, "target": self.target.monday}


def planned_regions(reader: Reader) -> list[str]:
    """The regions that have a plan."""
    return [row["region"] for row in reader.rows("select distinct region from gold_order_plan order by 1", ORDER_PLAN.name)]


def planned_weeks(reader: Reader, region: str) -> list[PlanOf]:
    """The weeks of which a region has a plan, newest first, each with the newest origin that planned it."""
    sql = "select target_week, max(origin_week) as origin from gold_order_plan where region = $region group by 1 order by 1 desc"
    return [
        PlanOf(Region(region), Week(row["target_week"]), Week(row["origin"]))
        for row in reader.rows(sql, ORDER_PLAN.name, within=region, region=region)
    ]


def next_to_load(plans: Sequence[PlanOf]) -> PlanOf | None:
    """The week to load next: the one after the newest origin."""
    newest = max((plan.origin for plan in plans), default=None)
    return next((plan for plan in plans if newest is not None and plan.target == newest + 1), None)


def bring_in_step(reader: Reader, plan: PlanOf) -> None:
    """Write what is to be loaded anew where plan and edits say otherwise: a process was killed in between, or its lake is older than edits."""
    if _is_out_of_step(reader, plan):
        keep_in_step(reader.lake, plan.region, plan.origin)
        reader.forget_versions()


def _is_out_of_step(reader: Reader, plan: PlanOf) -> bool:
    sql = f"""
        select count(*) as n
        from (select * from gold_order_plan where {CHOSEN}) as p
        full join (select * from gold_order_plan_final where {CHOSEN}) as l using (region, store_id, product_id, origin_week, target_week)
        left join (select * from ({latest_edits()}) where region = $region and target_week = $target) as e
            using (region, store_id, product_id, target_week)
        where l.order_quantity is distinct from coalesce(e.quantity_to, p.order_quantity) or l.planned_quantity is distinct from p.order_quantity
            or l.case_pack is distinct from p.case_pack
            or (e.quantity_to is null and l.expected_lost_sales is distinct from p.expected_lost_sales)
    """
    return bool(reader.row(sql, ORDER_PLAN.name, ORDER_PLAN_FINAL.name, OVERRIDES.name, within=str(plan.region), **plan.keys)["n"])


def decisions_on(reader: Reader, plan: PlanOf) -> list[Row]:
    """Approvals of a region's plan of a week, newest first, with the edits since, the units now, and whether the plan was made again since."""
    sql = f"""
        with now as (select coalesce(sum(order_quantity), 0)::bigint as units_now from gold_order_plan_final where {CHOSEN})
        select e.*, units_now, origin_week is distinct from $origin or (edits_since = 0 and units <> units_now) as made_again from (select e.*, (
            select count(*) from gold_overrides as o
            where o.region = e.region and o.target_week = e.target_week and o.edited_at > e.event_time
        ) as edits_since
        from gold_plan_events as e where region = $region and target_week = $target) as e, now order by event_time desc
    """
    return reader.rows(sql, PLAN_EVENTS.name, OVERRIDES.name, ORDER_PLAN_FINAL.name, **plan.keys)


def standing_of(reader: Reader, plan: PlanOf) -> Seen:
    """What somebody who looks at a plan now can approve."""
    sql = f"""
        select (select coalesce(sum(order_quantity), 0)::bigint from gold_order_plan_final where {CHOSEN}) as units,
            (select count(*) from gold_overrides where region = $region and target_week = $target) as edits
    """
    return Seen(plan.origin, **reader.row(sql, ORDER_PLAN_FINAL.name, OVERRIDES.name, **plan.keys))


def edits_of(reader: Reader, plan: PlanOf, store: str | None = None) -> list[Row]:
    """Every edit of a region's week, newest first."""
    sql = f"""
        with {NAMES}
        select o.*, product_name, store_name from gold_overrides as o left join products using (product_id) left join stores using (store_id)
        where region = $region and target_week = $target and ($store is null or store_id = $store) order by edited_at desc limit 500
    """
    tables = (OVERRIDES.name, SILVER_STORES.name, SILVER_PRODUCTS.name)
    return reader.rows(sql, *tables, region=str(plan.region), target=plan.target.monday, store=store)


def events_of(reader: Reader, plan: PlanOf) -> list[str]:
    """Names of events that touch the week in this region as a whole."""
    sql = """
        select distinct event from silver_event_weeks
        where week = $target and (region is null or region = $region) and store_id is null and product_id is null order by 1
    """
    return [row["event"] for row in reader.rows(sql, SILVER_EVENT_WEEKS.name, region=str(plan.region), target=plan.target.monday)]
