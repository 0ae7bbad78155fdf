"""Incidents around the time machine: a past that changed when the present did, or that nobody could read any more."""

import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.queries import time_machine
from dashboard.queries.reader import Reader
from dashboard.queries.time_machine import Then
from orchestration.project import MaintenanceSettings
from tests.dashboard.lakes import put
from transforms.calendar import Region, Week
from transforms.lake.tables import Lake
from transforms.records.upkeep import maintain

ORIGIN, TARGET = Week(date(2024, 6, 24)), Week(date(2024, 7, 1))
KEYS = {"region": "ohio", "store_id": "S1", "origin_week": ORIGIN.monday, "target_week": TARGET.monday}
Change = Callable[[Lake], None]


def now() -> datetime:
    """A moment that no commit shares."""
    time.sleep(0.005)
    found = datetime.now(UTC)
    time.sleep(0.005)
    return found


def make_plan(lake: Lake, quantity: int, expected: float) -> None:
    for table, values in (("gold/order_plan", {"order_quantity": quantity}), ("gold/forecasts", {"expected": expected, "dataset_version": "ohio-1"})):
        put(lake, table, *({**KEYS, "product_id": product, **values} for product in ("P1", "P2")))
    step = {"run_id": f"run {quantity}", "step": "scoring", "state": "succeeded", "assets": "gold/forecasts,gold/order_plan", "regions": "ohio,iowa"}
    put(lake, "gold/pipeline_steps", {**step, "first_week": ORIGIN.monday, "last_week": ORIGIN.monday, "ended_at": now(), "started_by": "a schedule"})


def edit(lake: Lake, person: str, quantity: int) -> None:
    values = {"edited_at": now(), "planned_quantity": 24, "quantity_from": 24, "quantity_to": quantity, "person": person, "edit_id": person}
    put(lake, "gold/overrides", {**KEYS, "product_id": "P1", **values})


def condition(lake: Lake, version: str, warm: float) -> None:
    put(lake, "silver/weather_known", {"region": "ohio", "place": "45", "week": ORIGIN.monday, "target_week": TARGET.monday, "tmax_c": warm})
    put(lake, "silver/stores", {"store_id": "S1", "name": f"Shop {version}"})
    pins = json.dumps(lake.versions(["silver/weather_known", "silver/stores"]))
    put(lake, "gold/dataset_versions", {"region": "ohio", "dataset_version": version, "delta_versions": pins, "recorded_at": now(), "checks": "[]"})
    put(lake, "gold/dataset_events", {"region": "ohio", "dataset_version": version, "event": "approved", "actor": version, "event_time": now()})


