"""Training and validation: the ensembles and baselines of each region, trained where something speaks for it, judged, promoted or refused."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent

from orchestration.defs.checks import evaluated, slice_check
from orchestration.defs.datasets import VERSIONS
from orchestration.experiments.mlflow_mirror import mirror_registry
from orchestration.lifecycle.retraining import ON_DEMAND, Decision
from orchestration.lifecycle.weekly import judge_weeks, train_weeks
from orchestration.reports.judgements import significant
from orchestration.reports.model_pages import held_back_pages, live_pages
from orchestration.runtime.metadata import add_by_slice, add_pages, markdown_table, table_spec, written, written_slices
from orchestration.runtime.partitions import REGION_WEEK, slices_of
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from transforms.calendar import Slice
from transforms.contracts import life_cycle
from transforms.contracts.life_cycle import RETRAINING
from transforms.records.model_registry import POOLED

ENSEMBLES = dg.AssetKey(["models", "ensembles"])
CHAMPIONS = dg.AssetKey(["models", "champions"])
LADDER = dg.AssetKey(["gold", "ladder"])
RETRAINED = dg.AssetKey(["gold", "retraining"])
SIGNIFICANT = slice_check(
    "significant",
    LADDER,
    "What serves each segment from the origin on is within the target MAPE on its held-back weeks, by its margin below the average's.",
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
    done = train_weeks(opened, project, slices, context.run_id, ON_DEMAND in context.run.tags, context.log.info)
    trained = Counter((version.region, version.trained_week) for version in done.versions)
    add_by_slice(context, ENSEMBLES, slices, lambda item: {"models_trained": trained[str(item.region), item.week.monday]})
    add_pages(context, ENSEMBLES, slices, lambda: held_back_pages(opened, slices, project.gate.max_mape))
    add_by_slice(context, RETRAINED, slices, lambda item: _summary([decision for one, decision in done.decisions if one == item]))
    pooled_models = sum(version.region == str(POOLED) for version in done.versions)
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
def champions(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult[Any] | DagsterEvent | dg.Output[None]]:
    """Roll back what failed in production, judge each model that was trained at the slices' weeks, record what was decided, and order the ladder."""
    opened, project, slices = lake.open(), lake.project(), slices_of(context)
    done = judge_weeks(opened, project, slices, context.run_id, context.log.info)

    def page(item: Slice) -> dict[str, Any]:
        own = [event for event in done.events if (event.region, event.effective_week) == (str(item.region), item.week.monday)]
        rows = [(e.format, e.mover, e.event, e.replaces, e.reason) for e in own if e.event != "retired"]
        counts = Counter(event.event for event in own)
        return {
            "promoted": counts["champion"],
            "rejected": counts["rejected"],
            "waiting": counts["awaiting validation"],
            "rolled_back": counts["rolled back"],
            **({"decisions": markdown_table(["format", "mover", "decision", "replacing", "why"], rows)} if rows else {}),
        }

    columns = ["format", "mover", "rung", "mape", "is_significant", "reason"]

    def serving(item: Slice) -> dict[str, Any]:
        own = [row for row in done.ladder if (row["region"], row["week"], row["rank"]) == (str(item.region), item.week.monday, 1)]
        return {"serving": markdown_table(columns, [[row[name] for name in columns] for row in own])}

    live = cache(lambda: live_pages(opened, slices, project.gate.max_mape))
    add_by_slice(context, CHAMPIONS, slices, page)
    add_by_slice(context, LADDER, slices, serving)
    add_pages(context, CHAMPIONS, slices, live)
    add_pages(context, LADDER, slices, live)
    yield dg.MaterializeResult(asset_key=CHAMPIONS, metadata={"mirror": mirror_registry(opened, project, settings().tracking_uri)})
    yield dg.MaterializeResult(asset_key=LADDER, metadata=written_slices(context, opened, life_cycle.LADDER.name, slices))
    yield from evaluated(context, (SIGNIFICANT, significant(opened, slices)))


def definitions() -> dg.Definitions:
    """Training and validation."""
    return dg.Definitions(assets=[ensembles, champions])


def _summary(decisions: Sequence[Decision]) -> dict[str, Any]:
    counts = Counter((d.cause, d.reason) for d in decisions if d.retrained or d.reused)
    kept = sum(d.reused is not None for d in decisions)
    rows = [("reused" if cause == "none" else "retrained", cause, n, reason) for (cause, reason), n in counts.most_common()]
    return {
        "retrained": sum(d.retrained for d in decisions),
        "reused": kept,
        "why": markdown_table(["what", "cause", "models", "why"], rows),
    }
