"""Alerts: the sensor that looks what is open and tells who wants to know. What is open and what is sent is decided in `orchestration.alerts`."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.alerts.look import Company, look, unknown_regions
from orchestration.alerts.messages import ui_address
from orchestration.runtime.resources import LakeResource
from orchestration.settings import held_by, settings
from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import AUDIT_HEADS
from transforms.contracts.operations import ALERTS
from transforms.lake.tables import Lake

SECONDS = 60
_OWN = {ALERTS.name, AUDIT_HEADS.name}
"""Tables that a look writes itself."""
_LOOK_AGAIN = timedelta(minutes=10)
"""Time after which it is looked again though no table changed: files leave landing, and what is missed is missed by the clock."""
_SENDING_SECONDS = 35.0
"""Dagster gives a sensor a minute; what is left is sent at the next look."""


@dg.sensor(
    minimum_interval_seconds=SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks what needs a person, puts it on record (gold/alerts), and tells whom the rules of the project file name. It starts nothing.",
)
def alerts(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
    """Look once; what is on record is the only memory, so a tick that is lost loses nothing."""
    opened, project, now = lake.open(), lake.project(), datetime.now(UTC)
    state = _state(opened, project.model_dump_json(include={"alerts", "expected"}), now)
    if state == context.cursor:
        return dg.SkipReason("Nothing has changed since the last look.")
    chosen = settings()
    company = Company(
        opened, lake.provider(), project.gate.max_mape, project.alerts, project.expected, ui_address(chosen.trusted_proxy, chosen.reports_url)
    )
    looked = look(company, now, held_by, patient=True, seconds=_SENDING_SECONDS)
    for sentence in unknown_regions(company):
        context.log.warning(sentence)
    for row in looked.failed:
        context.log.error(f"Rule {row['rule']} was not told of {row['title']!r}: {row['failure']}")
    told = f"{len(looked.alerts)} alerts are open; {len(looked.told) - len(looked.failed)} messages sent, {len(looked.failed)} failed"
    # What was not delivered is due again, whether or not a table changes.
    context.update_cursor("" if looked.failed or looked.left else state)
    left = f", {looked.left} left to a later look" if looked.left else ""
    nobody = "" if project.alerts else " Nobody is told: the project file has no rule under 'alerts' (docs/operate.md)."
    return dg.SkipReason(f"{told}{left}.{nobody}")


def _state(lake: Lake, rules: str, now: datetime) -> str:
    """Changes with every table that alerts are made from, with the rules, and every few minutes."""
    versions = lake.versions(name for name in CONTRACTS if not name.startswith("silver/") and name not in _OWN)
    return f"{sorted(versions.items())} {rules} {now.timestamp() // _LOOK_AGAIN.total_seconds()}"


def definitions() -> dg.Definitions:
    """What tells people."""
    return dg.Definitions(sensors=[alerts])
