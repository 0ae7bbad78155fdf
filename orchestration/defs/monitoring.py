"""Watching: how forecasts turned out, whether a week's data are still what models were trained on, and what accuracy owes to the weather.

What plans were worth stands in `plans`, how A/B tests stand in `ab_tests`.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent

from models.evaluation.plots import calibration_plot
from models.evaluation.reliability import scored_rows
from orchestration.defs.checks import evaluated, slice_check
from orchestration.lifecycle.live_accuracy import issued, score_weeks
from orchestration.lifecycle.score_region import weather_block
from orchestration.reports.board import board_of
from orchestration.reports.board_page import PAGE, board_html, board_page
from orchestration.reports.drift import watch
from orchestration.reports.judgements import no_drift, within_target
from orchestration.reports.model_pages import live_pages
from orchestration.reports.report import write_html
from orchestration.runtime.metadata import add_by_slice, add_pages, markdown_table, picture, rounded, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, earlier_weeks, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import FURTHEST, Region, Slice, SliceBlock, Week, blocks_of
from transforms.contracts.bronze import CONDITIONED_SLICES
from transforms.contracts.gold import ACCURACY as ACCURACY_TABLE
from transforms.contracts.gold import WEATHER_VALUE
from transforms.lake.tables import Lake
from transforms.monitoring.accuracy import by_segment, weather_by_kind

ACCURACY = dg.AssetKey(["gold", "accuracy"])
DRIFT_REPORT = dg.AssetKey(["reports", "drift_report"])
BOARD = dg.AssetKey(["reports", "board"])
WITHIN_TARGET = slice_check(
    "mape_within_target",
    ACCURACY,
    "Each segment's forecasts for the week came within the MAPE that the project asks for; deliveries that nobody had forecast count against it.",
)
NO_DRIFT = slice_check("no_drift", DRIFT_REPORT, "No column of the week drifted, at the project's rate of false ones.")


@dg.multi_asset(
    name="accuracy",
    specs=[
        table_spec(
            ACCURACY_TABLE.name,
            group_name="monitoring",
            deps=[
                dg.AssetKey(["gold", "demand"]),
                dg.AssetDep(dg.AssetKey(["gold", "forecasts"]), partition_mapping=earlier_weeks(-FURTHEST, -1)),
            ],
            kinds={"duckdb", "deltalake"},
            owners=["team:data-science"],
        )
    ],
    check_specs=[WITHIN_TARGET],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def accuracy(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | DagsterEvent | dg.Output[None]]:
    """How the forecasts issued earlier for these weeks turned out."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    for block in blocks_of(slices):
        score_weeks(opened, block)
    columns = ["region", "format", "mover", "mape", "baseline_mape", "rmse_0", "rmse_all", "n", "n_zero"]

    @cache
    def segments(week: Week) -> list[dict[str, Any]]:
        return by_segment(opened, week, week)

    @cache
    def calibration(region: Region) -> dict[str, Any]:
        return _calibration(opened, [item for item in slices if item.region == region])

    def page(item: Slice) -> dict[str, Any]:
        rows = [row for row in segments(item.week) if row["region"] == str(item.region)]
        table = markdown_table(columns, [[row[name] for name in columns] for row in rows])
        return {**rounded(_overall(rows)), "segments": table, **calibration(item.region)}

    add_by_slice(context, ACCURACY, slices, page)
    add_pages(context, ACCURACY, slices, lambda: live_pages(opened, slices, project.gate.max_mape))
    yield dg.MaterializeResult(asset_key=ACCURACY, metadata=written_slices(context, opened, ACCURACY_TABLE.name, slices))
    yield from evaluated(context, (WITHIN_TARGET, within_target(opened, project, slices)))


