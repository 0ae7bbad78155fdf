"""Training and validation: the ensembles and baselines of each region, trained where something speaks for it, judged, promoted or refused."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from orchestration.defs.checks import significance_judgement, told
from orchestration.defs.datasets import VERSIONS
from orchestration.experiments.mlflow_mirror import mirror_registry
from orchestration.lifecycle.data_approval import review
from orchestration.lifecycle.ladder import rank_steps
from orchestration.lifecycle.pooled import train_pooled_models
from orchestration.lifecycle.promotion import validate
from orchestration.lifecycle.retraining import ON_DEMAND, Decision
from orchestration.lifecycle.rollback import after_failing
from orchestration.lifecycle.train_region import TrainTask
from orchestration.runtime.metadata import add_by_slice, markdown_table, rounded, table_spec, written, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.contracts import life_cycle
from transforms.contracts.life_cycle import RETRAINING
from transforms.lake.lease import lease
from transforms.lake.tables import Lake
from transforms.records.model_registry import POOLED, ModelVersion, decide, register

ENSEMBLES = dg.AssetKey(["models", "ensembles"])
CHAMPIONS = dg.AssetKey(["models", "champions"])
LADDER = dg.AssetKey(["gold", "ladder"])
RETRAINED = dg.AssetKey(["gold", "retraining"])
SIGNIFICANT = dg.AssetCheckSpec(
    name="significant",
    asset=LADDER,
    description="What serves each segment of each region now is within the target MAPE on its held-back weeks, by its margin below the average's.",
)


@dg.multi_asset(
    name="ensembles",
    specs=[
        dg.AssetSpec(
            key=ENSEMBLES,
            description="The region's ensembles, one for each segment with rows enough, and its historical averages, with this week as origin.",
            group_name="training",
            deps=[VERSIONS],
            kinds={"scikitlearn", "pytorch"},
            owners=["team:data-science"],
        ),
        table_spec(RETRAINING.name, group_name="training", deps=[VERSIONS], owners=["team:data-science"]),
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
    # A limit of this pool, set in the UI, makes runs that train take turns; without one, two at a time share the cores.
    pool="training",
)
def ensembles(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterable[dg.MaterializeResult[Any]]:
    """Train what needs it, week after week, and put on record what was trained, what was kept, and why."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    review(opened, project, sorted({item.region for item in slices}), context.run_id, context.log.info)
    trained: list[ModelVersion] = []
    decided: list[tuple[Slice, Decision]] = []
    for week, regions in _by_week(slices):
        task = TrainTask(opened.root, opened.storage_options, week, project, context.run_id, ON_DEMAND in context.run.tags)
        here: list[tuple[Slice, Decision]] = []
        versions: list[ModelVersion] = []
        for region, (decisions, made) in map_regions(task, regions, settings().workers):
            context.log.info(f"{region} {week}: {len(made)} models trained")
            here += [(Slice(region, week), decision) for decision in decisions]
            versions += made
        pooled, made = train_pooled_models(opened, project, regions, week, context.run_id, task.on_demand)
        here += [(Slice(POOLED, week), decision) for decision in pooled]
        versions += made
        with lease(opened, "decisions", f"registration, run {context.run_id}", context.log.info):
            _register(opened, versions, here, f"run {context.run_id}", again=task.on_demand)
            opened.replace(RETRAINING.name, SliceBlock((*regions, POOLED), week, week), _rows(here))
        trained, decided = trained + versions, decided + here

    def page(item: Slice) -> dict[str, Any]:
        own = [version for version in trained if (version.region, version.trained_week) == (str(item.region), item.week.monday)]
        rows = [(v.region, v.format, v.mover, str(v.trained_week), *_scores(v.metrics)) for v in own if v.kind == "ensemble"]
        table = markdown_table(["region", "format", "mover", "origin", "MAPE", "historical average"], rows)
        return {"models": len(own), "held_back": table, **rounded({"mean_mape": _mean([row[4] for row in rows])})}

    add_by_slice(context, ENSEMBLES, slices, page)
    add_by_slice(context, RETRAINED, slices, lambda item: _summary([decision for one, decision in decided if one == item]))
    pooled_models = sum(version.region == str(POOLED) for version in trained)
    yield dg.MaterializeResult(asset_key=ENSEMBLES, metadata={"pooled models trained by the run": pooled_models})
    yield dg.MaterializeResult(asset_key=RETRAINED, metadata=written(opened, RETRAINING.name))


