"""The facts of a week beside those of the week before, each from the lake in one query."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestration.alerts.alert import ask, measured
from transforms.calendar import Week
from transforms.contracts.bronze import LANDING_FILES
from transforms.contracts.drift import DRIFT
from transforms.contracts.gold import ACCURACY, DEMAND, FORECASTS, ORDER_PLAN, PLAN_VALUE
from transforms.contracts.life_cycle import MODEL_EVENTS, RETRAINING
from transforms.contracts.operations import PIPELINE_STEPS
from transforms.contracts.orders import OVERRIDES
from transforms.contracts.rungs import CHALLENGER, CHAMPION
from transforms.lake.tables import Lake
from transforms.monitoring.accuracy import SUMS, by_segment

_WITHIN_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Span:
    """What a summary is of: the origin, the moment at which it is written, and the project's target for errors."""

    origin: Week
    now: datetime
    max_mape: float


@dataclass(frozen=True, slots=True)
class Fact:
    """A number as it reads, and the same of the week before."""

    name: str
    now: str
    before: str
    more: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.now} (the week before: {self.before}){f', {self.more}' if self.more else ''}"


def regions_planned(lake: Lake, span: Span) -> Fact:
    """Regions with a plan."""
    return _planned(lake, span, "Regions with a plan", "count(distinct region)", _whole)


def units_planned(lake: Lake, span: Span) -> Fact:
    """Units planned for the week that follows."""
    return _planned(lake, span, "Units planned", "sum(order_quantity)", _whole)


def expected_lost(lake: Lake, span: Span) -> Fact:
    """Units of demand that the plan expects not to meet."""
    return _planned(lake, span, "Expected lost sales, units", "sum(expected_lost_sales)", _whole)


def expected_left(lake: Lake, span: Span) -> Fact:
    """Units that the plan expects to come back."""
    return _planned(lake, span, "Expected returns, units", "sum(expected_returns)", _whole)


def edits(lake: Lake, span: Span) -> Fact:
    """Edits of planners."""
    sql = "select count(*) as n from gold_overrides where target_week = $week"
    return _two(lake, sql, "Edits of plans", _whole, span.origin + 1, OVERRIDES.name)


def error(lake: Lake, span: Span) -> Fact:
    """Error of the forecasts of one week ahead, in the newest week that turned out."""
    sql = f"select mape as n from (select {SUMS} from gold_accuracy where horizon = 1 and week = $week)"
    fact = _two(lake, sql, "Error of the newest week that turned out", _percent, _newest(lake, ACCURACY.name, span), ACCURACY.name)
    return Fact(fact.name, fact.now, fact.before, f"target {_percent(span.max_mape)}")


def money_saved(lake: Lake, span: Span) -> Fact:
    """Saved by the plans of the newest week that turned out, against shipping the average."""
    sql = """
        select sum(cost_left + cost_missed) filter (where policy = 'historical_average')
            - sum(cost_left + cost_missed) filter (where policy = 'order_plan') as n
        from gold_plan_value where horizon = 1 and week = $week
    """
    week = _newest(lake, PLAN_VALUE.name, span)
    return _two(lake, sql, "Saved against shipping the average", _usd, week, PLAN_VALUE.name)


def within_target(lake: Lake, span: Span) -> Fact:
    """Segments whose error over the last weeks is within the target."""
    newest = _newest(lake, ACCURACY.name, span, "true")

    def told(last: Week) -> str:
        scored = [row["mape"] for row in by_segment(lake, last + (1 - _WITHIN_WEEKS), last) if row["mape"] is not None]
        return f"{sum(mape <= span.max_mape for mape in scored)} of {len(scored)}" if scored else "not measured"

    return Fact(f"Segments within the target over {_WITHIN_WEEKS} weeks", told(newest), told(newest + -1))


def lower_share(lake: Lake, span: Span) -> Fact:
    """Share of the forecasts that a lower step of the ladder made."""
    lower = f"rung not in ('{CHAMPION}', '{CHALLENGER}')"
    return _share(lake, span, "Forecasts by a lower step of the ladder", lower)


def stale_share(lake: Lake, span: Span) -> Fact:
    """Share of the forecasts that a stale model made."""
    return _share(lake, span, "Forecasts by stale models", "is_stale")


def trained(lake: Lake, span: Span) -> Fact:
    """Models trained at the origin."""
    sql = "select count(*) filter (where retrained) as n from gold_retraining where week = $week"
    return _two(lake, sql, "Models trained", _whole, span.origin, RETRAINING.name)


