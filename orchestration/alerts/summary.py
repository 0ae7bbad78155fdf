"""The weekly summary of each persona: the week's facts beside last week's, once the week's cycle is done, once for each rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.alerts import facts
from orchestration.alerts.alert import Alert, ask
from orchestration.alerts.causes.freshness import newest_landed, unforecast
from orchestration.alerts.delivery import Message
from orchestration.alerts.facts import Fact, Span
from orchestration.alerts.messages import Lake as From
from orchestration.alerts.messages import compose
from orchestration.alerts.record import Record
from orchestration.alerts.rules import AlertRule, Expected
from transforms.calendar import Week
from transforms.contracts.gold import FORECASTS
from transforms.contracts.operations import PIPELINE_STEPS, SEVERITIES, WEEKLY_SUMMARY
from transforms.lake.tables import Lake
from transforms.records.pipeline_steps import WEEKLY_CYCLE

_OF: Mapping[str, tuple[str, tuple[Callable[[Lake, Span], Fact], ...]]] = {
    "stakeholder": ("/pages/overview", (facts.regions_planned, facts.units_planned, facts.error, facts.money_saved)),
    "planner": (
        "/pages/orders",
        (facts.regions_planned, facts.units_planned, facts.expected_lost, facts.expected_left, facts.edits, facts.money_saved),
    ),
    "operations": ("/pages/monitoring", (facts.regions_planned, facts.runs_failed, facts.files_refused, facts.lower_share, facts.stale_share)),
    "data engineer": (
        "/pages/monitoring",
        (facts.files_read, facts.files_refused, facts.rows_quarantined, facts.rows_landed, facts.runs_failed, facts.run_seconds),
    ),
    "data scientist": (
        "/pages/training",
        (facts.error, facts.within_target, facts.trained, facts.promoted, facts.rejected, facts.drifted, facts.lower_share),
    ),
}
"""The page of each persona, and the facts that answer its question."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A weekly summary that is due."""

    rule: AlertRule
    week: Week
    facts: tuple[Fact, ...]
    open_now: str

    @property
    def cause(self) -> str:
        """What it is recorded as: once for each week."""
        return f"{WEEKLY_SUMMARY}/{self.week}"

    @property
    def title(self) -> str:
        """Its title."""
        return f"Week of {self.week + 1}, for {self.rule.weekly_summary}"

    def message(self, lake: From) -> Message:
        """The summary in words."""
        page, _ = _OF[str(self.rule.weekly_summary)]
        lead = f"Plans for the week of {self.week + 1} are made from deliveries to the week of {self.week}. {self.open_now}"
        return compose(self.title, [lead], [str(fact) for fact in self.facts], [], page, lake, "info")


def due_summaries(
    lake: Lake,
    rules: Sequence[AlertRule],
    alerts: Mapping[str, Alert],
    record: Record,
    expected: Expected,
    max_mape: float,
    now: datetime,
) -> list[Summary]:
    """The summaries of the newest origin that have not been delivered yet; none before its cycle is done."""
    readers = [rule for rule in rules if rule.weekly_summary]
    if not readers or (week := done_week(lake, expected, now)) is None:
        return []
    cause = f"{WEEKLY_SUMMARY}/{week}"
    due = [rule for rule in readers if not record.was_sent(rule.name, cause)]
    return [_summary(lake, rule, alerts, Span(week, now, max_mape)) for rule in due]


def done_week(lake: Lake, expected: Expected, now: datetime) -> Week | None:
    """The newest origin whose cycle is done: all regions that landed are forecast and the run has ended, or it is overdue; else None."""
    [found] = ask(lake, "select max(origin_week) as week from gold_forecasts", FORECASTS.name)
    landed = newest_landed(lake)
    if found["week"] is None or any(row["week"] > found["week"] for row in landed):
        return None
    ended = ask(lake, f"select 1 from gold_pipeline_steps where job = '{WEEKLY_CYCLE}' and last_week >= $week limit 1", PIPELINE_STEPS.name, **found)
    overdue = landed and now - max(row["at"] for row in landed) > timedelta(hours=expected.forecast_hours)
    return Week(found["week"]) if overdue or (ended and not [row for row in unforecast(lake, landed) if row["week"] == found["week"]]) else None


def _summary(lake: Lake, rule: AlertRule, alerts: Mapping[str, Alert], span: Span) -> Summary:
    _, wanted = _OF[str(rule.weekly_summary)]
    still = [alert for alert in alerts.values() if not alert.happened]
    return Summary(rule, span.origin, tuple(fact(lake, span) for fact in wanted), _counted(still))


def _counted(alerts: Sequence[Alert]) -> str:
    """How many alerts are open, the urgent first."""
    counts = {severity: sum(alert.severity == severity for alert in alerts) for severity in reversed(SEVERITIES)}
    told = ", ".join(f"{n} {severity}" for severity, n in counts.items() if n)
    return f"Alerts open: {told}." if told else "No alert is open."
