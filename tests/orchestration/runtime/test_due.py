"""Incidents of automation: a week that landed and was never forecast, a region that joined, code that changed, and runs that were asked for nothing."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from orchestration.definitions import defs
from orchestration.defs.automation import cycle, requests
from orchestration.lifecycle import retraining
from orchestration.project import Project
from orchestration.runtime.due import Due, due_forecasts, due_training, outdated
from orchestration.runtime.ranges import RANGE_END
from tests.orchestration.lakes import LakeAt, copied, newest_complete
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.bronze import CONDITIONED_SLICES
from transforms.contracts.gold import FORECASTS
from transforms.contracts.life_cycle import DATASET_EVENTS
from transforms.lake.tables import Lake
from transforms.records.dataset_versions import decide, latest_versions

TEXAS = Region("north_texas")


@pytest.fixture
def lake(small_lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Forecast from the fourth week before the last that has landed."""
    return copied(small_lake, tmp_path, monkeypatch)


def project(lake: Lake) -> Project:
    return Project.of(lake)


def forecast_from(lake: Lake, week: Week) -> None:
    """Rows as if the region had been forecast from a week."""
    rows = lake.read(FORECASTS.name).slice(0, 5)
    column = rows.schema.get_field_index("origin_week")
    moved = rows.set_column(
        column, FORECASTS.schema.field("origin_week"), pa.array([week.monday] * rows.num_rows, FORECASTS.schema.field("origin_week").type)
    )
    lake.replace(FORECASTS.name, SliceBlock((TEXAS,), week, week), moved)


def weeks_due(lake: Lake) -> list[tuple[Week, str]]:
    return [(item.block.first, item.why) for item in due_forecasts(lake, project(lake))]


def test_weeks_that_landed_since_the_last_forecast_are_due_one_after_the_other(lake: Lake) -> None:
    last = newest_complete(lake)
    for week in (last + -3, last + -2, last + -1, last):
        assert weeks_due(lake) == [(week, f"{week} is complete")]
        forecast_from(lake, week)
    assert weeks_due(lake) == []


def test_after_a_long_gap_only_weeks_are_due_whose_targets_had_still_to_come(lake: Lake) -> None:
    gone = project(lake).model_copy(update={"horizons": 2})
    assert [item.block.first for item in due_forecasts(lake, gone)] == [newest_complete(lake) + -1]


def test_a_region_that_was_never_forecast_is_due_from_its_newest_week_alone(lake: Lake) -> None:
    shutil.rmtree(lake.uri(FORECASTS.name))
    [(week, why)] = weeks_due(lake)
    assert (week, why) == (newest_complete(lake), f"new region, first forecast from {newest_complete(lake)}")


@pytest.mark.parametrize("source", ["unfinished", "shipments", "weather_forecast"])
def test_a_week_that_is_not_complete_yet_is_not_forecast(lake: Lake, source: str) -> None:
    last = newest_complete(lake)
    block = SliceBlock((TEXAS,), last, last)
    rows = lake.read(CONDITIONED_SLICES.name, where=f"week = '{last}'").to_pylist()
    assert {row["source"] for row in rows} >= {"shipments", "weather_forecast"}
    if source == "unfinished":
        rows.append({**rows[0], "source": source, "fingerprint": ""})
    else:
        rows = [row for row in rows if row["source"] != source]
    lake.replace(CONDITIONED_SLICES.name, block, pa.Table.from_pylist(rows, schema=CONDITIONED_SLICES.schema))
    forecast_from(lake, last + -1)
    assert weeks_due(lake) == []


def test_a_week_without_returns_is_complete(lake: Lake) -> None:
    last = newest_complete(lake)
    rows = [row for row in lake.read(CONDITIONED_SLICES.name, where=f"week = '{last}'").to_pylist() if row["source"] != "returns"]
    lake.replace(CONDITIONED_SLICES.name, SliceBlock((TEXAS,), last, last), pa.Table.from_pylist(rows, schema=CONDITIONED_SLICES.schema))
    assert newest_complete(lake) == last


def test_data_that_wait_for_approval_are_neither_forecast_nor_trained_on(lake: Lake) -> None:
    assert weeks_due(lake) != []
    shutil.rmtree(lake.uri(DATASET_EVENTS.name))
    [dataset] = latest_versions(lake)
    decide(lake, dataset, "rejected", "ann", "half a file", datetime.now(UTC))
    assert weeks_due(lake) == []
    assert list(due_training(lake, project(lake))) == []