def promoted(lake: Lake, span: Span) -> Fact:
    """Models promoted at the origin."""
    return _decided(lake, span, "Models promoted", "champion")


def rejected(lake: Lake, span: Span) -> Fact:
    """Models refused at the origin."""
    return _decided(lake, span, "Models refused", "rejected")


def drifted(lake: Lake, span: Span) -> Fact:
    """Regions in which the week's data drifted."""
    sql = "select count(distinct region) filter (where drifted) as n from gold_drift where week = $week having count(*) > 0"
    return _two(lake, sql, "Regions whose data drifted", _whole, span.origin, DRIFT.name)


def files_read(lake: Lake, span: Span) -> Fact:
    """Files taken in."""
    return _files(lake, span, "Files taken in", "count(distinct source_file) filter (where status = 'accepted')")


def files_refused(lake: Lake, span: Span) -> Fact:
    """Files refused or held."""
    return _files(lake, span, "Files refused", "count(distinct source_file) filter (where status in ('refused', 'held'))")


def rows_quarantined(lake: Lake, span: Span) -> Fact:
    """Rows put into quarantine."""
    return _files(lake, span, "Rows quarantined", "coalesce(sum(rows_quarantined), 0)")


def rows_landed(lake: Lake, span: Span) -> Fact:
    """Rows of demand of the newest week."""
    sql = "select count(*) as n from gold_demand where week = $week"
    return _two(lake, sql, "Deliveries of the week, rows", _whole, span.origin, DEMAND.name)


def runs_failed(lake: Lake, span: Span) -> Fact:
    """Runs that failed within seven days."""
    return _runs(lake, span, "Runs that failed in 7 days", "count(distinct run_id) filter (where state = 'failed')", _whole)


def run_seconds(lake: Lake, span: Span) -> Fact:
    """Time that steps took within seven days."""
    return _runs(lake, span, "Minutes that steps took in 7 days", "coalesce(sum(seconds), 0) / 60", _whole)


def _planned(lake: Lake, span: Span, name: str, value: str, told: Callable[[Any], str]) -> Fact:
    sql = f"select {value} as n from gold_order_plan where origin_week = $week and target_week = $week + 7"
    return _two(lake, sql, name, told, span.origin, ORDER_PLAN.name)


def _share(lake: Lake, span: Span, name: str, which: str) -> Fact:
    sql = f"select avg(({which})::int) as n from gold_forecasts where origin_week = $week"
    return _two(lake, sql, name, _percent, span.origin, FORECASTS.name)


def _decided(lake: Lake, span: Span, name: str, event: str) -> Fact:
    sql = f"select count(distinct model_version) as n from gold_model_events where event = '{event}' and effective_week = $week"
    return _two(lake, sql, name, _whole, span.origin, MODEL_EVENTS.name)


def _files(lake: Lake, span: Span, name: str, value: str) -> Fact:
    return _in_days(lake, span, name, f"select {value} as n from bronze_landing_files where registered_at", LANDING_FILES.name, _whole)


def _runs(lake: Lake, span: Span, name: str, value: str, told: Callable[[Any], str]) -> Fact:
    return _in_days(lake, span, name, f"select {value} as n from gold_pipeline_steps where ended_at", PIPELINE_STEPS.name, told)


def _in_days(lake: Lake, span: Span, name: str, sql: str, table: str, told: Callable[[Any], str]) -> Fact:
    """The last seven days, and the seven before them."""
    ends = [span.now, span.now - timedelta(days=7)]
    found = [told(ask(lake, f"{sql} between $first and $last", table, first=end - timedelta(days=7), last=end)[0]["n"]) for end in ends]
    return Fact(name, *found)


def _two(lake: Lake, sql: str, name: str, told: Callable[[Any], str], week: Week, table: str) -> Fact:
    found = [next(iter(ask(lake, sql, table, week=one.monday)), {"n": None}) for one in (week, week + -1)]
    return Fact(name, *(told(row["n"]) for row in found))


def _newest(lake: Lake, table: str, span: Span, where: str = "horizon = 1") -> Week:
    """The newest week of a table, of forecasts of one week ahead; the origin where it has none."""
    [found] = ask(lake, f"select max(week) as week from {table.replace('/', '_')} where {where}", table)
    return Week(found["week"]) if found["week"] is not None else span.origin


def _whole(value: float | None) -> str:
    return measured(value, ",.0f")


def _usd(value: float | None) -> str:
    return measured(value, ",.0f", "USD ")


def _percent(value: float | None) -> str:
    return measured(value, ".1%")
