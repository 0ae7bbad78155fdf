"""Training and validation: four ensembles and two baselines for each region and week, registered, judged, promoted or refused."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from models.validation import Gate, judge
from orchestration.approval import review
from orchestration.defs.datasets import VERSIONS
from orchestration.metadata import markdown_table, rounded
from orchestration.partitions import REGION_WEEK, slices_of
from orchestration.regional import TrainTask
from orchestration.resources import LakeResource
from orchestration.settings import settings
from orchestration.workers import map_regions
from transforms.calendar import Slice, blocks_of, weeks_between
from transforms.lake import Lake
from transforms.registry import ModelEvent, ModelVersion, decide, register, trained_at
from transforms.registry import champions as champions_at


@dg.asset(
    key_prefix="models",
    group_name="training",
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[VERSIONS],
    kinds={"scikitlearn", "pytorch"},
    owners=["team:data-science"],
    # Training takes all cores by itself: one run at a time.
    pool="training",
)
def ensembles(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """The region's four ensembles (LASSO and embedding network) and two historical averages, trained with this week as origin."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    review(opened, project, sorted({item.region for item in slices}), context.run_id)
    trained: list[ModelVersion] = []
    for block in blocks_of(slices):
        weeks = list(weeks_between(block.first, block.last))
        task = TrainTask(opened.root, opened.storage_options, weeks, project.training, context.run_id, project.history)
        for region, versions in map_regions(task, block.regions, settings().workers):
            context.log.info(f"{region}: {len(versions)} models trained at {block.first}..{block.last}")
            trained += versions
    register(opened, trained, datetime.now(UTC), actor=f"run {context.run_id}")
    rows = [(v.region, v.format, v.mover, str(v.trained_week), *_scores(v.metrics)) for v in trained if v.kind == "ensemble"]
    return dg.MaterializeResult(
        metadata={
            "models": len(trained),
            "held_back": markdown_table(["region", "format", "mover", "origin", "MAPE", "historical average"], rows),
            **rounded({"mean_mape": _mean([row[4] for row in rows])}),
        }
    )


@dg.multi_asset(
    name="champions",
    specs=[
        dg.AssetSpec(
            key=dg.AssetKey(["models", "champions"]),
            description="Which of the models trained with this week as origin were promoted, and why the others were not.",
            group_name="training",
            deps=[dg.AssetKey(["models", "ensembles"])],
            kinds={"python", "deltalake"},
            owners=["team:data-science"],
        )
    ],
    partitions_def=REGION_WEEK,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def champions(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Judge each model that was trained at the slices' weeks and put the decision on record."""
    opened, gate = lake.open(), lake.project().gate
    events = [
        event
        for item in slices_of(context)
        for event in _decisions(opened, item, Gate(gate.max_mape, gate.min_improvement), f"gate, run {context.run_id}")
    ]
    decide(opened, events)
    rows = [(e.region, e.format, e.mover, str(e.effective_week), e.event, e.reason) for e in events if e.event in {"champion", "rejected"}]
    return dg.MaterializeResult(
        metadata={
            "promoted": sum(event.event == "champion" for event in events),
            "rejected": sum(event.event == "rejected" for event in events),
            "decisions": markdown_table(["region", "format", "mover", "origin", "decision", "why"], rows),
        }
    )


def _decisions(lake: Lake, item: Slice, gate: Gate, actor: str) -> list[ModelEvent]:
    """Events for the versions trained in a slice; a version that is champion already needs none."""
    now, events = datetime.now(UTC), []
    serving = {(row["format"], row["mover"]): row for row in champions_at(lake, [item.region], item.week)}
    for row in trained_at(lake, item.region, item.week):
        segment = (row["format"], row["mover"])
        previous = serving.get(segment)
        if previous is not None and previous["model_version"] == row["model_version"]:
            continue
        passed, reason = (True, "historical averages need no gate") if row["kind"] == "baseline" else _judged(row, gate)
        replaced = previous["model_version"] if previous is not None and passed else None
        common = {
            "region": row["region"],
            "format": row["format"],
            "mover": row["mover"],
            "event_time": now,
            "effective_week": item.week.monday,
        }
        events.append(
            ModelEvent(row["model_version"], **common, event="champion" if passed else "rejected", actor=actor, reason=reason, replaces=replaced)
        )
        if replaced is not None:
            events.append(ModelEvent(replaced, **common, event="retired", actor=actor, reason=f"replaced by {row['model_version']}"))
    return events


def _judged(row: dict[str, Any], gate: Gate) -> tuple[bool, str]:
    verdict = judge(json.loads(row["metrics"]), gate)
    return verdict.passed, verdict.reason


def _scores(metrics: str) -> tuple[float | None, float | None]:
    loaded = json.loads(metrics)
    return loaded.get("mape"), loaded.get("baseline_mape")


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