@dg.multi_asset(
    name="champions",
    specs=[
        dg.AssetSpec(
            key=CHAMPIONS,
            description="Which of the models trained with this week as origin were promoted, and why the others were not.",
            group_name="training",
            deps=[dg.AssetKey(["models", "ensembles"])],
            kinds={"python", "deltalake"},
            owners=["team:data-science"],
        ),
        table_spec(life_cycle.LADDER.name, group_name="training", deps=[dg.AssetKey(["models", "ensembles"])], owners=["team:data-science"]),
    ],
    check_specs=[SIGNIFICANT],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def champions(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[None]]:
    """Roll back what failed in production, judge each model that was trained at the slices' weeks, record what was decided, and order the ladder."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    events, ranked = [], []
    for week, regions in _by_week(slices):
        # What another run has judged by the time the lease is ours no longer waits, and is not judged again.
        with lease(opened, "decisions", f"validation, run {context.run_id}", context.log.info):
            back = after_failing(opened, project, regions, week, f"live accuracy, run {context.run_id}")
            decide(opened, back)
            judged = validate(opened, project, regions, week, f"gate, run {context.run_id}")
            decide(opened, judged)
        events += [*back, *judged]
        ranked += rank_steps(opened, project, regions, week).to_pylist()

    def page(item: Slice) -> dict[str, Any]:
        own = [event for event in events if (event.region, event.effective_week) == (str(item.region), item.week.monday)]
        rows = [(e.region, e.format, e.mover, str(e.effective_week), e.event, e.replaces, e.reason) for e in own if e.event != "retired"]
        counts = Counter(event.event for event in own)
        return {
            "promoted": counts["champion"],
            "rejected": counts["rejected"],
            "waiting": counts["awaiting validation"],
            "rolled_back": counts["rolled back"],
            "decisions": markdown_table(["region", "format", "mover", "origin", "decision", "replacing", "why"], rows),
        }

    columns = ["format", "mover", "rung", "mape", "is_significant", "reason"]

    def serving(item: Slice) -> dict[str, Any]:
        own = [row for row in ranked if (row["region"], row["week"], row["rank"]) == (str(item.region), item.week.monday, 1)]
        return {"serving": markdown_table(columns, [[row[name] for name in columns] for row in own])}

    add_by_slice(context, CHAMPIONS, slices, page)
    add_by_slice(context, LADDER, slices, serving)
    yield dg.MaterializeResult(asset_key=CHAMPIONS, metadata={"mirror": mirror_registry(opened, project, settings().tracking_uri)})
    yield dg.MaterializeResult(asset_key=LADDER, metadata=written_slices(context, opened, life_cycle.LADDER.name, slices))
    yield from told(SIGNIFICANT, significance_judgement(opened))


def _by_week(slices: Sequence[Slice]) -> list[tuple[Week, list[Region]]]:
    """The regions of each week, in the order of time: what is decided at a week builds on the weeks before it."""
    weeks = sorted({item.week for item in slices})
    return [(week, [item.region for item in slices if item.week == week]) for week in weeks]


def _register(lake: Lake, versions: Sequence[ModelVersion], decided: Sequence[tuple[Slice, Decision]], actor: str, again: bool) -> None:
    why = {(str(item.region), *decision.segment): f"{decision.cause}, {decision.reason}" for item, decision in decided}
    reasons = {version.model_version: why[version.region, version.format, version.mover] for version in versions}
    register(lake, versions, datetime.now(UTC), actor, reasons, again)


def _rows(decided: Sequence[tuple[Slice, Decision]]) -> pa.Table:
    rows = [{"region": str(item.region), "week": item.week.monday, **asdict(decision)} for item, decision in decided]
    return pa.Table.from_pylist(rows, schema=RETRAINING.schema)


def _summary(decisions: Sequence[Decision]) -> dict[str, Any]:
    counts = Counter((d.cause, d.reason) for d in decisions if d.retrained or d.reused)
    kept = sum(d.reused is not None for d in decisions)
    rows = [("reused" if cause == "none" else "retrained", cause, n, reason) for (cause, reason), n in counts.most_common()]
    return {
        "retrained": sum(d.retrained for d in decisions),
        "reused": kept,
        "why": markdown_table(["what", "cause", "models", "why"], rows),
    }


def _scores(metrics: str) -> tuple[float | None, float | None]:
    loaded = json.loads(metrics)
    return loaded.get("mape"), loaded.get("baseline_mape")


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
