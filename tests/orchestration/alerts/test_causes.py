"""Incidents that alerts are about, each on tables as runs leave them: told where something is wrong, and not where it only looks so."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pytest

from orchestration.alerts.alert import Alert
from orchestration.alerts.causes.freshness import missed
from orchestration.alerts.causes.serving import costly_drift, lower_rungs, missed_target, stale_models
from orchestration.alerts.causes.waiting import data_waiting, models_waiting
from orchestration.alerts.look import Company, look
from orchestration.alerts.rules import Expected
from orchestration.defs.operations.alerts import alerts as sensor
from orchestration.project import Project
from tests.dashboard.lakes import put
from tests.orchestration.alerts.conftest import NOW, held, rule
from tests.orchestration.alerts.receivers import Hook, MailServer
from tests.orchestration.lakes import LakeAt
from transforms.lake.tables import Lake

WEEK = date(2024, 7, 1)
BEFORE = WEEK - timedelta(weeks=1)
DATA = {"delta_versions": "{}", "checks": "[]"}
At = Callable[..., Company]


def told(found: list[Alert]) -> dict[str, list[str]]:
    return {alert.cause: [item.key for item in alert.items] for alert in found}


def landed(lake: Lake, region: str, week: date, hours_ago: float) -> None:
    at = NOW - timedelta(hours=hours_ago)
    put(
        lake, "bronze/landing_slices", {"source": "shipments", "source_file": f"{region}-{week}", "region": region, "week": week, "registered_at": at}
    )


def forecast(lake: Lake, region: str, origin: date, **more: Any) -> None:
    put(lake, "gold/forecasts", {"region": region, "origin_week": origin, "target_week": origin + timedelta(weeks=1), "rung": "champion", **more})


def champion(lake: Lake, region: str, trained: date, name: str = "", event: str = "champion", **more: Any) -> None:
    row = {"region": region, "model_version": name or f"{region}-{trained}", "format": "large", "mover": "fast"}
    put(lake, "gold/model_versions", {**row, "trained_week": trained})
    put(lake, "gold/model_events", {**row, "effective_week": trained, "event": event, **more})


def test_a_week_that_landed_and_is_not_forecast_is_told_after_its_hours_and_not_before(lake: Lake) -> None:
    landed(lake, "ohio", WEEK, 47)
    landed(lake, "iowa", WEEK, 60)
    landed(lake, "utah", WEEK, 60)
    forecast(lake, "ohio", BEFORE)
    forecast(lake, "utah", WEEK)
    assert told(missed(lake, Expected(), NOW)) == {"missed/forecasts": ["iowa"]}
    assert told(missed(lake, Expected(forecast_hours=24), NOW)) == {"missed/forecasts": ["iowa", "ohio"]}


def test_a_region_whose_data_wait_is_told_as_waiting_and_not_as_missed_too(lake: Lake) -> None:
    landed(lake, "iowa", WEEK, 60)
    put(lake, "gold/dataset_versions", {**DATA, "region": "iowa", "last_week": WEEK})
    assert told(data_waiting(lake)) == {"data_waiting": ["iowa"]}
    assert told(missed(lake, Expected(), NOW)) == {}


def test_no_new_week_is_told_by_when_the_last_one_landed_and_not_by_its_date(lake: Lake) -> None:
    """A lake of a past year looked late on the day on which it was filled."""
    landed(lake, "iowa", WEEK - timedelta(weeks=100), 9 * 24)
    forecast(lake, "iowa", WEEK - timedelta(weeks=100))
    assert told(missed(lake, Expected(), NOW)) == {}
    assert told(missed(lake, Expected(), NOW + timedelta(days=2))) == {"missed/new_week": [str(WEEK - timedelta(weeks=100))]}


def test_a_region_that_lags_behind_the_others_is_told_and_one_that_was_closed_is_not(lake: Lake) -> None:
    for region, week in (("iowa", WEEK), ("ohio", BEFORE), ("utah", WEEK - timedelta(weeks=30))):
        landed(lake, region, week, 60)
        forecast(lake, region, week)
    assert told(missed(lake, Expected(), NOW)) == {"missed/regions": ["ohio"]}


def test_a_lower_rung_is_told_as_failover_or_as_the_better_one_and_of_each_regions_newest_origin(lake: Lake) -> None:
    forecast(lake, "iowa", BEFORE, rung="baseline", rung_reason="its artifact is damaged")
    forecast(lake, "ohio", BEFORE, rung="baseline")
    forecast(lake, "ohio", WEEK)
    forecast(lake, "utah", WEEK, rung="pooled")
    put(lake, "gold/ladder", {"region": "utah", "week": BEFORE, "rung": "pooled", "rank": 1})
    found = lower_rungs(lake)
    assert told(found) == {"failover": ["iowa/large/fast/baseline"], "lower_rung": ["utah/large/fast/pooled"]}
    assert "by the historical average" in found[0].items[0].text
    assert "its artifact is damaged" in found[0].items[0].text


def test_a_model_is_stale_after_60_days_and_not_on_the_60th(lake: Lake) -> None:
    champion(lake, "iowa", WEEK - timedelta(weeks=9))
    champion(lake, "ohio", WEEK - timedelta(weeks=8))
    forecast(lake, "iowa", WEEK)
    assert told(stale_models(lake)) == {"stale_model": ["iowa/large/fast"]}


def test_a_model_that_waits_for_a_person_is_told_and_one_that_validation_has_yet_to_see_is_not(lake: Lake) -> None:
    champion(lake, "iowa", WEEK, event="awaiting validation", numbers="[]")
    champion(lake, "ohio", WEEK, event="awaiting validation")
    champion(lake, "utah", WEEK, event="champion", numbers="[]")
    assert told(models_waiting(lake)) == {"model_waiting": ["iowa/large/fast"]}


def test_a_segment_above_the_target_is_told_and_one_at_the_target_is_not(lake: Lake) -> None:
    for region, mape in (("iowa", 0.46), ("ohio", 0.45)):
        put(lake, "gold/accuracy", {"region": region, "week": WEEK, "n": 100, "n_zero": 0, "mape": mape, "baseline_mape": 0.6})
    assert told(missed_target(lake, 0.45)) == {"accuracy": ["iowa/large/fast"]}


def plan(lake: Lake, region: str, week: date, usd: float) -> None:
    put(
        lake,
        "gold/plan_value",
        {"region": region, "week": week, "policy": "order_plan", "horizon": 1, "demand": 100, "cost_left": usd, "cost_missed": 0.0},
    )


def test_drift_is_told_where_the_week_cost_more_than_those_before_with_the_money(lake: Lake) -> None:
    """Columns drift each week somewhere: what costs nothing had people look at it for nothing."""
    for region, usd in (("iowa", 150.0), ("ohio", 90.0)):
        plan(lake, region, BEFORE, 100.0)
        plan(lake, region, WEEK, usd)
        put(lake, "gold/drift", {"region": region, "week": WEEK, "column": "temperature", "drifted": True, "effect_money": 400.0})
    plan(lake, "utah", WEEK, 500.0)
    put(lake, "gold/drift", {"region": "utah", "week": WEEK, "column": "temperature", "drifted": False, "effect_money": 400.0})
    found = costly_drift(lake, 0)
    assert told(found) == {"drift": [f"iowa/{WEEK}"]}
    assert "temperature drifted; USD 50 more than at the cost of the 8 weeks before" in found[0].items[0].text
    assert costly_drift(lake, 50) == []


def test_drift_without_valued_plans_is_told_by_its_estimate_where_errors_grew(lake: Lake) -> None:
    for week, mape in ((BEFORE, 0.3), (WEEK, 0.4)):
        put(lake, "gold/accuracy", {"region": "iowa", "week": week, "n": 100, "n_zero": 0, "mape": mape})
    put(lake, "gold/drift", {"region": "iowa", "week": WEEK, "column": "price", "drifted": True, "effect_money": 70.0})
    [alert] = costly_drift(lake, 0)
    assert "USD 70 by estimate; error 40% after 30%" in alert.items[0].text


@pytest.fixture
def week_done(lake: Lake) -> None:
    """Two weeks planned, the newer one's run at its end."""
    for week in (BEFORE, WEEK):
        landed(lake, "iowa", week, 20)
        forecast(lake, "iowa", week)
        put(
            lake,
            "gold/order_plan",
            {"region": "iowa", "origin_week": week, "target_week": week + timedelta(weeks=1), "order_quantity": week.day * 1000},
        )
    put(lake, "gold/pipeline_steps", {"job": "weekly_cycle", "last_week": WEEK, "ended_at": NOW, "state": "succeeded"})


