"""The order plan in money: what plans made earlier would have cost, beside what else could have been shipped."""

from functools import cache
from typing import Any

import dagster as dg
import pyarrow as pa

from models.evaluation.plan_value import plan_value as value_of
from orchestration.runtime.metadata import add_by_slice, markdown_table, rounded, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, earlier_weeks, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import FURTHEST, Slice, SliceBlock, Week, blocks_of
from transforms.contracts.gold import DEMAND, FORECASTS, ORDER_PLAN, PLAN_VALUE
from transforms.lake.tables import Lake, block_predicate, day, region_list
from transforms.monitoring.savings import Savings, savings


@dg.multi_asset(
    name="plan_value",
    specs=[
        table_spec(
            PLAN_VALUE.name,
            group_name="monitoring",
            deps=[
                dg.AssetKey(["gold", "demand"]),
                *(dg.AssetDep(dg.AssetKey(["gold", table]), partition_mapping=earlier_weeks(-FURTHEST, -1)) for table in ("forecasts", "order_plan")),
            ],
            kinds={"duckdb", "deltalake"},
            owners=["team:data-science"],
        )
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def plan_value(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What the plans made earlier for these weeks cost, beside shipping the historical average and the point forecast."""
    opened, slices = lake.open(), slices_of(context)
    for block in blocks_of(slices):
        opened.replace(PLAN_VALUE.name, block, _valued(opened, block))
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
    return dg.MaterializeResult(metadata=written_slices(context, opened, PLAN_VALUE.name, slices))


def _valued(lake: Lake, block: SliceBlock) -> pa.Table:
    if not lake.exists(ORDER_PLAN.name):
        return PLAN_VALUE.schema.empty_table()
    where = f"region in ({region_list(block.regions)}) and target_week >= {day(block.first)} and target_week <= {day(block.last)}"
    demand = lake.read(DEMAND.name, where=block_predicate("week", block))
    # A week of which nothing has landed is not a week without demand.
    landed = demand.group_by(["region", "week"]).aggregate([]).rename_columns({"week": "target_week"})
    plans = lake.read(ORDER_PLAN.name, where=where).join(landed, keys=["region", "target_week"], join_type="left semi")
    return value_of(plans, lake.read(FORECASTS.name, where=where), demand)
