"""A/B tests as an asset: how each stands after a week, with an interval that holds however often it is looked at."""

from typing import Any

import dagster as dg

from models.evaluation.plots import lift_plot
from orchestration.lifecycle.ab_tests import Standing, update_lift
from orchestration.runtime.metadata import add_by_slice, markdown_table, picture, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, earlier_weeks, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import Slice
from transforms.contracts.ab_tests import AB_LIFT

_MOST_PICTURES = 6
_COLUMNS = ["test", "segment", "mode", "look", "champion", "challenger", "difference", "low", "high", "verdict"]


@dg.multi_asset(
    name="ab_lift",
    specs=[
        table_spec(
            AB_LIFT.name,
            group_name="monitoring",
            deps=[
                dg.AssetKey(["gold", "demand"]),
                dg.AssetDep(dg.AssetKey(["gold", "forecasts"]), partition_mapping=earlier_weeks(-1, -1)),
            ],
            kinds={"duckdb", "deltalake"},
            owners=["team:data-science"],
        )
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def ab_lift(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Compare both arms of each test up to these weeks; nothing is promoted by it."""
    opened, slices = lake.open(), slices_of(context)
    found = update_lift(opened, slices)

    def page(item: Slice) -> dict[str, Any]:
        own = [standing for standing in found if standing.test.region == str(item.region)]
        pictures = {standing.test.test_id: picture(standing.test.test_id, plot_of(standing)) for standing in own[-_MOST_PICTURES:]}
        return {"tests": markdown_table(_COLUMNS, [last_look(standing) for standing in own]), **pictures}

    add_by_slice(context, dg.AssetKey(["gold", "ab_lift"]), slices, page)
    return dg.MaterializeResult(metadata=written_slices(context, opened, AB_LIFT.name, slices))


def last_look(standing: Standing) -> tuple[object, ...]:
    """A test's row of the table on the page."""
    test, row = standing.test, standing.rows[-1]
    return (test.test_id, f"{test.format}/{test.mover}", test.mode, *(row[name] for name in _COLUMNS[3:]))


def plot_of(standing: Standing) -> bytes:
    """The difference at each look."""
    weeks = [str(row["week"]) for row in standing.rows]
    series = [[float("nan") if row[name] is None else float(str(row[name])) for row in standing.rows] for name in ("difference", "low", "high")]
    return lift_plot(f"{standing.test.test_id} ({standing.test.metric})", weeks, *series)


def definitions() -> dg.Definitions:
    """How A/B tests stand."""
    return dg.Definitions(assets=[ab_lift])
