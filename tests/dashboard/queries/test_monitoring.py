"""Incidents around Monitoring: a cause that nobody was told of, one that was told after it had ended, and a number that was not measured shown as good."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.queries import health, monitoring
from dashboard.queries.reader import Reader
from tests.dashboard.lakes import put
from transforms.lake.tables import Lake

ORIGIN, BEFORE = date(2024, 6, 24), date(2024, 6, 17)
NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)


def step(name: str, state: str, hour: int, **values: Any) -> dict[str, Any]:
    ended = NOON.replace(hour=hour)
    base = {"run_id": f"run-{name}-{hour}", "step": name, "job": "weekly_cycle", "state": state, "ended_at": ended, "seconds": float(hour)}
    return {**base, "started_at": ended - timedelta(seconds=hour), "started_by": "ann", **values}


def served(region: str, origin: date, rung: str, n: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {
            "region": region,
            "origin_week": origin,
            "rung": rung,
            "product_id": f"p{rung}{number}",
            "rung_reason": f"why {rung}",
            "run_id": "r",
            **values,
        }
        for number in range(n)
    ]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A week with one of each trouble."""
    root = tmp_path_factory.mktemp("lake")
    lake = Lake(str(root))
    (root / "landing" / "sample").mkdir(parents=True)
    (root / "landing" / "sample" / "bad.csv").touch()
    put(
        lake,
        "gold/pipeline_steps",
        step("scoring", "succeeded", 2, regions="a", rows=10),
        step("scoring", "succeeded", 4, regions="a", rows=20),
        step("accuracy", "failed", 5, regions="a,b", error="It broke."),
        step("ensembles", "failed", 3, regions="a,b", error="Mended since."),
        step("ensembles", "succeeded", 6, regions="b"),
        step("champions", "failed", 7, regions="a", error="In region a."),
        step("champions", "succeeded", 8, regions="c"),
        step("drift_report", "skipped", 7, started_at=None, seconds=None),
    )
    looked = {"source": "shipments", "rows_read": 7}
    put(
        lake,
        "bronze/landing_files",
        {**looked, "source_file": "bad.csv", "status": "accepted", "registered_at": NOON - timedelta(days=1)},
        {**looked, "source_file": "bad.csv", "status": "refused", "message": "No column week.", "registered_at": NOON},
        {**looked, "source_file": "gone.csv", "status": "refused", "message": "Taken away since.", "registered_at": NOON},
        {**looked, "source_file": "mended.csv", "status": "refused", "registered_at": NOON - timedelta(days=1)},
        {**looked, "source_file": "mended.csv", "status": "accepted", "registered_at": NOON},
    )
    broken = {"source": "shipments", "source_file": "a.csv", "rule": "units >= 0", "record": json.dumps({"units": -1})}
    put(lake, "bronze/quarantine", {**broken, "row": 9, "message": "row 9"}, {**broken, "row": 4, "message": "row 4"})
    put(
        lake,
        "gold/forecasts",
        *served("a", ORIGIN, "champion", 6),
        *served("a", ORIGIN, "baseline", 2),
        *served("b", ORIGIN, "challenger", 2, is_stale=True),
        *served("a", BEFORE, "champion", 3),
    )
    model = {"format": "large", "mover": "fast", "kind": "ensemble"}
    put(
        lake,
        "gold/model_versions",
        {**model, "region": "a", "model_version": "old", "trained_week": ORIGIN - timedelta(weeks=9)},
        {**model, "region": "a", "model_version": "new", "trained_week": ORIGIN},
        {**model, "region": "b", "model_version": "b1", "trained_week": ORIGIN - timedelta(days=56)},
        {**model, "region": "all", "model_version": "pooled", "trained_week": ORIGIN},
    )
    decided = [
        ("old", "a", "champion", 9),
        ("new", "a", "champion", 0),
        ("new", "a", "rolled back", 0),
        ("b1", "b", "champion", 8),
        ("pooled", "all", "champion", 0),
    ]
    for place, (version, region, event, ago) in enumerate(decided):
        moment = NOON + timedelta(minutes=place)
        week = ORIGIN - timedelta(weeks=ago)
        put(
            lake,
            "gold/model_events",
            {
                "model_version": version,
                "region": region,
                **{k: model[k] for k in ("format", "mover")},
                "event": event,
                "event_time": moment,
                "effective_week": week,
            },
        )
    return lake


