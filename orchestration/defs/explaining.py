"""Why forecasts are what they are."""

from typing import Any

import dagster as dg
import pyarrow as pa

from orchestration.reports.explain import ExplainTask
from orchestration.runtime.metadata import add_by_slice, markdown_table, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Slice, blocks_of, weeks_between
from transforms.contracts.gold import CONTRIBUTIONS
from transforms.features.feature import GROUPS


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
    sums: dict[str, pa.Table] = {}
    for block in blocks_of(slices):
        weeks = list(weeks_between(block.first, block.last))
        task = ExplainTask(opened.root, opened.storage_options, weeks, project.explain_share, project.sold_out)
        made = dict(map_regions(task, block.regions, settings().workers))
        opened.replace(CONTRIBUTIONS.name, block, pa.concat_tables(list(made.values())))
        sums |= {str(region): table for region, table in made.items() if table.num_rows}
    columns = ["region", "rows", "expected", "reference", *GROUPS]
    rows = {region: [region, table.num_rows, *(_mean(table, name) for name in columns[2:])] for region, table in sums.items()}

    def page(item: Slice) -> dict[str, Any]:
        return {"mean contributions": markdown_table(columns, [row for region, row in rows.items() if region == str(item.region)])}

    add_by_slice(context, dg.AssetKey(["gold", "contributions"]), slices, page)
    return dg.MaterializeResult(metadata=written_slices(context, opened, CONTRIBUTIONS.name, slices))


def _mean(table: pa.Table, name: str) -> float:
    values = table[name].to_numpy()
    return float(values.mean())
