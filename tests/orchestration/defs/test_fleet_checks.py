"""Checks over all regions, and pages of one slice, on a small lake whose tables are written by hand."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from rich.console import Console

from models.evaluation.gate import Gate
from orchestration.defs.checks import (
    accuracy_judgement,
    check_results,
    drift_judgement,
    failover_judgement,
    forecasts_judgement,
    plan_judgement,
    significance_judgement,
    stale_judgement,
)
from orchestration.defs.monitoring import WITHIN_TARGET, accuracy
from orchestration.defs.scoring import FORECASTS_SANE, NO_FAILOVER, NO_STALE_MODEL, PLAN_SANE
from orchestration.project import DataSettings, GateSettings, Project
from orchestration.runtime.ranges import key_of, range_tags
from orchestration.views.board import show_accuracy
from tests.orchestration.lakes import LakeAt
from transforms.calendar import Region, Slice, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.records.data_checks import Limits

ORIGIN = Week.parse("2024-06-03")
OHIO, UTAH = Region("ohio"), Region("utah")
PROJECT = Project(provider="sample", horizons=2)


def write(lake: Lake, name: str, rows: Sequence[dict[str, Any]], block: SliceBlock | None = None) -> None:
    contract = CONTRACTS[name]
    table = pa.Table.from_pylist([{column: row.get(column) for column in contract.names} for row in rows], schema=contract.schema)
    if block is None:
        lake.overwrite(name, table)
    else:
        lake.replace(name, block, table)


def demand(region: Region, week: Week, units: int) -> dict[str, Any]:
    return {
        "region": str(region),
        "store_id": f"{region}-1",
        "product_id": "P1",
        "week": week.monday,
        "units_shipped": units,
        "units_returned": 0,
        "demand": units,
    }


def forecast(region: Region, horizon: int, size: float, **more: Any) -> dict[str, Any]:
    row = {
        "region": str(region), "store_id": f"{region}-1", "product_id": "P1", "origin_week": ORIGIN.monday, "target_week": (ORIGIN + horizon).monday, "horizon": horizon,
        "format": "large", "mover": "fast", "p_demand": 1.0, "size": size, "expected": size, "q10": size - 2, "q50": size, "q90": size + 2, "baseline": 15.0, "baseline_size": 15.0,
        "model_version": f"{region}-m", "trained_week": ORIGIN.monday, "is_stale": False, "rung": "champion", "rung_reason": "champion since then",
        "order_quantity": 12, "case_pack": 6, "service_level": 0.8, "expected_returns": 1.0, "expected_lost_sales": 1.0, "margin": 1.0, "return_cost": 0.1,
    }  # fmt: skip
    return {**row, **more}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Deliveries of two regions: four weeks up to the origin, and the two weeks after it."""
    lake = Lake(str(tmp_path))
    PROJECT.save(tmp_path)
    write(lake, "bronze/stores", [{"region": str(region), "store_id": f"{region}-1", "format": "large"} for region in (OHIO, UTAH)])
    rows = [demand(region, ORIGIN + step, 12) for region in (OHIO, UTAH) for step in range(-3, 3)]
    write(lake, "gold/demand", rows, SliceBlock((OHIO, UTAH), ORIGIN + -3, ORIGIN + 2))
    return lake


def forecasts(lake: Lake, **sizes: float) -> None:
    """Forecasts for both weeks; deliveries are 12."""
    made = [forecast(Region(region), horizon, size) for region, size in sizes.items() for horizon in (1, 2)]
    for name in ("gold/forecasts", "gold/order_plan"):
        write(lake, name, made, SliceBlock(tuple(Region(region) for region in sizes), ORIGIN, ORIGIN))


def run_accuracy(lake: Lake, *items: Slice) -> dg.ExecuteInProcessResult:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("region", [str(OHIO), str(UTAH)])
    if len(items) == 1:
        chosen: dict[str, Any] = {"partition_key": key_of(items[0])}
    else:
        regions, weeks = sorted({item.region for item in items}), sorted({item.week for item in items})
        chosen = {"tags": range_tags(SliceBlock(tuple(regions), weeks[0], weeks[-1]))}
    return dg.materialize([accuracy], resources={"lake": LakeAt(root=lake.root)}, instance=instance, **chosen)


