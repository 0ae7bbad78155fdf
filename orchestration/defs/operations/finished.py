"""Runs that have ended: the sensors that put their steps on record, and send their lineage. They start nothing."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from orchestration.history.lineage import announcer, nodes_of, send_waiting
from orchestration.history.steps import RunEvents, steps_of
from orchestration.runtime.resources import LakeResource
from orchestration.telemetry.receiver import ADDRESS, address
from transforms.records.pipeline_steps import record, recorded

_LOOKED_BACK, _OVERLAP = timedelta(days=7), timedelta(minutes=1)
"""How far the record of finished runs looks back when it begins, and each time: a run may be seen later than one that ended after it."""
_RUNS_A_TICK = 25


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Puts on record how the steps of finished runs ended (gold/pipeline_steps), also of runs that were killed. It starts nothing.",
)
def finished_runs(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
    """Record runs that have ended; commands record their own, which are found on record here."""
    opened, instance = lake.open(), context.instance
    since = datetime.fromisoformat(context.cursor) if context.cursor else datetime.now(UTC) - _LOOKED_BACK
    ended = instance.get_run_records(
        dg.RunsFilter(statuses=FINISHED_STATUSES, updated_after=since - _OVERLAP), order_by="update_timestamp", ascending=True
    )
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


def definitions() -> dg.Definitions:
    """The sensors."""
    return dg.Definitions(sensors=[finished_runs, lineage_sender])
