"""The order plan afterwards: what plans made earlier cost beside what else could have been shipped, and why forecasts were what they were.

Making the plan is scoring; how forecasts turned out is monitoring.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import dagster as dg
import pyarrow as pa

from orchestration.lifecycle.live_accuracy import value_plans
from orchestration.reports.explain import explain_block
from orchestration.runtime.metadata import add_by_slice, markdown_table, rounded, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, earlier_weeks, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import FURTHEST, Slice, Week, blocks_of
from transforms.contracts.gold import CONTRIBUTIONS, PLAN_VALUE
from transforms.contracts.orders import VALUE_ADDED
from transforms.features.feature import GROUPS
from transforms.monitoring.savings import Savings, savings
from transforms.orders.value_added import value_edits


@dg.multi_asset(
    name="plan_value",
    specs=[
        table_spec(
            table,
            group_name="monitoring",
            deps=[
                dg.AssetKey(["gold", "demand"]),
                *(dg.AssetDep(dg.AssetKey(["gold", made]), partition_mapping=earlier_weeks(-FURTHEST, -1)) for made in ("forecasts", "order_plan")),
            ],
            kinds={"duckdb", "deltalake"},
            owners=["team:data-science"],
        )
        for table in (PLAN_VALUE.name, VALUE_ADDED.name)
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def plan_value(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any]]:
    """What the plans made earlier for these weeks cost beside what else could have been shipped, and what planners' edits of them were worth."""
    opened, slices = lake.open(), slices_of(context)
    for block in blocks_of(slices):
        value_plans(opened, block)
        value_edits(opened, block)
    columns = ["region", "cost of the plan, USD", "saved against the historical average", "saved against the point forecast"]

    @cache
    def saved_in(week: Week) -> dict[str, Savings]:
        return {row.region: row for row in savings(opened, week, week)}

    def page(item: Slice) -> dict[str, Any]:
        row = saved_in(item.week).get(str(item.region))
        if row is None:
            return {}
        cost, saved = row.cost["order_plan"], row.cost["historical_average"] - row.cost["order_plan"]
        table = markdown_table(columns, [(row.region, cost, *map(str, row.saved.values()))])
        return {**rounded({"cost": cost, "saved_usd": saved}), "savings": table}

    add_by_slice(context, dg.AssetKey(["gold", "plan_value"]), slices, page)
    for table in (PLAN_VALUE.name, VALUE_ADDED.name):
        yield dg.MaterializeResult(asset_key=dg.AssetKey(table.split("/")), metadata=written_slices(context, opened, table, slices))


@dg.multi_asset(
    name="contributions",
    specs=[
        table_spec(
            CONTRIBUTIONS.name,
            group_name="scoring",
            deps=[dg.AssetKey(["gold", "forecasts"])],
            kinds={"python", "deltalake"},
            owners=["team:data-science"],
        )
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def contributions(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Contributions of level, season, weather, price and events, demographics and returns to the largest forecasts; they add up exactly."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    explained: dict[str, pa.Table] = {}
    for block in blocks_of(slices):
        explained |= {str(region): rows for region, rows in explain_block(opened, project, block).items() if rows.num_rows}
    columns = ["region", "rows", "expected", "reference", *GROUPS]
    rows = {region: [region, table.num_rows, *(_mean(table, name) for name in columns[2:])] for region, table in explained.items()}

    def page(item: Slice) -> dict[str, Any]:
        return {"mean contributions": markdown_table(columns, [row for region, row in rows.items() if region == str(item.region)])}

    add_by_slice(context, dg.AssetKey(["gold", "contributions"]), slices, page)
    return dg.MaterializeResult(metadata=written_slices(context, opened, CONTRIBUTIONS.name, slices))


def _mean(table: pa.Table, name: str) -> float:
    values = table[name].to_numpy()
    return float(values.mean())


def definitions() -> dg.Definitions:
    """The value of plans, and what made the forecasts in them."""
    return dg.Definitions(assets=[plan_value, contributions])