def test_a_run_that_scored_nothing_turns_no_check_green(lake: Lake) -> None:
    result = run_accuracy(lake, Slice(OHIO, ORIGIN))
    assert result.success
    assert result.get_asset_check_evaluations() == []


def test_a_run_for_one_good_region_does_not_hide_a_bad_one(lake: Lake) -> None:
    forecasts(lake, ohio=12.5, utah=24.0)
    assert not run_accuracy(lake, Slice(UTAH, ORIGIN + 2)).get_asset_check_evaluations()[0].passed
    [evaluation] = run_accuracy(lake, Slice(OHIO, ORIGIN + 2)).get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.passed) == (WITHIN_TARGET.name, False)
    assert "utah" in str(evaluation.metadata["rows"].value)


def test_a_region_that_was_never_scored_is_named(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    [evaluation] = run_accuracy(lake, Slice(OHIO, ORIGIN + 2)).get_asset_check_evaluations()
    assert not evaluation.passed
    assert "regions without scores: utah." in str(evaluation.description)


def test_the_board_and_the_checks_hold_the_error_against_the_gate_and_weeks_of_the_project(lake: Lake) -> None:
    project = PROJECT.model_copy(update={"gate": GateSettings(max_mape=0.3)})
    forecasts(lake, ohio=16.8, utah=13.0)
    run_accuracy(lake, *(Slice(region, ORIGIN + step) for region in (OHIO, UTAH) for step in (1, 2)))
    console = Console(file=(text := io.StringIO()), width=200, force_terminal=True)
    show_accuracy(lake, project, SliceBlock((OHIO, UTAH), ORIGIN + 1, ORIGIN + 2), ORIGIN, console)
    assert "(target <= 0.300)" in text.getvalue()
    assert "\x1b[31m0.400" in text.getvalue()
    judged = [accuracy_judgement(lake, each) for each in (PROJECT, project)]
    assert [each.passed for each in judged if each is not None] == [True, False]
    assert "1 above MAPE 0.3;" in str(judged[1])


def test_the_defaults_of_the_project_are_those_of_the_gate_and_of_the_data_checks() -> None:
    assert Gate(**GateSettings().judged) == Gate()
    limits = asdict(Limits())
    assert {name: getattr(DataSettings(), name) for name in limits} == limits


def test_the_page_of_a_region_shows_its_own_segments_and_rows(lake: Lake) -> None:
    forecasts(lake, ohio=12.5, utah=13.5)
    items = [Slice(region, ORIGIN + step) for region in (OHIO, UTAH) for step in (1, 2)]
    result = run_accuracy(lake, *items)
    shown = {event.partition: event.materialization.metadata for event in result.get_asset_materialization_events()}
    assert set(shown) == {str(key_of(item)) for item in items}
    for item in items:
        metadata = shown[str(key_of(item))]
        other = UTAH if item.region == OHIO else OHIO
        assert str(other) not in str(metadata["segments"].value)
        assert metadata["dagster/partition_row_count"].value == 1
    assert shown[str(key_of(items[0]))]["mape"].value == pytest.approx(0.5 / 12, abs=1e-4)
    [evaluation] = result.get_asset_check_evaluations()
    assert evaluation.passed


def test_nothing_measured_is_no_judgement(lake: Lake) -> None:
    assert accuracy_judgement(lake, PROJECT) is None
    assert drift_judgement(lake) is None
    assert stale_judgement(lake) is None
    assert failover_judgement(lake) is None
    assert significance_judgement(lake) is None
    assert forecasts_judgement(lake, PROJECT) is None
    assert plan_judgement(lake, PROJECT) is None
    for spec in (NO_STALE_MODEL, NO_FAILOVER, FORECASTS_SANE, PLAN_SANE):
        assert [type(event) for event in check_results(spec, None)] == [dg.Output]


def test_good_forecasts_and_plans_pass(lake: Lake) -> None:
    forecasts(lake, ohio=12.5, utah=12.5)
    for judged in (stale_judgement(lake), failover_judgement(lake), forecasts_judgement(lake, PROJECT), plan_judgement(lake, PROJECT)):
        assert judged is not None
        assert judged.passed, judged


@pytest.mark.parametrize(
    ("changed", "judge", "rows"),
    [
        ({"is_stale": True}, stale_judgement, [["utah", "2024-06-03", "utah-m", "2024-06-03", 1]]),
        ({"rung": "previous", "rung_reason": "champion: broken"}, failover_judgement, [["utah", "2024-06-03", "large/fast", "previous", "champion", "champion: broken", 1]]),
        ({"q10": 40.0}, lambda lake: forecasts_judgement(lake, PROJECT), [["utah", "1 forecasts that cannot be: negative, not a number, or quantiles out of order"]]),
        ({"target_week": date(2024, 6, 10), "product_id": "P2"}, lambda lake: forecasts_judgement(lake, PROJECT), [["utah", "forecasts for 1 of 2 weeks"]]),
        ({"order_quantity": 7}, lambda lake: plan_judgement(lake, PROJECT), [["utah", "2024-06-17", 7, 12.0, 1]]),
        ({"order_quantity": 600}, lambda lake: plan_judgement(lake, PROJECT), [["utah", "2024-06-17", 600, 12.0, 0]]),
    ],
    ids=["stale", "failover", "quantiles", "missing week", "broken pack", "fifty times the deliveries"],
)  # fmt: skip
def test_what_is_wrong_in_one_region_is_found_and_named(lake: Lake, changed: dict[str, Any], judge: Any, rows: list[list[Any]]) -> None:
    forecasts(lake, ohio=12.5)
    made = [forecast(UTAH, 1, 12.5), forecast(UTAH, 2, 12.5, **changed)]
    for name in ("gold/forecasts", "gold/order_plan"):
        write(lake, name, made, SliceBlock((UTAH,), ORIGIN, ORIGIN))
    found = judge(lake)
    assert not found.passed
    assert found.rows == rows


def test_a_region_without_forecasts_at_the_newest_origin_is_named(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    found = forecasts_judgement(lake, PROJECT)
    assert found is not None
    assert found.rows == [["utah", "no forecasts at 2024-06-03, the newest are of no origin"]]


def test_a_step_that_serves_by_merit_is_no_failover_and_significance_counts_the_newest_of_each_region(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    step = {
        "region": "ohio",
        "format": "large",
        "mover": "fast",
        "rung": "champion",
        "rank": 1,
        "model_version": "m",
        "n": 9,
        "mape": 0.6,
        "is_significant": False,
        "reason": "above the limit",
    }
    write(lake, "gold/ladder", [{**step, "week": ORIGIN.monday}], SliceBlock((OHIO,), ORIGIN, ORIGIN))
    write(
        lake,
        "gold/ladder",
        [{**step, "region": "utah", "week": (ORIGIN + 1).monday, "is_significant": True}],
        SliceBlock((UTAH,), ORIGIN + 1, ORIGIN + 1),
    )
    judged = significance_judgement(lake)
    assert judged is not None
    assert judged.rows == [["ohio", "2024-06-03", "large/fast", "champion", 0.6, "above the limit"]]
    made = [forecast(UTAH, horizon, 12.5, rung="pooled", rung_reason="best on held-back weeks") for horizon in (1, 2)]
    write(lake, "gold/forecasts", made, SliceBlock((UTAH,), ORIGIN, ORIGIN))
    judged = failover_judgement(lake)
    assert judged is not None
    assert not judged.passed
    write(
        lake,
        "gold/ladder",
        [{**step, "region": "utah", "week": (ORIGIN + -1).monday, "rung": "pooled"}],
        SliceBlock((UTAH,), ORIGIN + -1, ORIGIN + -1),
    )
    judged = failover_judgement(lake)
    assert judged is not None
    assert judged.passed
