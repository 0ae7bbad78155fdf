"""What can be asked about: the weeks of a region's newest plan, and what it holds."""

from datetime import date

from dashboard.queries.names import named
from dashboard.queries.reader import Reader
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.rows import Row

_CHOSEN = """
    region = $region and origin_week = $origin and target_week = $target
    and ($store = '' or store_id = $store) and ($product = '' or product_id = $product)
"""


def target_weeks(reader: Reader, region: str, origin: Week) -> list[date]:
    """The weeks that an origin planned, in their order."""
    sql = "select distinct target_week as week from gold_order_plan where region = $region and origin_week = $origin order by 1"
    return [row["week"] for row in reader.rows(sql, ORDER_PLAN.name, within=region, region=region, origin=origin.monday)]


def planned(reader: Reader, region: str, origin: Week, target: date, store: str, product: str) -> Row:
    """Units expected and ordered, over all stores or products where none is named."""
    sql = f"""
        select coalesce(sum(f.expected), 0) as expected, coalesce(sum(p.order_quantity), 0)::bigint as ordered, count(*) as lines
        from (select * from gold_order_plan where {_CHOSEN}) as p
        join (select * from gold_forecasts where {_CHOSEN}) as f using (region, store_id, product_id, origin_week, target_week)
    """
    keys = {"region": region, "origin": origin.monday, "target": target, "store": store, "product": product}
    return reader.row(sql, ORDER_PLAN.name, FORECASTS.name, within=region, **keys)


def region_products(reader: Reader, region: str, origin: Week) -> dict[str, str]:
    """Products that an origin planned in any store of a region: id -> name, by name."""
    return named(
        reader, "product_id", ORDER_PLAN.name, "region = $region and origin_week = $origin", within=region, region=region, origin=origin.monday
    )
