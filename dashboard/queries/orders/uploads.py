"""An uploaded workbook beside what is to be loaded now: what its planner changed, what others changed meanwhile, and what it costs."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from dashboard.queries.orders.basket import Difference, difference
from dashboard.queries.orders.plans import CHOSEN, NAMES, PlanOf
from dashboard.queries.reader import Reader
from transforms.contracts.gold import FORECASTS
from transforms.contracts.orders import ORDER_PLAN_FINAL
from transforms.contracts.silver import SILVER_PRODUCTS, SILVER_STORES
from transforms.exports.upload import UploadRefused, Wanted
from transforms.rows import Row

_TABLES = (ORDER_PLAN_FINAL.name, FORECASTS.name, SILVER_STORES.name, SILVER_PRODUCTS.name)
_LINES = f"""
    with {NAMES},
    forecasts as (select store_id, product_id, p_demand, expected, q10, q50, q90 from gold_forecasts where {CHOSEN})
    select
        l.store_id, l.product_id, order_quantity, planned_quantity, edited, person, service_level, expected_returns, expected_lost_sales,
        case_pack, margin, return_cost, f.* exclude (store_id, product_id), store_name, product_name
    from (select * from gold_order_plan_final where {CHOSEN}) as l
    left join forecasts as f using (store_id, product_id)
    left join stores using (store_id)
    left join products using (product_id)
"""


@dataclass(frozen=True, slots=True)
class Differing:
    """A line of a workbook, and the same line as it is to be loaded now (`row`)."""

    wanted: Wanted
    row: Row


@dataclass(frozen=True, slots=True)
class Compared:
    """Lines that a planner edited and nobody else since; those that somebody else edited too, otherwise; those that somebody else edited alone."""

    edited: Sequence[Differing]
    contested: Sequence[Differing]
    kept: Sequence[Differing]


def compared(reader: Reader, plan: PlanOf, wanted: Sequence[Wanted]) -> Compared:
    """Compare the lines of a workbook with what is to be loaded now.

    Raises
    ------
    UploadRefused
        If the plan was made again since the workbook was downloaded: its quantities were another plan's.
    """
    now = {(row["store_id"], row["product_id"]): row for row in reader.rows(_LINES, *_TABLES, **plan.keys)}
    moved = [line for line in wanted if now.get((line.store_id, line.product_id), {}).get("planned_quantity") != line.planned]
    if moved:
        first = moved[0]
        row = now.get((first.store_id, first.product_id))
        says = "does not have that line now" if row is None else f"says {row['planned_quantity']} units now"
        raise UploadRefused(
            [
                f"The plan was made again since this workbook was downloaded ({len(moved)} of its lines are others; first: store {first.store_id}, "
                f"product {first.product_id}, expected {first.planned} units as in the workbook, the plan {says}). Download the workbook again and "
                "enter your numbers in it."
            ]
        )
    lines = [Differing(line, now[line.store_id, line.product_id]) for line in wanted]
    meanwhile = [line for line in lines if line.row["order_quantity"] != line.wanted.downloaded]
    return Compared(
        [line for line in lines if line.wanted.is_edited and line.row["order_quantity"] == line.wanted.downloaded],
        [line for line in meanwhile if line.wanted.is_edited and line.row["order_quantity"] != line.wanted.units],
        [line for line in meanwhile if not line.wanted.is_edited],
    )


def cost(lines: Sequence[Differing]) -> Difference:
    """What it changes to load these lines as their planner wants them."""
    stores: dict[str, list[Differing]] = {}
    for line in lines:
        stores.setdefault(line.wanted.store_id, []).append(line)
    parts = [difference([line.row for line in of], {line.wanted.product_id: line.wanted.units for line in of}) for of in stores.values()]
    return Difference(*map(sum, zip(*map(astuple, parts), strict=True))) if parts else Difference()
