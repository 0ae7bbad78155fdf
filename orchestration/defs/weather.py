"""What accuracy owes to the weather: a report that is asked for, since it trains each model three times."""

from typing import Any

import dagster as dg
import pyarrow as pa

from orchestration.lifecycle.score_region import WeatherTask
from orchestration.runtime.metadata import add_by_slice, markdown_table, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Slice, blocks_of, weeks_between
from transforms.contracts.gold import WEATHER_VALUE
from transforms.monitoring.accuracy import weather_by_kind


@dg.multi_asset(
    name="weather_value",
    specs=[
        table_spec(
            WEATHER_VALUE.name,
            deps=[dg.AssetKey(["gold", "dataset_versions"]), dg.AssetKey(["silver", "weather"])],
            group_name="monitoring",
            owners=["team:data-science"],
        )
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="training",
)
def weather_value(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Accuracy at these origins with the weather as it was forecast, as it came to be (no forecast can be better), and without any."""
    opened, slices = lake.open(), slices_of(context)
    for block in blocks_of(slices):
        chosen = list(weeks_between(block.first, block.last))
        task = WeatherTask(opened.root, opened.storage_options, chosen, lake.project().training)
        made = [table for _, table in map_regions(task, block.regions, settings().workers)]
        opened.replace(WEATHER_VALUE.name, block, pa.concat_tables(made))
    rows = {week: weather_by_kind(opened, week) for week in {item.week for item in slices}}
    columns = ["region", "rows", "MAPE issued", "MAPE realised", "MAPE none", "RMSE issued", "RMSE realised", "RMSE none"]

    def page(item: Slice) -> dict[str, Any]:
        return {"accuracy": markdown_table(columns, [row.values() for row in rows[item.week] if row["region"] == str(item.region)])}

    add_by_slice(context, dg.AssetKey(["gold", "weather_value"]), slices, page)
    return dg.MaterializeResult(metadata=written_slices(context, opened, WEATHER_VALUE.name, slices))
