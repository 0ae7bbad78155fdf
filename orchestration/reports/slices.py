"""What the page of a slice shows: the plan to load and its largest orders, whose forecasts they are and what they add up to.

All slices of a run by one query a table, so that a backfill costs no more queries than a week. How models do over
time is for `model_pages`, whether numbers are as they should be for `judgements`.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlencode

import dagster as dg

from orchestration.runtime.metadata import markdown_table, rounded
from transforms.calendar import FURTHEST, Region, Slice, SliceBlock, Week, around
from transforms.contracts.gold import ACCURACY, DEMAND, FORECASTS, ORDER_PLAN
from transforms.contracts.silver import SILVER_PRODUCTS, SILVER_STORES
from transforms.exports.names import PRODUCTS_NOW, STORES_NOW
from transforms.lake.tables import Lake, block_predicate
from transforms.monitoring.accuracy import SUMS

Page: TypeAlias = Callable[[Slice], Mapping[str, Any]]
Row: TypeAlias = tuple[Any, ...]

_LARGEST = 8
"""Rows of the preview: the UI shows up to 1,000 characters of a table in place, and a button for more."""
_YEAR = 52
_PLAN_COLUMNS = ["week", "units", "cases", "service", "returns", "lost", "USD"]
_ORDER_COLUMNS = ["store", "product", "week", "units", "cases"]
_FORECAST_COLUMNS = ["week", "expected units", "a year before", "change"]


def page_of(name: str, **selection: str) -> dg.UrlMetadataValue:
    """Address of one of the pages beside Dagster, with what is selected on it."""
    return dg.MetadataValue.url(f"/pages/{name}" + (f"?{urlencode(selection)}" if selection else ""))


def plan_pages(lake: Lake, slices: Sequence[Slice]) -> Page:
    """What to load in the weeks after an origin: numbers of the first week, a row for each, the largest orders, and where plan and workbook are."""
    weeks, largest = _planned(lake, slices), _largest(lake, slices)

    def page(item: Slice) -> Mapping[str, Any]:
        rows = weeks.get(item, [])
        if not rows:
            return {}
        week, units, cases, level, returns, lost, cost = rows[0]
        selection = {"region": str(item.region), "week": str(week)}
        numbers = {"units": units, "cases": cases, "service_level": level, "expected_returns": returns, "expected_lost_sales": lost, "cost_usd": cost}
        return {
            **rounded(numbers),
            "plan": markdown_table(_PLAN_COLUMNS, [_shown_plan(row) for row in rows]),
            "largest_orders": markdown_table(_ORDER_COLUMNS, [_shown_order(row) for row in largest.get(item, [])]),
            "orders_page": page_of("orders", **selection),
            "workbook": page_of("orders/workbook", **selection),
        }

    return page


def _planned(lake: Lake, slices: Sequence[Slice]) -> Mapping[Slice, list[Row]]:
    """Rows of _PLAN_COLUMNS for each slice; a service level is the mean over what is ordered, a cost what returns and lost sales are reckoned at."""
    return rows_by_slice(
        lake,
        f"""
        select
            region, origin_week, target_week, sum(order_quantity)::bigint,
            sum(order_quantity // coalesce(case_pack, 1))::bigint,
            avg(service_level) filter (where order_quantity > 0),
            sum(expected_returns), sum(expected_lost_sales),
            sum(expected_returns * return_cost + expected_lost_sales * margin)
        from gold_order_plan where {within("origin_week", slices)} group by region, origin_week, target_week order by target_week
        """,
        ORDER_PLAN.name,
    )


def _largest(lake: Lake, slices: Sequence[Slice]) -> Mapping[Slice, list[Row]]:
    """The largest orders of the first week after each origin."""
    return rows_by_slice(
        lake,
        f"""
        with

        stores as (select store_id, name as store_name from ({STORES_NOW})),

        products as (select product_id, name as product_name from ({PRODUCTS_NOW})),

        largest as (
            select region, origin_week, target_week, store_id, product_id, order_quantity, case_pack
            from gold_order_plan
            where {within("origin_week", slices)} and target_week = origin_week + 7 and order_quantity > 0
            qualify row_number() over (partition by region, origin_week order by order_quantity desc, store_id, product_id) <= {_LARGEST}
        )

        select
            region, origin_week, coalesce(store_name, store_id), coalesce(product_name, product_id), target_week, order_quantity,
            order_quantity // coalesce(case_pack, 1)
        from largest left join stores using (store_id) left join products using (product_id)
        order by order_quantity desc, store_id, product_id
        """,
        ORDER_PLAN.name,
        SILVER_STORES.name,
        SILVER_PRODUCTS.name,
    )


def _shown_plan(row: Row) -> Row:
    week, units, cases, level, returns, lost, cost = row
    return (week, f"{units:,}", f"{cases:,}", _percent(level), f"{returns:,.0f}", f"{lost:,.0f}", "" if cost is None else f"{cost:,.0f}")


def _shown_order(row: Row) -> Row:
    store, product, week, units, cases = row
    return (store, product, week, f"{units:,}", f"{cases:,}")


def forecast_pages(lake: Lake, slices: Sequence[Slice]) -> Page:
    """Whose the forecasts of an origin are, what they add up to beside last year, and how they turned out as far as weeks have been scored."""
    weeks = _expected(lake, slices)
    rungs = rows_by_slice(
        lake,
        "select region, origin_week, rung, count(*), count(*) filter (where is_stale), count(distinct model_version) "
        f"from gold_forecasts where {within('origin_week', slices)} group by region, origin_week, rung order by count(*) desc",
        FORECASTS.name,
    )
    scored = _scored(lake, slices)

    def page(item: Slice) -> Mapping[str, Any]:
        served = rungs.get(item, [])
        if not served:
            return {}
        rows, stale = sum(row[1] for row in served), sum(row[2] for row in served)
        [(_, expected, before), *_] = ahead = weeks[item]
        change = {"change_on_last_year": expected / before - 1} if before else {}
        turned_out = dict(zip(("mape", "baseline_mape", "rmse_all"), scored[item][0], strict=True)) if item in scored else {}
        return {
            **rounded({"expected_units": expected, **change, "stale_share": stale / rows, **turned_out}),
            "rungs": markdown_table(["rung", "forecasts", "of stale models", "models"], [(row[0], *(f"{n:,}" for n in row[1:])) for row in served]),
            "weeks": markdown_table(_FORECAST_COLUMNS, [_shown_week(row) for row in ahead]),
            "forecasts_page": page_of("scoring", region=str(item.region)),
        }

    return page


def _expected(lake: Lake, slices: Sequence[Slice]) -> Mapping[Slice, list[Row]]:
    """Target weeks of each origin with the demand that is expected and the demand of the same week of the year before, None where there was none."""
    return rows_by_slice(
        lake,
        f"""
        with

        ahead as (
            select region, origin_week, target_week, sum(expected) as expected
            from gold_forecasts where {within("origin_week", slices)} group by all
        ),

        before as (
            select region, week + {7 * _YEAR} as target_week, sum(demand) as demand
            from gold_demand where {within("week", slices, before=_YEAR - 1, after=FURTHEST - _YEAR)} group by all
        )

        select region, origin_week, target_week, expected, demand::double
        from ahead left join before using (region, target_week) order by target_week
        """,
        FORECASTS.name,
        DEMAND.name,
    )


def _scored(lake: Lake, slices: Sequence[Slice]) -> Mapping[Slice, list[Row]]:
    """MAPE, the historical average's and the RMSE over the weeks of each origin's forecasts that have been scored."""
    return rows_by_slice(
        lake,
        f"""
        select region, origin_week, mape, baseline_mape, rmse_all from (
            select region, week - 7 * horizon::integer as origin_week, {SUMS}
            from gold_accuracy where {within("week", slices, before=-1, after=FURTHEST)} group by 1, 2
        )
        """,
        ACCURACY.name,
    )


def _shown_week(row: Row) -> Row:
    week, expected, before = row
    return (week, f"{expected:,.0f}", "" if before is None else f"{before:,.0f}", f"{expected / before - 1:+.1%}" if before else "")


def rows_by_slice(lake: Lake, sql: str, *tables: str) -> dict[Slice, list[Row]]:
    """Rows of a query that begin with region and week, by slice, without the two."""
    found: dict[Slice, list[Row]] = defaultdict(list)
    with lake.connect(*tables) as connection:
        for region, week, *rest in connection.execute(sql).fetchall():
            found[Slice(Region(region), Week(week))].append(tuple(rest))
    return dict(found)


def within(week_column: str, slices: Sequence[Slice], before: int = 0, after: int = 0) -> str:
    """SQL predicate for the rectangle around the slices, with so many weeks more before and after it."""
    block = around(slices)
    return block_predicate(week_column, SliceBlock(block.regions, block.first + -before, block.last + after))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