@dg.multi_asset(
    name="drift_report",
    specs=[
        dg.AssetSpec(
            key=DRIFT_REPORT,
            description=(
                "The week's data against the same season of past years, ranked by estimated effect on error and money: "
                "scores in gold/drift, and a page for each region."
            ),
            group_name="monitoring",
            deps=[
                dg.AssetKey(["gold", "demand"]),
                dg.AssetKey(["silver", "returns"]),
                dg.AssetKey(["silver", "weather"]),
                dg.AssetKey(["silver", "weather_known"]),
                dg.AssetKey(["silver", "stores"]),
                dg.AssetKey(["silver", "products"]),
                dg.AssetKey(["silver", "event_weeks"]),
                dg.AssetDep(dg.AssetKey(["gold", "forecasts"]), partition_mapping=earlier_weeks(-FURTHEST, -1)),
            ],
            kinds={"evidently", "deltalake"},
            owners=["team:data-science"],
        )
    ],
    check_specs=[NO_DRIFT],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def drift_report(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | DagsterEvent | dg.Output[None]]:
    """Score the slices and write their pages."""
    opened, rate, slices = lake.open(), lake.project().drift_rate, slices_of(context)
    drift = watch(opened, slices, rate, context.log.info)
    add_by_slice(context, DRIFT_REPORT, slices, lambda item: drift[item].metadata)
    yield dg.MaterializeResult(asset_key=DRIFT_REPORT)
    yield from evaluated(context, (NO_DRIFT, no_drift(opened, slices)))


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
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    for block in blocks_of(slices):
        weather_block(opened, project, block)
    rows = {week: weather_by_kind(opened, week) for week in {item.week for item in slices}}
    columns = ["region", "rows", "MAPE issued", "MAPE realised", "MAPE none", "RMSE issued", "RMSE realised", "RMSE none"]

    def page(item: Slice) -> dict[str, Any]:
        return {"accuracy": markdown_table(columns, [row.values() for row in rows[item.week] if row["region"] == str(item.region)])}

    add_by_slice(context, dg.AssetKey(["gold", "weather_value"]), slices, page)
    return dg.MaterializeResult(metadata=written_slices(context, opened, WEATHER_VALUE.name, slices))


@dg.asset(
    key=BOARD,
    group_name="monitoring",
    # Behind all that the cycle and conditioning make, so that it is their last step.
    deps=[
        DRIFT_REPORT,
        *(dg.AssetKey(["gold", name]) for name in ("order_plan_final", "contributions", "value_added", "ab_lift")),
        dg.AssetKey(CONDITIONED_SLICES.name.split("/")),
    ],
    kinds={"duckdb"},
    owners=["team:data-science"],
)
def board(lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """State of all regions this week: forecast, plan, red checks, drift, stale models, what waits for a person, with the way to each.

    Made at the end of each weekly cycle and of each conditioning. [As a page for narrow screens](/reports/board/index.html); [the pages](/pages/)
    show the same data to planners.
    """
    opened = lake.open()
    found = board_of(opened, lake.project())
    write_html(board_html(found), opened, *PAGE)
    return dg.MaterializeResult(metadata=board_page(found))


def definitions() -> dg.Definitions:
    """Assets that watch after each cycle, the board that sums up, and the report on weather that is asked for."""
    return dg.Definitions(assets=[accuracy, drift_report, weather_value, board])


def _calibration(lake: Lake, slices: Sequence[Slice]) -> dict[str, Any]:
    """Whether probabilities and intervals held, in the newest weeks of the run that have forecasts to look at."""
    newest = max(item.week for item in slices)
    block = SliceBlock(tuple(sorted({item.region for item in slices})), max(newest + -3, min(item.week for item in slices)), newest)
    found = {region: rows for region, rows in scored_rows(*issued(lake, block)).items() if rows.demand.any()}
    return {"calibration": picture("Reliability of p_demand and share of the 80 % interval", calibration_plot(found))} if found else {}


def _overall(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    hits = [(float(row["n"] - row["n_zero"]), row) for row in rows if row["mape"] is not None]
    total = sum(weight for weight, _ in hits)
    if not total:
        return {}
    return {name: sum(weight * float(row[name]) for weight, row in hits) / total for name in ("mape", "baseline_mape")}
