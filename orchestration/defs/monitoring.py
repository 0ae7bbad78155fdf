"""Watching: how forecasts turned out, and whether a week's data are still what models were trained on."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import dagster as dg
import pyarrow as pa

from models.evaluation.metrics import score_forecasts
from models.evaluation.plots import calibration_plot
from models.evaluation.reliability import scored_rows
from orchestration.defs.checks import accuracy_judgement, drift_judgement, told
from orchestration.reports.drift import drift_of, within
from orchestration.runtime.metadata import add_by_slice, markdown_table, picture, rounded, table_spec, written_slices
from orchestration.runtime.partitions import REGION_WEEK, earlier_weeks, slices_of
from orchestration.runtime.resources import LakeResource
from transforms.calendar import FURTHEST, Region, Slice, SliceBlock, Week, blocks_of
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY as ACCURACY_TABLE
from transforms.contracts.gold import DEMAND, FORECASTS
from transforms.lake.tables import Lake, block_predicate, day, region_list
from transforms.monitoring.accuracy import by_segment

ACCURACY = dg.AssetKey(["gold", "accuracy"])
DRIFT_REPORT = dg.AssetKey(["reports", "drift_report"])
WITHIN_TARGET = dg.AssetCheckSpec(
    name="mape_within_target",
    asset=ACCURACY,
    description="In every region, each segment's forecasts for the last weeks that landed came within the MAPE that the project asks for.",
)
NO_DRIFT = dg.AssetCheckSpec(
    name="no_drift",
    asset=DRIFT_REPORT,
    description="In no region did a column drift in the newest week that was watched there, at the project's rate of false ones.",
)


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
def accuracy(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[None]]:
    """How the forecasts issued earlier for these weeks turned out."""
    opened, slices = lake.open(), slices_of(context)
    for block in blocks_of(slices):
        opened.replace(ACCURACY_TABLE.name, block, score_forecasts(*_issued(opened, block)))
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
    yield dg.MaterializeResult(asset_key=ACCURACY, metadata=written_slices(context, opened, ACCURACY_TABLE.name, slices))
    yield from told(WITHIN_TARGET, accuracy_judgement(opened, lake.project()))


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
def drift_report(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[None]]:
    """Score the slices and write their pages; all of a run in one process, since Evidently takes its time to import."""
    opened, rate, slices = lake.open(), lake.project().drift_rate, slices_of(context)
    outcomes = []
    for item in slices:
        outcomes.append(drift_of(opened, item, rate))
        context.log.info(f"{item}: {outcomes[-1].verdict}")
    scores = pa.concat_tables([outcome.scores for outcome in outcomes])
    for block in blocks_of(slices):
        opened.replace(DRIFT.name, block, within(scores, block))
    by_slice = {outcome.item: outcome for outcome in outcomes}
    add_by_slice(context, DRIFT_REPORT, slices, lambda item: by_slice[item].metadata)
    yield dg.MaterializeResult(asset_key=DRIFT_REPORT)
    yield from told(NO_DRIFT, drift_judgement(opened))


def _issued(lake: Lake, block: SliceBlock) -> tuple[pa.Table, pa.Table]:
    """Forecasts that were issued for the block's weeks, as far as these have landed, and the demand that came."""
    demand = lake.read(DEMAND.name, where=block_predicate("week", block))
    if not lake.exists(FORECASTS.name):
        return FORECASTS.schema.empty_table(), demand
    where = f"region in ({region_list(block.regions)}) and target_week >= {day(block.first)} and target_week <= {day(block.last)}"
    # A week of which nothing has landed is not a week without demand.
    landed = demand.group_by(["region", "week"]).aggregate([])
    forecasts = lake.read(FORECASTS.name, where=where).join(
        landed.rename_columns({"week": "target_week"}), keys=["region", "target_week"], join_type="left semi"
    )
    return forecasts, demand


def _calibration(lake: Lake, slices: Sequence[Slice]) -> dict[str, Any]:
    """Whether probabilities and intervals held, in the newest weeks of the run that have forecasts to look at."""
    newest = max(item.week for item in slices)
    block = SliceBlock(tuple(sorted({item.region for item in slices})), max(newest + -3, min(item.week for item in slices)), newest)
    found = {region: rows for region, rows in scored_rows(*_issued(lake, block)).items() if rows.demand.any()}
    return {"calibration": picture("Reliability of p_demand and share of the 80 % interval", calibration_plot(found))} if found else {}


def _overall(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    hits = [(float(row["n"] - row["n_zero"]), row) for row in rows if row["mape"] is not None]
    total = sum(weight for weight, _ in hits)
    if not total:
        return {}
    return {name: sum(weight * float(row[name]) for weight, row in hits) / total for name in ("mape", "baseline_mape")}
