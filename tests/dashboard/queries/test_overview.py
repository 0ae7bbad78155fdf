"""Incidents around Overview: a week called planned that was not, an error averaged over averages, money of the wrong weeks, a wait that nobody saw."""

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.queries import overview
from dashboard.queries.overview import Span
from dashboard.queries.reader import Reader
from transforms.lake.tables import Lake

ORIGIN = date(2024, 6, 24)
NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)
Fill = Callable[..., None]


def weeks_ago(weeks: int) -> date:
    return ORIGIN - timedelta(weeks=weeks)


def scored(region: str, weeks: int, n: int, n_zero: int, mape: float | None, horizon: int = 1) -> dict[str, Any]:
    return {"region": region, "week": weeks_ago(weeks), "horizon": horizon, "n": n, "n_zero": n_zero, "mape": mape, "baseline_mape": 0.5}


def value(region: str, store: str, weeks: int, policy: str, cost: float, horizon: int = 1) -> dict[str, Any]:
    return {"region": region, "store_id": store, "week": weeks_ago(weeks), "horizon": horizon, "policy": policy, "cost_left": cost / 4,
            "cost_missed": 3 * cost / 4, "units_left": round(cost), "units_missed": round(10 * cost), "demand": 100}  # fmt: skip


def planned(region: str, product: str, origin: date, horizon: int, quantity: int) -> dict[str, Any]:
    return {"region": region, "product_id": product, "origin_week": origin, "target_week": origin + timedelta(weeks=horizon),
            "order_quantity": quantity, "expected_lost_sales": 0.5, "expected_returns": 2.0}  # fmt: skip


def served(product: str, rung: str) -> dict[str, Any]:
    return {"region": "ohio", "product_id": product, "origin_week": ORIGIN, "target_week": ORIGIN + timedelta(weeks=1), "rung": rung}


def version(name: str, week: date, region: str = "ohio") -> dict[str, Any]:
    return {"region": region, "format": "large", "mover": "fast", "model_version": name, "trained_week": week, "trained_at": NOON, "metrics": "{}"}


def event(name: str, word: str, hours: int, numbers: str | None = None) -> dict[str, Any]:
    return {"model_version": name, "region": "ohio", "event": word, "event_time": NOON + timedelta(hours=hours), "numbers": numbers}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, fill: Fill) -> Reader:
    """Ohio and Utah over six weeks; Utah has no plan for the newest week, and data that wait."""
    lake = Lake(str(tmp_path_factory.mktemp("overview")))
    fill(
        lake,
        "gold/accuracy",
        *(scored("ohio", weeks, 100, 20, 0.2 + weeks / 100) for weeks in range(6)),
        *(scored("utah", weeks, 10, 0, 0.6) for weeks in range(6)),
        scored("ohio", 0, 1000, 0, 9.0, horizon=2),
    )
    costs = {"order_plan": 1.0, "point_forecast": 1.5, "historical_average": 2.0}
    fill(
        lake,
        "gold/plan_value",
        *(value(region, store, weeks, policy, cost) for region in ("ohio", "utah") for store in "ab" for weeks in range(6) for policy, cost in costs.items()),
        *(value("ohio", "a", 0, policy, 100 * cost, horizon=2) for policy, cost in costs.items()),
    )  # fmt: skip
    fill(
        lake,
        "gold/order_plan",
        planned("ohio", "p", ORIGIN, 1, 12),
        planned("ohio", "q", ORIGIN, 1, 6),
        planned("ohio", "p", ORIGIN, 2, 99),
        planned("utah", "p", weeks_ago(1), 1, 12),
        planned("utah", "p", weeks_ago(1), 2, 77),
    )
    fill(
        lake,
        "gold/forecasts",
        *(served(product, rung) for product, rung in zip("pqrs", ("champion", "baseline", "challenger", "pooled"), strict=True)),
    )
    judged = json.dumps([{"name": "data", "limit": 0.0}, {"name": "significant", "limit": 0.4, "value": math.nan}])
    fill(lake, "gold/model_versions", version("old", weeks_ago(1)), version("new", ORIGIN), version("fresh", ORIGIN, "utah"))
    earlier = json.dumps([{"name": "significant", "limit": 0.3}])
    fill(
        lake,
        "gold/model_events",
        event("old", "awaiting validation", 0, earlier),
        event("new", "awaiting validation", 1),
        event("new", "awaiting validation", 2, judged),
        event("fresh", "awaiting validation", 1),
    )
    approved = {"event": "approved", "event_time": NOON}
    fill(
        lake,
        "gold/dataset_versions",
        *({"region": region, "dataset_version": name, "last_week": ORIGIN, "recorded_at": NOON + timedelta(hours=hours)}
          for region, name, hours in (("ohio", "o1", 0), ("utah", "u1", 0), ("utah", "u2", 1))),
    )  # fmt: skip
    fill(
        lake, "gold/dataset_events", {"region": "ohio", "dataset_version": "o1", **approved}, {"region": "utah", "dataset_version": "u1", **approved}
    )
    return Reader(lake)


