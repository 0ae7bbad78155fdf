"""Scoring: the forecasts and the order plan that are made at an origin by the models promoted then."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.defs.checks import WEEKS_BEFORE, check_results, failover_judgement, forecasts_judgement, plan_judgement, stale_judgement
from orchestration.defs.datasets import VERSIONS
from orchestration.lifecycle.score_region import score_block
from orchestration.runtime.metadata import table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import blocks_of
from transforms.contracts import gold, orders
from transforms.contracts.gold import STALE_DAYS

FORECASTS = dg.AssetKey(["gold", "forecasts"])
ORDER_PLAN = dg.AssetKey(["gold", "order_plan"])
ORDER_PLAN_FINAL = dg.AssetKey(["gold", "order_plan_final"])
NO_STALE_MODEL = dg.AssetCheckSpec(
    name="no_stale_model",
    asset=FORECASTS,
    description=f"No forecast of any region's newest origin comes from a model that had been trained more than {STALE_DAYS} days before.",
)
NO_FAILOVER = dg.AssetCheckSpec(
    name="no_failover",
    asset=FORECASTS,
    description="Every forecast of each region's newest origin was made by the first step of its ladder, or by a challenger in a test.",
)
FORECASTS_SANE = dg.AssetCheckSpec(
    name="forecasts_are_sane",
    asset=FORECASTS,
    description="Every region has forecasts for all weeks at the newest origin; chances lie in 0..1, quantiles are in order, nothing is negative.",
)
PLAN_SANE = dg.AssetCheckSpec(
    name="plan_is_sane",
    asset=ORDER_PLAN,
    description=(
        "Whole case packs; each week's total within a factor data.volume_ratio of the weekly deliveries "
        f"of the {WEEKS_BEFORE} weeks before the origin."
    ),
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
def scoring(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[None]]:
    """Forecasts for the weeks after the origin, what to put on the truck, and that with the edits that planners made meanwhile."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    for block in blocks_of(slices):
        score_block(opened, project, block, context.run_id)
    yield dg.MaterializeResult(asset_key=FORECASTS, metadata=written_slices(context, opened, gold.FORECASTS.name, slices))
    yield dg.MaterializeResult(asset_key=ORDER_PLAN, metadata=written_slices(context, opened, gold.ORDER_PLAN.name, slices))
    yield dg.MaterializeResult(asset_key=ORDER_PLAN_FINAL, metadata=written_slices(context, opened, orders.ORDER_PLAN_FINAL.name, slices))
    yield from check_results(NO_STALE_MODEL, stale_judgement(opened))
    yield from check_results(NO_FAILOVER, failover_judgement(opened))
    yield from check_results(FORECASTS_SANE, forecasts_judgement(opened, project))
    yield from check_results(PLAN_SANE, plan_judgement(opened, project))


def definitions() -> dg.Definitions:
    """Scoring."""
    return dg.Definitions(assets=[scoring])
