"""Automation: sensors, the weekly schedule, and the jobs that they and the command line run. What a job does stands with its assets."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
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
from orchestration.history.lineage import announcer, nodes_of, send_waiting
from orchestration.history.steps import WHY, RunEvents, steps_of
from orchestration.runtime.due import Due, due_forecasts, due_training, outdated, state
from orchestration.runtime.partitions import FIRST_WEEK
from orchestration.runtime.ranges import contiguous_blocks, range_tags, register_regions, too_early
from orchestration.runtime.resources import LakeResource
from orchestration.settings import settings
from orchestration.telemetry.receiver import ADDRESS, address
from transforms.calendar import Slice, SliceBlock, blocks_of
from transforms.landing import REFERENCES, first_weeks, last_week, pending, pending_references, register, under_way
from transforms.records.pipeline_steps import record, recorded

WEEKLY_CRON = "0 6 * * 3"
"""Wednesday, once carriers have settled the week before."""
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_LOOKED_BACK, _OVERLAP = timedelta(days=7), timedelta(minutes=1)
"""How far the record of finished runs looks back when it begins, and each time: a run may be seen later than one that ended after it."""
_RUNS_A_TICK = 25
_LONGEST_TAG = 500
AGAIN_AFTER = timedelta(minutes=15)
"""Time after which the landing sensor requests again what a run failed to do."""
CHANGE = "shelfcast/change"
"""Tag of a run that a sensor requested: the change in the lake that it is for."""
_UNFINISHED = [
    status for status in dg.DagsterRunStatus if status not in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
]

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
training_job = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.assets(ensembles, champions),
    description="Train what needs it, validate and promote, for the regions and weeks of the run; forecasts are made by the next cycle.",
)
JOBS: list[UnresolvedAssetJobDefinition] = [
    reference_job,
    conditioning_job,
    weekly_cycle_job,
    training_job,
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
        requests.append(_request(context, reference_job.name, "reference", references.values(), {WHY: "reference files changed"}))
    touched = pending(opened, provider)
    # A slice can only be requested once its region is a partition.
    register_regions(context.instance, {item.region for item in touched})
    known = context.instance.get_dynamic_partitions("region")
    for block in contiguous_blocks(blocks_of(touched), known):
        if refusal := too_early([block], FIRST_WEEK):
            context.log.error(refusal)
            continue
        tags = {**range_tags(block), WHY: f"landing files changed: {block}"}
        requests.append(_request(context, conditioning_job.name, str(block), _fingerprints(touched, block), tags))
    wanted = [request for request in requests if request is not None]
    yield from wanted
    if requests and not wanted:
        yield dg.SkipReason(f"What is pending has been requested; after a failure it is requested again once {AGAIN_AFTER} have passed.")
    elif not requests:
        yield dg.SkipReason(f"Nothing new in landing; {len(found.refused)} files refused." if found.refused else "Nothing new in landing.")


@dg.sensor(
    jobs=[weekly_cycle_job, training_job],
    minimum_interval_seconds=30,
    description=(
        "Goes on to forecasts where a new week is complete, and requests training where code, settings, data, accuracy, drift or age speak for it; "
        "each run says why."
    ),
)
def cycle_sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Look at what is due in the lake; one week after the other, and never beside another run that makes or uses the same data."""
    opened, project = lake.open(), lake.project()
    if under_way(opened) or _on_their_way(context.instance):
        yield dg.SkipReason("Runs are on their way; what is due after them is requested then.")
        return
    seen = state(opened, project)
    if context.cursor == seen:
        yield dg.SkipReason("Nothing has changed since nothing was due.")
        return
    due = [(weekly_cycle_job.name, item) for item in due_forecasts(opened, project)]
    due = due or [(training_job.name, item) for item in due_training(opened, project)]
    wanted = [request for job, item in due for request in _requests(context, job, item)]
    yield from wanted
    if not due:
        context.update_cursor(seen)
        yield dg.SkipReason("Every region has been forecast from its newest complete week, and nothing speaks for training.")
    elif not wanted:
        yield dg.SkipReason(f"What is due has been requested; after a failure it is requested again once {AGAIN_AFTER} have passed.")