@pytest.fixture(scope="module")
def reader(lake: Lake) -> Reader:
    return Reader(lake)


def test_a_step_that_succeeded_since_for_one_of_its_regions_is_no_cause_any_more_and_another_regions_success_ends_none(reader: Reader) -> None:
    assert [(row["step"], row["error"]) for row in monitoring.failed_steps(reader)] == [("champions", "In region a."), ("accuracy", "It broke.")]


def test_a_step_shows_its_last_run_and_how_long_those_before_took(reader: Reader) -> None:
    found = {row["step"]: row for row in monitoring.latest_steps(reader)}
    assert {name: row["state"] for name, row in found.items()} == {
        "accuracy": "failed", "champions": "succeeded", "drift_report": "skipped", "ensembles": "succeeded", "scoring": "succeeded"
    }  # fmt: skip
    assert next(iter(found)) == "accuracy"
    assert (found["scoring"]["rows"], found["scoring"]["earlier"], found["drift_report"]["earlier"]) == (20, [2.0, 4.0], None)
    assert monitoring.last_run(reader)["ended_at"] == NOON.replace(hour=8)


def test_a_file_that_was_mended_or_taken_away_is_refused_no_longer(reader: Reader) -> None:
    assert [(row["source_file"], row["message"]) for row in monitoring.refused_files(reader)] == [("bad.csv", "No column week.")]


def test_quarantine_names_the_first_row_of_each_rule(reader: Reader) -> None:
    [found] = monitoring.quarantined(reader)
    assert (found["n"], found["first_row"], found["message"], json.loads(found["record"])) == (2, 4, "row 4", {"units": -1})


def test_a_challenger_under_test_is_no_lower_rung(reader: Reader) -> None:
    origin = monitoring.newest_origin(reader)
    assert origin == ORIGIN
    rows = health.served(reader, origin)
    assert [(row["region"], row["rung"], row["n"]) for row in rows] == [("a", "champion", 6), ("a", "baseline", 2), ("b", "challenger", 2)]
    assert health.lower_share(rows) == pytest.approx(0.2)
    assert health.origin_before(reader, origin) == BEFORE
    assert health.lower_share([]) is None


def test_a_run_that_forecast_with_a_stale_model_is_marked(reader: Reader) -> None:
    assert [(row["origin_week"], row["n"], row["stale"], row["stale_regions"]) for row in health.scoring_runs(reader, ORIGIN)] == [
        (ORIGIN, 10, 2, ["b"]),
        (BEFORE, 3, 0, []),
    ]


def test_the_champion_that_serves_again_after_a_rollback_is_the_one_whose_age_counts(reader: Reader) -> None:
    found = health.champions(reader)
    assert [(row["region"], row["model_version"], row["days"], health.is_stale(row)) for row in found] == [
        ("a", "old", 63, True),
        ("b", "b1", 56, False),
    ]