def test_nothing_that_stays_as_it_was_is_trained(lake: Lake) -> None:
    assert list(due_training(lake, project(lake))) == [], "its newest week is not forecast yet: that comes first"
    trained_until(lake)
    assert list(due_training(lake, project(lake))) == []


def trained_until(lake: Lake) -> Week:
    """Leave of landing what had been there when the region was forecast."""
    origin = Week(lake.read(FORECASTS.name, columns="max(origin_week) as week")["week"][0].as_py())
    later = SliceBlock((TEXAS,), origin + 1, newest_complete(lake))
    lake.replace(CONDITIONED_SLICES.name, later, CONDITIONED_SLICES.schema.empty_table())
    return origin


def test_code_that_changed_is_trained_for_once_at_the_origin_that_serves(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = trained_until(lake)
    monkeypatch.setattr(retraining, "code_version", lambda _: "0123456789ab-00000000")
    [due] = due_training(lake, project(lake))
    assert due.block == SliceBlock((TEXAS,), origin, origin)
    assert due.why.startswith("code: training code ")
    assert due.why.endswith(" became 0123456789ab-00000000")


def test_settings_that_changed_are_trained_for(lake: Lake) -> None:
    trained_until(lake)
    [due] = due_training(lake, project(lake).model_copy(update={"seed": 99}))
    assert due.why == "settings: training settings or the contract of the data changed"


# ---- what the sensor and the schedule request ----


def tick(lake: Lake, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"lake": LakeAt(root=lake.root)})
    found = cycle.cycle_sensor.evaluate_tick(context)
    return dg.SensorResult(run_requests=list(found.run_requests or []), cursor=found.cursor)


def test_the_sensor_goes_on_to_the_forecast_once_and_says_why(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    week = newest_complete(lake) + -3
    with dg.DagsterInstance.ephemeral() as instance:
        [request] = tick(lake, instance).run_requests or []
        assert (request.job_name, request.tags["shelfcast/why"]) == ("weekly_cycle", f"{week} is complete")
        assert request.tags[RANGE_END] == f"north_texas|{week}"
        run = instance.create_run_for_job(defs.resolve_job_def("weekly_cycle"), tags=request.tags)
        assert tick(lake, instance).run_requests == [], "while it is on its way"
        instance.report_run_failed(run)
        assert tick(lake, instance).run_requests == [], "at once it would fail again"
        monkeypatch.setattr(requests, "AGAIN_AFTER", timedelta(0))
        [again] = tick(lake, instance).run_requests or []
        assert again.run_key != request.run_key
        done = instance.create_run_for_job(defs.resolve_job_def("weekly_cycle"), tags=again.tags, status=dg.DagsterRunStatus.SUCCESS)
        assert done.is_success
        assert tick(lake, instance).run_requests == [], "a run that left it undone would be asked for at each tick for ever"


def test_nothing_is_looked_at_again_before_something_changes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_until(lake)
    with dg.DagsterInstance.ephemeral() as instance:
        seen = tick(lake, instance)
        assert seen.run_requests == []
        assert seen.cursor
        monkeypatch.setattr(cycle, "due_training", lambda *_: pytest.fail("looked again"))
        assert tick(lake, instance, seen.cursor).run_requests == []
        monkeypatch.setattr(cycle, "due_training", lambda *_: [Due(SliceBlock((TEXAS,), Week(date(2023, 7, 10)), Week(date(2023, 7, 10))), "drift")])
        decide(lake, latest_versions(lake)[0], "approved", "ann", "looked at", datetime.now(UTC))
        [request] = tick(lake, instance, seen.cursor).run_requests or []
        assert (request.job_name, request.tags["shelfcast/why"]) == ("training", "drift")


def test_the_weekly_schedule_leaves_out_what_has_been_forecast_from_the_same_data(lake: Lake) -> None:
    last = newest_complete(lake)
    assert outdated(lake, project(lake), last) == [TEXAS]
    rows = lake.read(FORECASTS.name).slice(0, 5)
    for name, value in (("origin_week", last.monday), ("dataset_version", latest_versions(lake)[0].version)):
        field = FORECASTS.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array([value] * rows.num_rows, field.type))
    lake.replace(FORECASTS.name, SliceBlock((TEXAS,), last, last), rows)
    assert outdated(lake, project(lake), last) == []
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=datetime.now(UTC), resources={"lake": LakeAt(root=lake.root)})
        told = cycle.weekly_schedule.evaluate_tick(context)
        assert told.run_requests == []
        assert told.skip_message == f"All regions have been forecast from {last}, with their data as they are."