@dg.schedule(
    job=weekly_cycle_job,
    cron_schedule=WEEKLY_CRON,
    description="Every Wednesday: train, validate, forecast and watch all regions that are not forecast from the last week that has landed.",
)
def weekly_schedule(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for all regions; the origin comes from the data and not from the clock, so a late week is not forecast from thin air."""
    opened = lake.open()
    week = last_week(opened)
    if week is None:
        yield dg.SkipReason("No shipments have been taken in yet.")
        return
    begins = first_weeks(opened)
    waiting = tuple(region for region in outdated(opened, lake.project(), week) if region in begins)
    if not waiting:
        yield dg.SkipReason(f"All regions have been forecast from {week}, with their data as they are.")
        return
    register_regions(context.instance, waiting)
    tags = {WHY: f"the week's schedule: not forecast from {week} yet, or from other data"}
    for part in contiguous_blocks([SliceBlock(waiting, week, week)], context.instance.get_dynamic_partitions("region")):
        yield dg.RunRequest(run_key=f"{part} {context.scheduled_execution_time:%Y-%m-%d}", tags={**range_tags(part), **tags})


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
    seen = {run.dagster_run.run_id: RunEvents.of(instance, run.dagster_run.run_id) for run in new}
    steps = {}
    for run in new:
        at = run.end_time or run.update_timestamp.timestamp()
        steps[run.dagster_run.run_id] = steps_of(instance, run.dagster_run, seen[run.dagster_run.run_id], at)
    announce = announcer(opened, lambda: nodes_of(_repository(context).asset_graph), context.log.error) if new else None

    def before(run_ids: Collection[str]) -> None:
        for run in new:
            if announce is not None and run.dagster_run.run_id in run_ids:
                announce(instance, run.dagster_run, seen[run.dagster_run.run_id], steps[run.dagster_run.run_id])

    added = record(opened, [step for of_run in steps.values() for step in of_run], before)
    if ended:
        last = new[-1] if len(new) == _RUNS_A_TICK else ended[-1]
        context.update_cursor(last.update_timestamp.astimezone(UTC).isoformat())
    return dg.SkipReason(f"{added} steps of {len(new)} runs recorded." if new else "No run has ended.")


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends the lineage of finished runs to the receiver that SHELFCAST_OPENLINEAGE_URL names, and what waits for one that was down.",
)
def lineage_sender(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
    """Send what `finished_runs` and commands laid into the outbox: the state is there, so a tick that is lost loses nothing."""
    if not address():
        return dg.SkipReason(f"{ADDRESS} is not set: lineage is sent to nobody.")
    sent = send_waiting(lake.open(), context.log.error)
    if sent is None:
        return dg.SkipReason("Another process is sending.")
    aside = f"; {sent.refused} were refused and laid aside" if sent.refused else ""
    return dg.SkipReason(f"{sent.events} events sent{aside}; {sent.waiting} runs wait. {sent.trouble}".strip())


def _repository(context: dg.SensorEvaluationContext) -> dg.RepositoryDefinition:
    if context.repository_def is None:
        raise ValueError("The sensor is evaluated without the code location that it belongs to.")
    return context.repository_def


def _request(
    context: dg.SensorEvaluationContext, job: str, what: str, fingerprints: Iterable[str], tags: Mapping[str, str], after_success: bool = True
) -> dg.RunRequest | None:
    """Request a change once; again where the run did not bring it to its end, a while after one that failed. None while a run is on its way."""
    change = f"{what} {_digest(fingerprints)}"
    runs = context.instance.get_run_records(dg.RunsFilter(tags={CHANGE: change}))
    if runs and not runs[0].dagster_run.is_finished:
        return None
    if runs and runs[0].dagster_run.is_success and not after_success:
        return None
    if runs and not runs[0].dagster_run.is_success and datetime.now(UTC) - runs[0].update_timestamp.astimezone(UTC) < AGAIN_AFTER:
        return None
    return dg.RunRequest(job_name=job, run_key=f"{change} {len(runs)}" if runs else change, tags={**tags, CHANGE: change})


def _requests(context: dg.SensorEvaluationContext, job: str, due: Due) -> Iterator[dg.RunRequest]:
    register_regions(context.instance, due.block.regions)
    for part in contiguous_blocks([due.block], context.instance.get_dynamic_partitions("region")):
        if refusal := too_early([part], FIRST_WEEK):
            context.log.error(refusal)
            continue
        request = _request(context, job, str(part), [due.change], {**range_tags(part), WHY: due.why[:_LONGEST_TAG]}, after_success=False)
        if request is not None:
            yield request


def _on_their_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run is queued or executed that conditions, trains or forecasts."""
    jobs = (reference_job, conditioning_job, weekly_cycle_job, training_job, accuracy_job)
    return any(instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=_UNFINISHED), limit=1) for job in jobs)


def _fingerprints(touched: Mapping[Slice, str], block: SliceBlock) -> list[str]:
    return [touched[item] for item in block.slices()]


def _digest(parts: Iterable[str]) -> str:
    """Short hash: the same change is requested once, however often it is seen."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def definitions() -> dg.Definitions:
    """Jobs over assets of several stages, and what requests them."""
    return dg.Definitions(jobs=JOBS, sensors=[landing_sensor, cycle_sensor, finished_runs, lineage_sender], schedules=[weekly_schedule])
