"""Scoring: the forecasts and the order plan that are made at an origin by the models promoted then."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pyarrow as pa

from orchestration.defs.datasets import VERSIONS
from orchestration.metadata import table_spec, written
from orchestration.partitions import REGION_WEEK, slices_of
from orchestration.regional import ScoreTask
from orchestration.resources import LakeResource
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import blocks_of, weeks_between
from transforms.contracts.ab_tests import AB_FORECASTS

FORECASTS = dg.AssetKey(["gold", "forecasts"])
ORDER_PLAN = dg.AssetKey(["gold", "order_plan"])
_COMMON = {
    "group_name": "scoring",
    "deps": [dg.AssetKey(["models", "champions"]), dg.AssetKey(["gold", "ladder"]), VERSIONS],
    "kinds": {"python", "deltalake"},
    "owners": ["team:data-science"],
}


@dg.multi_asset(
    name="scoring",
    specs=[table_spec("gold/forecasts", **_COMMON), table_spec("gold/order_plan", **_COMMON)],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def scoring(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any]]:
    """Forecasts for the weeks after the origin, and what to put on the truck."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    for block in blocks_of(slices):
        weeks = list(weeks_between(block.first, block.last))
        decided = (project.horizons, project.history, project.clusters, project.sold_out, project.forecast_seconds, project.gate.judged)
        task = ScoreTask(opened.root, opened.storage_options, weeks, *decided)
        results = [result for _, result in map_regions(task, block.regions, settings().workers)]
        made = pa.concat_tables([forecasts for forecasts, _, _ in results])
        column = made.schema.get_field_index("run_id")
        made = made.set_column(column, made.schema.field(column), pa.repeat(context.run_id, made.num_rows))
        opened.replace("gold/forecasts", block, made)
        opened.replace("gold/order_plan", block, pa.concat_tables([plan for _, plan, _ in results]))
        tested = pa.concat_tables([arms for _, _, arms in results])
        if tested.num_rows or opened.exists(AB_FORECASTS.name):
            opened.replace(AB_FORECASTS.name, block, tested)
    yield dg.MaterializeResult(asset_key=FORECASTS, metadata=written(opened, "gold/forecasts", slices))
    yield dg.MaterializeResult(asset_key=ORDER_PLAN, metadata=written(opened, "gold/order_plan", slices))