def make_champion(lake: Lake, version: str, event: str = "champion") -> None:
    model = {"region": "ohio", "format": "large", "mover": "fast", "model_version": version}
    if event == "champion":
        put(
            lake,
            "gold/model_versions",
            {**model, "metrics": '{"mape": 0.2}', "data_versions": "{}", "artifact_uri": f"models/{version}", "trained_week": ORIGIN.monday},
        )
    put(lake, "gold/model_events", {**model, "event": event, "effective_week": ORIGIN.monday, "event_time": now(), "numbers": None})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A plan of 24 units a line, one of them edited to 36 by Zoë."""
    made = Lake(str(tmp_path))
    condition(made, "ohio-1", 21.0)
    make_champion(made, "first")
    make_plan(made, 24, 20.0)
    edit(made, "Zoë", 36)
    return made


def seen_of(lake: Lake, moment: datetime) -> tuple[Any, ...]:
    """All that the page shows of a moment in its frame."""
    reader = Reader(lake)
    seen = time_machine.then(reader, "ohio", TARGET, moment)
    assert seen is not None
    asked = (time_machine.lines_then, time_machine.records_then, time_machine.champions_then, time_machine.weather_then, time_machine.data_then)
    return (seen, *(ask(reader, seen) for ask in asked))


FUTURES: dict[str, Change] = {
    "the plan is made again": lambda lake: make_plan(lake, 48, 41.0),
    "somebody edits": lambda lake: edit(lake, "Max", 12),
    "the data change": lambda lake: condition(lake, "ohio-2", 35.0),
    "another champion": lambda lake: make_champion(lake, "second"),
    "the champion is rolled back": lambda lake: make_champion(lake, "first", "rolled back"),
    "it is approved": lambda lake: put(lake, "gold/plan_events", {"region": "ohio", "target_week": TARGET.monday, "event_time": now()}),
}


@pytest.mark.parametrize("change", FUTURES.values(), ids=FUTURES)
def test_what_came_later_changes_nothing_of_what_was_seen(lake: Lake, change: Change) -> None:
    moment = now()
    before = seen_of(lake, moment)
    change(lake)
    assert seen_of(lake, moment) == before


@pytest.mark.parametrize("change", [name for name in FUTURES if name != "the data change"])
def test_what_happened_is_seen_from_then_on(lake: Lake, change: str) -> None:
    before = seen_of(lake, now())
    FUTURES[change](lake)
    assert seen_of(lake, now())[1:] != before[1:]


def test_what_was_seen_is_the_plan_with_the_edits_of_then(lake: Lake) -> None:
    _, lines, records, champions, weather, data = seen_of(lake, now())
    assert [(row["product_id"], row["order_quantity"], row["planned_quantity"], row["person"], row["expected"]) for row in lines] == [
        ("P1", 36, 24, "Zoë", 20.0), ("P2", 24, 24, None, 20.0),
    ]  # fmt: skip
    assert [row["store_name"] for row in lines] == ["Shop ohio-1"] * 2
    assert [(row["what"], row["person"], row["quantity_to"]) for row in records] == [("edited", "Zoë", 36)]
    assert [row["model_version"] for row in champions] == ["first"]
    assert [row["tmax_c"] for row in weather] == [21.0]
    assert (data["dataset_version"], data["event"]) == ("ohio-1", "approved")


def test_the_data_are_those_that_the_forecasts_were_made_of_and_not_newer_ones(lake: Lake) -> None:
    condition(lake, "ohio-2", 35.0)
    assert seen_of(lake, now())[5]["dataset_version"] == "ohio-1"


def test_a_plan_that_was_made_again_is_seen_a_year_later_though_what_nothing_names_is_removed(lake: Lake) -> None:
    moment = now()
    before = seen_of(lake, moment)
    for quantity in range(60, 66):
        put(lake, "gold/order_plan", *({**KEYS, "product_id": product, "order_quantity": quantity} for product in ("P1", "P2")))
    make_plan(lake, 48, 41.0)
    rules = MaintenanceSettings(merge_from=2).rules
    done = maintain(lake, rules, datetime.now(UTC) + timedelta(days=365), dry_run=False, tell=print)
    assert any(table.removed for table in done.tables if table.table == "gold/order_plan")
    assert seen_of(lake, moment) == before


def test_before_the_plan_there_was_none(lake: Lake, tmp_path: Path) -> None:
    reader = Reader(lake)
    assert time_machine.then(reader, "ohio", TARGET, datetime(2024, 1, 1, tzinfo=UTC)) is None
    assert time_machine.then(reader, "iowa", TARGET, now()) is None
    assert time_machine.then(Reader(Lake(str(tmp_path / "empty"))), "ohio", TARGET, now()) is None


def test_the_truck_was_loaded_by_the_last_approval_else_by_what_was_known_before_the_week(lake: Lake) -> None:
    reader = Reader(lake)
    moments = time_machine.moments_of(reader, "ohio", TARGET)
    assert [(one.what, one.by) for one in moments] == [("plan made", "a schedule"), ("edited", "Zoë")]
    assert time_machine.moments_of(reader, "texas", TARGET) == []
    # All of them are of today, years after the week.
    assert time_machine.loaded_at(moments, TARGET) == moments[0].at
    assert time_machine.loaded_at(moments, Week(date(2200, 1, 6))) == moments[-1].at
    put(lake, "gold/plan_events", {"region": "ohio", "target_week": TARGET.monday, "event_time": now(), "event": "approved", "person": "Max"})
    edit(lake, "Max", 12)
    moments = time_machine.moments_of(Reader(lake), "ohio", TARGET)
    assert time_machine.loaded_at(moments, TARGET) == moments[2].at
    assert time_machine.loaded_at([], TARGET) is None


@pytest.mark.parametrize("text", ["", "nonsense", "2024-13-01", "9999-01-01", "0001-01-01T00:00:00", "1999-12-31", "2024-06-24T00:00:00+99:00"])
def test_an_address_with_no_moment_of_the_past_names_none(text: str) -> None:
    assert time_machine.parsed_moment(text) is None


def test_a_moment_is_of_utc_unless_it_says_otherwise() -> None:
    assert time_machine.parsed_moment("2024-06-24T07:30") == datetime(2024, 6, 24, 7, 30, tzinfo=UTC)
    assert time_machine.parsed_moment("2024-06-24T07:30:00+02:00") == datetime(2024, 6, 24, 5, 30, tzinfo=UTC)


def test_what_came_of_the_week_is_of_today(lake: Lake) -> None:
    moment = now()
    seen = Then(Region("ohio"), TARGET, moment, ORIGIN, {})
    assert time_machine.came_of_it(Reader(lake), seen) == {}
    put(lake, "gold/demand", {"region": "ohio", "week": TARGET.monday, "units_shipped": 30, "units_returned": 4, "demand": 26})
    assert time_machine.came_of_it(Reader(lake), seen)["returned"] == 4


def test_a_run_that_planned_other_weeks_is_no_moment_of_this_one_and_a_backtest_opens_at_its_last_plan(lake: Lake) -> None:
    """The first of thirteen runs before a week that was backtested said that there was no plan yet, and was what the page opened with."""

    def ran(origin: Week) -> datetime:
        at = now()
        step = {"run_id": str(at), "step": "scoring", "state": "succeeded", "assets": "gold/forecasts,gold/order_plan", "regions": "ohio"}
        put(
            lake, "gold/pipeline_steps", {**step, "first_week": origin.monday, "last_week": origin.monday, "ended_at": at, "started_by": "a schedule"}
        )
        return at

    earlier = ORIGIN + -3
    put(lake, "gold/order_plan", {**KEYS, "origin_week": earlier.monday, "product_id": "P1", "order_quantity": 6})
    ran(ORIGIN + -4)
    reaching, again = ran(earlier), ran(ORIGIN)
    moments = time_machine.moments_of(Reader(lake), "ohio", TARGET)
    made = [one.at for one in moments if one.what == time_machine.MADE]
    assert (len(made), made[1:]) == (3, [reaching, again])
    assert time_machine.loaded_at([one for one in moments if one.at != made[0]], TARGET) == again
