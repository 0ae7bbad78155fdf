"""Scoring: the forecasts and the order plan that are made at an origin by the models promoted then."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent

from orchestration.defs.checks import evaluated, slice_check
from orchestration.defs.datasets import VERSIONS
from orchestration.lifecycle.score_region import score_block
from orchestration.reports.judgements import WEEKS_BEFORE, forecasts_are_sane, no_failover, no_stale_model, plan_is_sane
from orchestration.reports.slices import forecast_pages, plan_pages
from orchestration.runtime.metadata import add_pages, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import blocks_of
from transforms.contracts import gold, orders
from transforms.contracts.gold import STALE_DAYS

FORECASTS = dg.AssetKey(["gold", "forecasts"])
ORDER_PLAN = dg.AssetKey(["gold", "order_plan"])
ORDER_PLAN_FINAL = dg.AssetKey(["gold", "order_plan_final"])
NO_STALE_MODEL = slice_check(
    "no_stale_model", FORECASTS, f"No forecast of the origin comes from a model that had been trained more than {STALE_DAYS} days before."
)
NO_FAILOVER = slice_check(
    "no_failover", FORECASTS, "Every forecast of the origin was made by the first step of its ladder, or by a challenger in a test."
)
FORECASTS_SANE = slice_check(
    "forecasts_are_sane", FORECASTS, "Forecasts for all weeks after the origin; chances lie in 0..1, quantiles are in order, nothing is negative."
)
PLAN_SANE = slice_check(
    "plan_is_sane",
    ORDER_PLAN,
    f"Whole case packs; each week's total within a factor data.volume_ratio of the weekly deliveries of the {WEEKS_BEFORE} weeks before the origin.",
)
_COMMON = {
    "group_name": "scoring",
    "deps": [dg.AssetKey(["models", "champions"]), dg.AssetKey(["gold", "ladder"]), VERSIONS],
    "kinds": {"python", "deltalake"},
    "owners": ["team:data-science"],
}


@dg.multi_asset(
    name="scoring",
    specs=[table_spec(table, **_COMMON) for table in (gold.FORECASTS.name, gold.ORDER_PLAN.name, orders.ORDER_PLAN_FINAL.name)],
    check_specs=[NO_STALE_MODEL, NO_FAILOVER, FORECASTS_SANE, PLAN_SANE],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def scoring(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | DagsterEvent | dg.Output[None]]:
    """Forecasts for the weeks after the origin, what to put on the truck, and that with the edits that planners made meanwhile."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    for block in blocks_of(slices):
        score_block(opened, project, block, context.run_id)
    add_pages(context, FORECASTS, slices, lambda: forecast_pages(opened, slices))
    add_pages(context, ORDER_PLAN, slices, lambda: plan_pages(opened, slices))
    yield dg.MaterializeResult(asset_key=FORECASTS, metadata=written_slices(context, opened, gold.FORECASTS.name, slices))
    yield dg.MaterializeResult(asset_key=ORDER_PLAN, metadata=written_slices(context, opened, gold.ORDER_PLAN.name, slices))
    yield dg.MaterializeResult(asset_key=ORDER_PLAN_FINAL, metadata=written_slices(context, opened, orders.ORDER_PLAN_FINAL.name, slices))
    yield from evaluated(
        context,
        (NO_STALE_MODEL, no_stale_model(opened, slices)),
        (NO_FAILOVER, no_failover(opened, slices)),
        (FORECASTS_SANE, forecasts_are_sane(opened, project, slices)),
        (PLAN_SANE, plan_is_sane(opened, project, slices)),
    )


def definitions() -> dg.Definitions:
    """Scoring."""
    return dg.Definitions(assets=[scoring])