def test_data_that_wait_are_the_present_ones_with_why_and_what_was_approved_last(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    # What is recorded later in a lake is of a later time.
    for region, versions in {"a": ("a1", "a2", "a3"), "b": ("b1",), "c": ("c1", "c2")}.items():
        for name in versions:
            put(lake, "gold/dataset_versions", {"region": region, "dataset_version": name, "last_week": ORIGIN, "checks": "[]"})
    for region, version, event, reason in (
        ("a", "a1", "approved", "passed"),
        ("a", "a2", "rejected", "wrong prices"),
        ("a", "a3", "awaiting approval", "too many in quarantine"),
        ("c", "c1", "awaiting approval", "superseded"),
        ("c", "c2", "awaiting approval", "a jump"),
        ("c", "c2", "approved", "carrier confirmed"),
    ):
        put(lake, "gold/dataset_events", {"region": region, "dataset_version": version, "event": event, "reason": reason})
    found = [
        (row["dataset_version"], row["reason"], row["approved_version"], row["approved_week"]) for row in monitoring.data_that_wait(Reader(lake))
    ]
    assert found == [("a3", "too many in quarantine", "a1", ORIGIN), ("b1", "nothing has judged it yet", None, None)]


def test_an_empty_lake_has_nothing_to_tell(tmp_path: Path) -> None:
    reader = Reader(Lake(str(tmp_path)))
    assert monitoring.last_run(reader) == {}
    for rows in (
        monitoring.latest_steps,
        monitoring.failed_steps,
        monitoring.refused_files,
        monitoring.quarantined,
        health.champions,
        health.running_tests,
    ):
        assert rows(reader) == []
    assert (health.error_board(reader, 26), health.drift(reader, 26), health.model_errors(reader), monitoring.newest_origin(reader)) == (
        [],
        [],
        {},
        None,
    )


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Accuracy and drift of two weeks, and two A/B tests."""
    lake = Lake(str(tmp_path_factory.mktemp("watched")))
    segment = {"format": "large", "model": "m", "horizon": 1}
    put(
        lake,
        "gold/accuracy",
        {**segment, "region": "a", "week": ORIGIN, "mover": "fast", "n": 12, "n_zero": 2, "mape": 0.2, "baseline_mape": 0.5},
        {**segment, "region": "a", "week": ORIGIN, "mover": "slow", "n": 30, "n_zero": 0, "mape": 0.6, "baseline_mape": 0.7},
        {**segment, "region": "b", "week": BEFORE, "mover": "fast", "n": 5, "n_zero": 5},
    )
    column = {"region": "a", "week": ORIGIN, "drifted": True}
    put(
        lake,
        "gold/drift",
        {**column, "column": "demand", "effect_money": 40.0},
        {**column, "column": "price", "effect_money": 90.0},
        {**column, "column": "unknown", "effect_money": None},
        {**column, "column": "weather", "drifted": False, "effect_money": 500.0},
        {"region": "b", "week": BEFORE, "column": "demand", "drifted": False},
    )
    test = {"region": "a", "metric": "ape", "weeks": 4}
    put(
        lake,
        "gold/ab_tests",
        {**test, "test_id": "t1", "event": "started"},
        {**test, "test_id": "t2", "event": "started"},
        {**test, "test_id": "t2", "event": "stopped"},
        {**test, "test_id": "t3", "event": "started"},
    )
    put(
        lake, "gold/ab_lift", {"region": "a", "week": BEFORE, "test_id": "t1", "look": 1}, {"region": "a", "week": ORIGIN, "test_id": "t1", "look": 2}
    )
    put(lake, "gold/ab_lift", {"region": "c", "week": ORIGIN, "test_id": "t3", "look": 4})
    return Reader(lake)


def test_errors_are_weighted_by_rows_with_demand(watched: Reader) -> None:
    found = {(row["region"], row["week"]): row["mape"] for row in health.error_board(watched, 26)}
    assert found == {("a", ORIGIN): pytest.approx((0.2 * 10 + 0.6 * 30) / 40), ("b", BEFORE): None}


def test_a_model_without_rows_with_demand_is_not_measured_and_a_regions_average_is_that_of_both_movers(watched: Reader) -> None:
    found = health.model_errors(watched)
    assert found == {
        ("a", "large", "fast"): 0.2, ("a", "large", "slow"): 0.6, ("a", "large", "all"): pytest.approx((0.5 * 10 + 0.7 * 30) / 40)
    }  # fmt: skip


def test_drift_costs_what_its_dearest_drifted_column_does(watched: Reader) -> None:
    found = {row["region"]: (row["watched"], row["drifted"], row["money"], row["columns"]) for row in health.drift(watched, 26)}
    assert found == {"a": (4, 3, 90.0, ["price", "demand", "unknown"]), "b": (1, 0, 0.0, [])}


def test_a_test_that_was_stopped_or_had_its_weeks_runs_no_longer(watched: Reader) -> None:
    assert [(row["test_id"], row["look"]) for row in health.running_tests(watched)] == [("t1", 2)]