def test_the_week_is_the_newest_that_was_planned_from_the_week_before_and_not_the_furthest_one(reader: Reader) -> None:
    assert overview.this_week(reader) == date(2024, 7, 1)
    assert overview.newest_deliveries(reader) == ORIGIN


def test_a_region_whose_plan_is_two_weeks_old_counts_as_without_one(reader: Reader) -> None:
    assert overview.regions(reader) == ["ohio", "utah"]
    assert overview.plans(reader, date(2024, 7, 1)) == {"ohio": {"region": "ohio", "units": 18, "lost": 1.0, "left": 4.0}}


def test_the_error_is_of_all_rows_with_demand_of_the_last_weeks_one_week_ahead(reader: Reader) -> None:
    span = overview.settled(reader)
    assert span == Span(weeks_ago(3), ORIGIN, 4)
    found = overview.errors(reader, span)
    ohio = [0.2 + weeks / 100 for weeks in range(4)]
    assert found["ohio"]["mape"] == pytest.approx(sum(ohio) / 4)
    assert found["all"]["mape"] == pytest.approx((80 * sum(ohio) + 4 * 10 * 0.6) / (4 * 80 + 4 * 10))
    assert found["all"]["n"] == 440


def test_the_trend_is_in_the_order_of_weeks(reader: Reader) -> None:
    assert [row["week"] for row in overview.error_trend(reader)] == [weeks_ago(weeks) for weeks in (5, 4, 3, 2, 1, 0)]


def test_money_is_of_the_same_weeks_and_counts_no_week_twice(reader: Reader) -> None:
    found = overview.money(reader, Span(weeks_ago(3), ORIGIN, 4))
    assert {name: row.saved_usd["historical_average"].value for name, row in found.items()} == pytest.approx({"ohio": 8, "utah": 8, "all": 16})
    assert found["all"].saved_usd["historical_average"].low == pytest.approx(16)


def test_lost_sales_and_returns_stand_beside_those_of_shipping_the_average(reader: Reader) -> None:
    trend = overview.units_trend(reader)
    assert trend[-1] == {"week": ORIGIN, "lost": 40, "left": 4, "lost_average": 80, "left_average": 8}
    assert overview.mean_of(trend, "lost", 4) == 40
    assert overview.mean_of([], "lost", 4) is None


def test_the_target_is_the_one_by_which_models_were_judged_last(reader: Reader) -> None:
    assert overview.target_error(reader) == 0.4


def test_a_challenger_of_a_test_is_no_stand_in_and_a_pooled_model_is(reader: Reader) -> None:
    assert overview.lower_rungs(reader, date(2024, 7, 1)) == {"ohio": 0.5}


def test_a_model_that_was_overtaken_or_not_judged_yet_waits_for_nobody(reader: Reader) -> None:
    assert [row["model_version"] for row in overview.models_waiting(reader)] == ["new"]


def test_the_present_data_wait_where_only_earlier_ones_were_approved(reader: Reader) -> None:
    assert overview.data_waiting(reader) == ["utah"]


def test_an_empty_lake_has_no_week_and_no_numbers(tmp_path: Path) -> None:
    empty = Reader(Lake(str(tmp_path)))
    assert (overview.this_week(empty), overview.settled(empty), overview.target_error(empty), overview.newest_deliveries(empty)) == (None,) * 4
    assert overview.regions(empty) == overview.error_trend(empty) == overview.units_trend(empty) == overview.models_waiting(empty) == []
    assert overview.money(empty, Span(ORIGIN, ORIGIN, 1)) == overview.errors(empty, Span(ORIGIN, ORIGIN, 1)) == {}