PERSONAS = ("data scientist", "data engineer", "operations", "stakeholder", "planner")


@pytest.mark.usefixtures("week_done")
def test_each_persona_gets_its_summary_of_the_week_once_beside_last_week(lake: Lake, company: At, mail: MailServer, hook: Hook) -> None:
    rules = [rule(mail.address(), persona.replace(" ", "_"), kinds=[], weekly_summary=persona) for persona in PERSONAS]
    here = company(*rules, rule(hook.address, "chat", kinds=[], weekly_summary="planner"))
    for _ in range(2):
        look(here, NOW, held)
    assert sorted(mail.subjects) == sorted(f"Shelfcast sample: Week of 2024-07-08, for {persona}" for persona in PERSONAS)
    [posted] = hook.posted
    assert "- Units planned: 1,000 (the week before: 24,000)" in posted["message"]
    assert "Look: https://shelf.example.com/pages/orders" in posted["message"]
    html = mail.mails[0].get_body(("html",)).get_content()  # type: ignore[union-attr]
    plain = mail.mails[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "<li>" in html
    assert "<li>" not in plain
    assert all(len(mail.get_body(("plain",)).get_content().splitlines()) < 25 for mail in mail.mails)  # type: ignore[union-attr]


def test_a_summary_waits_for_the_weeks_cycle_and_comes_late_rather_than_never(lake: Lake, company: At, hook: Hook) -> None:
    landed(lake, "iowa", WEEK, 20)
    landed(lake, "ohio", WEEK, 20)
    forecast(lake, "iowa", WEEK)
    here = company(rule(hook.address, kinds=[], weekly_summary="operations"))
    look(here, NOW, held)
    put(lake, "gold/pipeline_steps", {"job": "weekly_cycle", "last_week": WEEK, "ended_at": NOW, "state": "failed"})
    look(here, NOW, held)
    assert hook.posted == []
    look(here, NOW + timedelta(hours=30), held)
    assert hook.titles == ["Shelfcast sample: Week of 2024-07-08, for operations"]
    assert "Alerts open: 2 critical." in hook.posted[0]["message"]


@pytest.mark.usefixtures("week_done")
def test_a_summary_that_was_not_taken_is_sent_later_and_once(lake: Lake, company: At, hook: Hook) -> None:
    here = company(rule(hook.address, kinds=[], weekly_summary="planner"))
    hook.status = 503
    assert len(look(here, NOW, held, patient=True).failed) == 1
    hook.status = 200
    assert look(here, NOW + timedelta(seconds=30), held, patient=True).left == 1
    for minutes in (2, 4):
        look(here, NOW + timedelta(minutes=minutes), held, patient=True)
    assert len(hook.posted) == 1


def test_the_sensor_records_what_is_open_and_says_that_nobody_is_told_where_there_is_no_rule(lake: Lake, hook: Hook) -> None:
    put(lake, "gold/pipeline_steps", {"job": "weekly_cycle", "state": "failed", "error": "Out of memory.", "regions": "iowa"})
    context = dg.build_sensor_context(resources={"lake": LakeAt(root=lake.root)})
    assert said(context) == (
        "1 alerts are open; 0 messages sent, 0 failed. Nobody is told: the project file has no rule under 'alerts' (docs/operate.md)."
    )
    assert [row["state"] for row in lake.read("gold/alerts").to_pylist()] == ["opened"]
    again = dg.build_sensor_context(cursor=context.cursor, resources={"lake": LakeAt(root=lake.root)})
    assert said(again) == "Nothing has changed since the last look."
    Project(provider="sample", alerts=(rule(hook.address),)).save(lake.path())
    hook.status = 500
    with_rule = dg.build_sensor_context(cursor=context.cursor, resources={"lake": LakeAt(root=lake.root)})
    assert said(with_rule) == "1 alerts are open; 0 messages sent, 1 failed."
    hook.status = 200
    later = dg.build_sensor_context(cursor=with_rule.cursor, resources={"lake": LakeAt(root=lake.root)})
    assert said(later) == "1 alerts are open; 0 messages sent, 0 failed, 1 left to a later look."


def said(context: dg.SensorEvaluationContext) -> str | None:
    answer = sensor(context)
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message
