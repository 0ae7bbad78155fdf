"""Automation: the landing sensor, the weekly schedule, and the jobs that they and the command line run. What a job does stands with its assets."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from orchestration.defs.ab_tests import ab_lift
from orchestration.defs.conditioning import conditioned_models, conditioned_slices, reference_models
from orchestration.defs.datasets import dataset
from orchestration.defs.experiments import leaderboard
from orchestration.defs.landing import bronze_facts, bronze_reference
from orchestration.defs.monitoring import accuracy, board, drift_report, weather_value
from orchestration.defs.plans import contributions, plan_value
from orchestration.defs.scoring import scoring
from orchestration.defs.training import champions, ensembles
from orchestration.history.steps import RunEvents, steps_of
from orchestration.runtime.partitions import FIRST_WEEK
from orchestration.runtime.ranges import contiguous_blocks, range_tags, register_regions, too_early
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from transforms.calendar import Slice, SliceBlock, blocks_of
from transforms.landing import REFERENCES, first_weeks, last_week, pending, pending_references, regions, register, under_way
from transforms.records.pipeline_steps import record, recorded

WEEKLY_CRON = "0 6 * * 3"
"""Wednesday, once carriers have settled the week before."""
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_LOOKED_BACK, _OVERLAP = timedelta(days=7), timedelta(minutes=1)
"""How far the record of finished runs looks back when it begins, and each time: a run may be seen later than one that ended after it."""
_RUNS_A_TICK = 25
AGAIN_AFTER = timedelta(minutes=15)
"""Time after which the landing sensor requests again what a run failed to do."""
CHANGE = "shelfcast/change"
"""Tag of a run that the landing sensor requested: the change in landing that it is for."""

reference_job = dg.define_asset_job(
    "reference_data",
    selection=dg.AssetSelection.assets(bronze_reference, reference_models),
    description=f"Reference data ({', '.join(REFERENCES)}): taken in and conditioned whole.",
)
conditioning_job = dg.define_asset_job(
    "conditioning",
    selection=dg.AssetSelection.assets(bronze_facts, conditioned_models, dataset, accuracy, plan_value, ab_lift, conditioned_slices, board),
    description="Landing to gold for the slices, and how the forecasts that had been issued for them turned out.",
)
weekly_cycle_job = dg.define_asset_job(
    "weekly_cycle",
    selection=dg.AssetSelection.assets(ensembles, champions, scoring, contributions, accuracy, plan_value, ab_lift, drift_report, board),
    description="Train, validate, promote, forecast, plan, explain and watch, for the regions and weeks of the run.",
)
accuracy_job = dg.define_asset_job(
    "accuracy_board",
    selection=dg.AssetSelection.assets(accuracy, plan_value, ab_lift),
    description="How the forecasts and plans that had been issued for the slices turned out.",
)
weather_job = dg.define_asset_job(
    "weather_report",
    selection=dg.AssetSelection.assets(weather_value),
    description="What accuracy owes to the weather: each model trained and scored with issued, realised and no weather.",
)
leaderboard_job = dg.define_asset_job(
    "public_leaderboard",
    selection=dg.AssetSelection.assets(leaderboard),
    description="The public orange-juice benchmark with the ensemble of production, beside the published results.",
)
JOBS: list[UnresolvedAssetJobDefinition] = [
    reference_job,
    conditioning_job,
    weekly_cycle_job,
    accuracy_job,
    weather_job,
    leaderboard_job,
]


@dg.sensor(
    jobs=[conditioning_job, reference_job],
    minimum_interval_seconds=30,
    description="Sees new or changed landing files, registers new regions, and requests exactly the slices that they touch.",
)
def landing_sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Look at landing; the state is in the lake, so a tick that is lost loses nothing, and a run that was interrupted is requested again."""
    opened, provider = lake.open(), lake.provider()
    if under_way(opened):
        yield dg.SkipReason("Slices are being conditioned; what is left over is requested afterwards.")
        return
    found = register(opened, provider, datetime.now(UTC), quiet=settings().quiet_seconds)
    for growing in found.growing:
        context.log.info(growing.message)
    for refused in found.refused:
        context.log.error(refused.message)
    for notice in found.noticed:
        context.log.warning(f"{notice.source_file}: {notice.message}")
    requests = []
    if references := pending_references(opened, provider):
        requests.append(_request(context, reference_job.name, "reference", references.values(), {"shelfcast/why": "reference files changed"}))
    touched = pending(opened, provider)
    # A slice can only be requested once its region is a partition.
    register_regions(context.instance, {item.region for item in touched})
    known = context.instance.get_dynamic_partitions("region")
    for block in contiguous_blocks(blocks_of(touched), known):
        if refusal := too_early([block], FIRST_WEEK):
            context.log.error(refusal)
            continue
        tags = {**range_tags(block), "shelfcast/why": f"landing files changed: {block}"}
        requests.append(_request(context, conditioning_job.name, str(block), _fingerprints(touched, block), tags))
    wanted = [request for request in requests if request is not None]
    yield from wanted
    if requests and not wanted:
        yield dg.SkipReason(f"What is pending has been requested; after a failure it is requested again once {AGAIN_AFTER} have passed.")
    elif not requests:
        yield dg.SkipReason(f"Nothing new in landing; {len(found.refused)} files refused." if found.refused else "Nothing new in landing.")


