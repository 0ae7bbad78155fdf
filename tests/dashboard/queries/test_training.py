"""Incidents around Training: a verdict of another origin, a mean of means, a ratio summed up without its parts, a decision that was none."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard.queries import training
from dashboard.queries.overview import Span
from dashboard.queries.reader import Reader
from dashboard.queries.training import METRICS
from transforms.lake.tables import Lake

ORIGIN, BEFORE = date(2024, 6, 24), date(2024, 6, 17)
NOON = datetime(2024, 7, 1, 12, tzinfo=UTC)
Fill = Callable[..., None]


def scored(region: str, mover: str, week: date, model: str = "m", **values: Any) -> dict[str, Any]:
    return {"region": region, "format": "large", "mover": mover, "week": week, "horizon": 1, "model": model, **values}


def step(region: str, mover: str, rank: int, significant: bool, week: date = ORIGIN) -> dict[str, Any]:
    rung = "champion" if rank == 1 else "baseline"
    return {"region": region, "format": "large", "mover": mover, "week": week, "rung": rung, "rank": rank, "is_significant": significant}


def version(name: str, region: str, mover: str, minutes: int, **values: Any) -> dict[str, Any]:
    kind = "baseline" if mover == "all" else "ensemble"
    metrics = '{"mape": 0.2, "baseline_mape": 0.4, "rows": 100, "rmse_0": NaN}'
    return {"region": region, "format": "large", "mover": mover, "model_version": name, "kind": kind, "trained_week": ORIGIN, "run_id": "r",
            "trained_at": NOON + timedelta(minutes=minutes), "metrics": metrics, **values}  # fmt: skip


def event(name: str, region: str, mover: str, word: str, minutes: int, **values: Any) -> dict[str, Any]:
    return {"model_version": name, "region": region, "format": "large", "mover": mover, "event": word, "effective_week": ORIGIN,
            "event_time": NOON + timedelta(minutes=minutes), **values}  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, fill: Fill) -> Reader:
    """Ohio and Utah with two segments each, the pooled models, and a historical average."""
    lake = Lake(str(tmp_path_factory.mktemp("training")))
    fill(
        lake,
        "gold/accuracy",
        scored("ohio", "fast", BEFORE, n=10, n_zero=2, mape=0.2, wape=0.3, rmse_0=1.0, rmse_all=3.0, bias=-1.0, baseline_mape=0.4),
        scored("ohio", "fast", ORIGIN, n=10, n_zero=0, mape=0.4, wape=0.5, rmse_0=None, rmse_all=1.0, bias=1.0, baseline_mape=0.4),
        scored("utah", "fast", BEFORE, n=30, n_zero=6, mape=0.6, wape=0.7, rmse_0=2.0, rmse_all=1.0, bias=1.0, baseline_mape=0.8),
        scored("utah", "slow", BEFORE, n=5, n_zero=5, mape=None, wape=None, rmse_0=4.0, rmse_all=4.0, bias=4.0),
    )
    fill(
        lake,
        "gold/ladder",
        step("ohio", "fast", 1, True), step("ohio", "fast", 2, False), step("ohio", "slow", 1, False),
        step("utah", "fast", 1, True), step("utah", "slow", 1, True), step("utah", "slow", 1, False, BEFORE),
    )  # fmt: skip
    fill(
        lake,
        "gold/model_versions",
        version("of", "ohio", "fast", 0), version("os", "ohio", "slow", 6), version("uf", "utah", "fast", 9),
        version("avg", "ohio", "all", 1), version("pool", "all", "fast", 12),
    )  # fmt: skip
    fill(
        lake,
        "gold/model_events",
        event("of", "ohio", "fast", "awaiting validation", 1),
        event("of", "ohio", "fast", "champion", 20, replaces="older"),
        event("older", "ohio", "fast", "retired", 20),
        event("os", "ohio", "slow", "rejected", 21),
        event("uf", "utah", "fast", "awaiting validation", 22, numbers="[]"),
        event("avg", "ohio", "all", "champion", 23),
        event("pool", "all", "fast", "champion", 24),
    )
    kept = {"format": "large", "retrained": False, "cause": "none", "reason": "as it was"}
    fill(
        lake,
        "gold/retraining",
        {"region": "ohio", "week": ORIGIN, "format": "large", "mover": "fast", "retrained": True, "cause": "drift", "reason": "drifted"},
        {"region": "utah", "week": ORIGIN, "format": "large", "mover": "fast", "retrained": True, "cause": "drift", "reason": "drifted"},
        {"region": "ohio", "week": ORIGIN, "mover": "slow", **kept, "reused": "older"},
        {"region": "utah", "week": ORIGIN, "mover": "slow", **kept, "reused": None},
        {"region": "utah", "week": BEFORE, "mover": "fast", **kept, "reused": "older"},
    )
    return Reader(lake)


def test_the_verdict_is_of_what_serves_at_the_newest_origin_and_of_models_of_segments_alone(reader: Reader) -> None:
    found = training.verdict(reader, None)
    assert found is not None
    assert (found.origin, found.models, found.significant, found.promoted, found.refused, found.rolled_back) == (ORIGIN, 4, 3, 1, 1, 0)
    ohio = training.verdict(reader, "ohio")
    assert ohio is not None
    assert (ohio.models, ohio.significant) == (2, 1)


def test_who_is_champion_again_after_a_rollback_was_not_promoted(tmp_path: Path, fill: Fill) -> None:
    lake = Lake(str(tmp_path))
    fill(lake, "gold/ladder", step("ohio", "fast", 1, True))
    fill(
        lake,
        "gold/model_events",
        event("older", "ohio", "fast", "champion", 1, effective_week=BEFORE),
        event("of", "ohio", "fast", "champion", 20),
        event("of", "ohio", "fast", "rolled back", 30),
        event("older", "ohio", "fast", "champion", 30),
    )
    found = training.verdict(Reader(lake), "ohio")
    assert found is not None
    assert (found.promoted, found.refused, found.rolled_back) == (1, 0, 1)


def test_a_trend_over_regions_is_the_metric_over_all_their_rows(reader: Reader) -> None:
    def at(name: str) -> float | None:
        rows = training.trend(reader, METRICS[name], None)
        return next(row["model"] for row in rows if (row["mover"], row["week"]) == ("fast", BEFORE))

    assert at("mape") == pytest.approx((8 * 0.2 + 24 * 0.6) / 32)
    assert at("rmse_0") == pytest.approx(math.sqrt((2 * 1 + 6 * 4) / 8))
    assert at("rmse_all") == pytest.approx(math.sqrt((10 * 9 + 30 * 1) / 40))
    assert at("bias") == pytest.approx((10 * -1 + 30 * 1) / 40)


def test_a_ratio_of_sums_is_shown_where_it_is_on_record_and_never_averaged(reader: Reader) -> None:
    wape = METRICS["wape"]
    assert [row["model"] for row in training.trend(reader, wape, "ohio")] == [0.3, 0.5]
    assert {(row["mover"], row["week"]): row["model"] for row in training.trend(reader, wape, None)}[("fast", BEFORE)] is None


def test_a_segment_without_demand_has_no_mape_and_still_its_other_errors(reader: Reader) -> None:
    slow = next(row for row in training.segments(reader, Span(BEFORE, ORIGIN, 2), None) if row["mover"] == "slow")
    assert (slow["mape"], slow["rmse_0"], slow["n"]) == (None, 4.0, 5)
    fast = training.segments(reader, Span(BEFORE, ORIGIN, 2), "ohio")
    assert [row["mape"] for row in fast] == pytest.approx([(8 * 0.2 + 10 * 0.4) / 18])


def test_each_region_of_a_trend_is_given_by_itself(reader: Reader) -> None:
    rows = training.trend(reader, METRICS["mape"], None, by_region=True)
    assert [(row["region"], row["model"]) for row in rows if row["week"] == BEFORE] == [("ohio", 0.2), ("utah", 0.6), ("utah", None)]


def test_decisions_are_those_that_somebody_or_a_gate_took(reader: Reader) -> None:
    rows = training.decisions(reader, None)
    assert [(row["model_version"], row["event"], row["mape"], row["baseline_mape"]) for row in rows] == [
        ("uf", "awaiting validation", 0.2, 0.4),
        ("os", "rejected", 0.2, 0.4),
        ("of", "champion", 0.2, 0.4),
    ]
    assert [row["model_version"] for row in training.decisions(reader, "utah")] == ["uf"]


def test_what_was_trained_is_grouped_by_why_at_the_newest_origin(reader: Reader) -> None:
    rows = [(row["retrained"], row["reason"], row["models"], row["regions"]) for row in training.retraining(reader, None)]
    assert rows == [(True, "drifted", 2, ["ohio", "utah"]), (False, "as it was", 1, ["ohio"])]


def test_the_time_of_a_run_is_from_its_first_model_to_its_last(reader: Reader) -> None:
    (run,) = training.training_runs(reader, None)
    assert (run["models"], run["last"] - run["first"], run["learned"]) == (4, timedelta(minutes=12), 400)
    (ohio,) = training.training_runs(reader, "ohio")
    assert (ohio["models"], ohio["last"] - ohio["first"]) == (2, timedelta(minutes=6))


def test_what_serves_is_what_the_registry_says(reader: Reader) -> None:
    assert [row["model_version"] for row in training.serving(reader)] == ["pool", "of"]


def test_a_version_is_found_by_its_name_with_its_decisions_in_order(reader: Reader) -> None:
    assert training.record(reader, "of")["region"] == "ohio"
    assert [row["event"] for row in training.events_of(reader, "of")] == ["awaiting validation", "champion"]
    assert training.record(reader, "' or 1 = 1 --") == {}


def test_an_empty_lake_has_no_verdict_and_no_rows(tmp_path: Path) -> None:
    empty = Reader(Lake(str(tmp_path)))
    assert training.verdict(empty, None) is None
    assert training.decisions(empty, None) == training.retraining(empty, "ohio") == training.training_runs(empty, None) == []
    assert training.serving(empty) == training.experiments(empty) == training.trend(empty, METRICS["mape"], None) == []
