"""The weekly cycle by itself: the sensor that goes on from data to forecasts and to training with a cause, and the week's schedule."""

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from orchestration.defs.automation.jobs import JOBS, accuracy_job, conditioning_job, reference_job, training_job, weekly_cycle_job
from orchestration.defs.automation.requests import AGAIN_AFTER, requests
from orchestration.history.steps import WHY
from orchestration.runtime.due import due_forecasts, due_training, outdated, state
from orchestration.runtime.ranges import contiguous_blocks, range_tags, register_regions
from orchestration.runtime.resources import LakeResource
from transforms.calendar import SliceBlock
from transforms.landing import first_weeks, last_week, under_way

WEEKLY_CRON = "0 6 * * 3"
"""Wednesday, once carriers have settled the week before."""


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
    wanted = [one for job, item in due for one in requests(context, job, item)]
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


def _on_their_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run is queued or executed that conditions, trains or forecasts."""
    jobs = {job.name for job in (reference_job, conditioning_job, weekly_cycle_job, training_job, accuracy_job)}
    return any(run.job_name in jobs for run in instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)))


def definitions() -> dg.Definitions:
    """The jobs, and what requests the weekly ones."""
    return dg.Definitions(jobs=JOBS, sensors=[cycle_sensor], schedules=[weekly_schedule])