@dg.schedule(
    job=weekly_cycle_job,
    cron_schedule=WEEKLY_CRON,
    description="Every Wednesday: train, validate, forecast and watch all regions, with the last week that has landed as origin.",
)
def weekly_schedule(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for all regions; the origin comes from the data and not from the clock, so a late week is not forecast from thin air."""
    opened = lake.open()
    week = last_week(opened)
    if week is None:
        yield dg.SkipReason("No shipments have been taken in yet.")
        return
    begins = first_weeks(opened)
    block = SliceBlock(tuple(region for region in regions(opened) if region in begins), week, week)
    register_regions(context.instance, block.regions)
    for part in contiguous_blocks([block], context.instance.get_dynamic_partitions("region")):
        yield dg.RunRequest(run_key=f"{part} {context.scheduled_execution_time:%Y-%m-%d}", tags=range_tags(part))


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts on record how the steps of finished runs ended (gold/pipeline_steps), also of runs that were killed. It starts nothing.",
)
def finished_runs(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
    """Record runs that have ended; commands record their own, which are found on record here."""
    opened, instance = lake.open(), context.instance
    since = datetime.fromisoformat(context.cursor) if context.cursor else datetime.now(UTC) - _LOOKED_BACK
    ended = instance.get_run_records(dg.RunsFilter(statuses=FINISHED, updated_after=since - _OVERLAP), order_by="update_timestamp", ascending=True)
    known = recorded(opened, {run.dagster_run.run_id for run in ended})
    new = [run for run in ended if run.dagster_run.run_id not in known][:_RUNS_A_TICK]
    steps = []
    for run in new:
        at = run.end_time or run.update_timestamp.timestamp()
        steps += steps_of(instance, run.dagster_run, RunEvents.of(instance, run.dagster_run.run_id), at)
    added = record(opened, steps)
    if ended:
        last = new[-1] if len(new) == _RUNS_A_TICK else ended[-1]
        context.update_cursor(last.update_timestamp.astimezone(UTC).isoformat())
    return dg.SkipReason(f"{added} steps of {len(new)} runs recorded." if new else "No run has ended.")


def _request(context: dg.SensorEvaluationContext, job: str, what: str, fingerprints: Iterable[str], tags: Mapping[str, str]) -> dg.RunRequest | None:
    """Request a change once; again where the run did not bring it to its end, a while after one that failed. None while a run is on its way."""
    change = f"{what} {_digest(fingerprints)}"
    runs = context.instance.get_run_records(dg.RunsFilter(tags={CHANGE: change}))
    if runs and not runs[0].dagster_run.is_finished:
        return None
    if runs and not runs[0].dagster_run.is_success and datetime.now(UTC) - runs[0].update_timestamp.astimezone(UTC) < AGAIN_AFTER:
        return None
    return dg.RunRequest(job_name=job, run_key=f"{change} {len(runs)}" if runs else change, tags={**tags, CHANGE: change})


def _fingerprints(touched: Mapping[Slice, str], block: SliceBlock) -> list[str]:
    return [touched[item] for item in block.slices()]


def _digest(parts: Iterable[str]) -> str:
    """Short hash: the same change is requested once, however often it is seen."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def definitions() -> dg.Definitions:
    """Jobs over assets of several stages, and what requests them."""
    return dg.Definitions(jobs=JOBS, sensors=[landing_sensor, finished_runs], schedules=[weekly_schedule])
