"""Lineage of finished runs on its way to an OpenLineage receiver. What is told stands in `orchestration.telemetry`; measurements are the front's."""

import dagster as dg

from orchestration.history.lineage import send_waiting
from orchestration.runtime.resources import LakeResource
from orchestration.telemetry.receiver import ADDRESS, address


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


def definitions() -> dg.Definitions:
    """What sends lineage."""
    return dg.Definitions(sensors=[lineage_sender])
