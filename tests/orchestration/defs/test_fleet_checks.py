"""Checks and pages of slices, and the board of all regions, on a small lake whose tables are written by hand."""

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
from orchestration.defs.monitoring import WITHIN_TARGET, accuracy
from orchestration.history.batches import BatchingEventLog
from orchestration.project import DataSettings, GateSettings, Project
from orchestration.reports.board import board_of
from orchestration.reports.board_page import CHECKS, board_page, drawn
from orchestration.reports.judgements import (
    Judgements,
    forecasts_are_sane,
    layers_agree,
    no_drift,
    no_failover,
    no_stale_model,
    plan_is_sane,
    significant,
    within_target,
)
from orchestration.reports.model_pages import live_pages
from orchestration.reports.slices import forecast_pages, plan_pages
from orchestration.runtime.instance import open_instance
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


def run_accuracy(lake: Lake, *items: Slice, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
    instance = instance or dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("region", [str(OHIO), str(UTAH)])
    if len(items) == 1:
        chosen: dict[str, Any] = {"partition_key": key_of(items[0])}
    else:
        regions, weeks = sorted({item.region for item in items}), sorted({item.week for item in items})
        chosen = {"tags": range_tags(SliceBlock(tuple(regions), weeks[0], weeks[-1]))}
    return dg.materialize([accuracy], resources={"lake": LakeAt(root=lake.root)}, instance=instance, **chosen)


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str | None, bool]:
    return {evaluation.partition: evaluation.passed for evaluation in result.get_asset_check_evaluations()}


def on_board(instance: dg.DagsterInstance) -> dict[str | None, str]:
    """Slices of `mape_within_target` as its page shows them: what was found of what stands there now."""
    found = instance.event_log_storage.get_asset_check_partition_info([WITHIN_TARGET.key])
    return {
        one.partition_key: one.latest_execution_status.value if one.is_current or one.latest_execution_status.value == "PLANNED" else "cleared"
        for one in found
    }


def passed(judgements: Judgements) -> dict[str, bool]:
    return {str(item.region): judgement.passed for item, judgement in judgements.items()}


BOTH = [Slice(OHIO, ORIGIN), Slice(UTAH, ORIGIN)]


def test_before_anything_was_forecast_no_check_is_green_or_red(lake: Lake) -> None:
    result = run_accuracy(lake, Slice(OHIO, ORIGIN))
    assert result.success
    assert verdicts(result) == {}


def test_each_slice_has_its_own_verdict_that_runs_of_others_leave_alone(lake: Lake, history: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    forecasts(lake, ohio=12.5, utah=24.0)
    with open_instance(lake.path(), local=False) as instance:
        assert isinstance(instance.event_log_storage, BatchingEventLog)
        result = run_accuracy(lake, *(Slice(region, ORIGIN + step) for region in (OHIO, UTAH) for step in (0, 1, 2)), instance=instance)
        judged = {str(key_of(Slice(region, ORIGIN + step))): region == OHIO for region in (OHIO, UTAH) for step in (1, 2)}
        assert verdicts(result) == judged
        # Nothing could have been forecast for the origin itself: planned, and never evaluated.
        board = {key: "SUCCEEDED" if good else "FAILED" for key, good in judged.items()}
        assert on_board(instance) == board | {f"{region}|{ORIGIN}": "PLANNED" for region in (OHIO, UTAH)}, history
        run_accuracy(lake, Slice(OHIO, ORIGIN + 2), instance=instance)
        assert on_board(instance) == board | {f"{region}|{ORIGIN}": "PLANNED" for region in (OHIO, UTAH)}
        [newest] = instance.event_log_storage.get_asset_check_execution_history(WITHIN_TARGET.key, limit=1)
        assert newest.partition == f"ohio|{ORIGIN + 2}"
        assert newest.event is not None
        # What was planned and then evaluated is one row, not two.
        count = len(instance.event_log_storage.get_asset_check_execution_history(WITHIN_TARGET.key, limit=100))
        assert count == 7


def test_a_run_over_very_many_slices_plans_none_of_them_and_evaluates_all_the_same(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHELFCAST_DAGSTER_DATABASE", raising=False)
    monkeypatch.setattr("orchestration.history.batches._MOST_PLANNED", 5)
    forecasts(lake, ohio=12.5)
    with open_instance(lake.path(), local=False) as instance:
        run_accuracy(lake, *(Slice(region, ORIGIN + step) for region in (OHIO, UTAH) for step in (0, 1, 2)), instance=instance)
        assert on_board(instance) == {f"{region}|{ORIGIN + step}": end for region, end in ((OHIO, "SUCCEEDED"), (UTAH, "FAILED")) for step in (1, 2)}


def test_what_is_written_anew_is_off_the_board_until_it_is_judged(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    instance, item = dg.DagsterInstance.ephemeral(), Slice(OHIO, ORIGIN + 1)
    run_accuracy(lake, item, instance=instance)
    assert on_board(instance) == {str(key_of(item)): "SUCCEEDED"}
    instance.report_runless_asset_event(dg.AssetMaterialization(WITHIN_TARGET.asset_key, partition=str(key_of(item))))
    assert on_board(instance) == {str(key_of(item)): "cleared"}


def test_deliveries_that_nobody_had_forecast_are_red(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    result = run_accuracy(lake, *(Slice(region, ORIGIN + 2) for region in (OHIO, UTAH)))
    assert verdicts(result) == {f"ohio|{ORIGIN + 2}": True, f"utah|{ORIGIN + 2}": False}
    told = {evaluation.partition: evaluation.description for evaluation in result.get_asset_check_evaluations()}
    assert told[f"utah|{ORIGIN + 2}"] == "Nothing was scored: no forecast had been made for deliveries of this week."
    # A week that has not been delivered has no truth to be held against.
    assert verdicts(run_accuracy(lake, Slice(UTAH, ORIGIN + 3))) == {}


def test_the_board_and_the_checks_hold_the_error_against_the_gate_and_weeks_of_the_project(lake: Lake) -> None:
    project = PROJECT.model_copy(update={"gate": GateSettings(max_mape=0.3)})
    forecasts(lake, ohio=16.8, utah=13.0)
    run_accuracy(lake, *(Slice(region, ORIGIN + step) for region in (OHIO, UTAH) for step in (1, 2)))
    console = Console(file=(text := io.StringIO()), width=200, force_terminal=True)
    show_accuracy(lake, project, SliceBlock((OHIO, UTAH), ORIGIN + 1, ORIGIN + 2), ORIGIN, console)
    assert "(target <= 0.300)" in text.getvalue()
    assert "\x1b[31m0.400" in text.getvalue()
    items = [Slice(region, ORIGIN + 1) for region in (OHIO, UTAH)]
    assert passed(within_target(lake, PROJECT, items)) == {"ohio": True, "utah": True}
    judged = within_target(lake, project, items)
    assert passed(judged) == {"ohio": False, "utah": True}
    assert judged[items[0]].summary == "1 segments scored, 1 above MAPE 0.3."


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
    assert set(verdicts(result).values()) == {True}


ORIGIN_CHECKS = {
    "no_stale_model": no_stale_model,
    "no_failover": no_failover,
    "forecasts_are_sane": lambda lake, items: forecasts_are_sane(lake, PROJECT, items),
    "plan_is_sane": lambda lake, items: plan_is_sane(lake, PROJECT, items),
}


def test_an_origin_at_which_nothing_was_forecast_is_red_where_the_region_had_deliveries_by_then(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    early = Slice(UTAH, ORIGIN + -9)
    for judge in ORIGIN_CHECKS.values():
        judged = judge(lake, [*BOTH, early])
        assert passed({item: judgement for item, judgement in judged.items() if item != early}) == {"ohio": True, "utah": False}
        assert early not in judged


def test_what_could_not_be_measured_is_no_judgement(lake: Lake) -> None:
    assert within_target(lake, PROJECT, BOTH) == {}
    assert no_drift(lake, BOTH) == {}
    assert significant(lake, BOTH) == {}


@pytest.mark.parametrize(
    ("changed", "judge", "rows"),
    [
        ({"is_stale": True}, "no_stale_model", [["utah-m", "2024-06-03", 1]]),
        ({"rung": "previous", "rung_reason": "champion: broken"}, "no_failover", [["large/fast", "previous", "champion", "champion: broken", 1]]),
        ({"q10": 40.0}, "forecasts_are_sane", [["1 forecasts that cannot be: negative, not a number, or quantiles out of order"]]),
        ({"target_week": date(2024, 6, 10), "product_id": "P2"}, "forecasts_are_sane", [["forecasts for 1 of 2 weeks"]]),
        ({"order_quantity": 7}, "plan_is_sane", [["2024-06-17", 7, 12.0, 1]]),
        ({"order_quantity": 600}, "plan_is_sane", [["2024-06-17", 600, 12.0, 0]]),
    ],
    ids=["stale", "failover", "quantiles", "missing week", "broken pack", "fifty times the deliveries"],
)  # fmt: skip
def test_what_is_wrong_in_one_region_is_found_there_and_nowhere_else(lake: Lake, changed: dict[str, Any], judge: str, rows: list[list[Any]]) -> None:
    forecasts(lake, ohio=12.5)
    made = [forecast(UTAH, 1, 12.5), forecast(UTAH, 2, 12.5, **changed)]
    for name in ("gold/forecasts", "gold/order_plan"):
        write(lake, name, made, SliceBlock((UTAH,), ORIGIN, ORIGIN))
    found = ORIGIN_CHECKS[judge](lake, BOTH)
    assert passed(found) == {"ohio": True, "utah": False}
    assert found[BOTH[1]].rows == rows


def test_gold_that_holds_other_deliveries_than_silver_is_red_in_its_slice(lake: Lake) -> None:
    rows = [demand(region, ORIGIN, units) for region, units in ((OHIO, 12), (UTAH, 18))]
    write(lake, "silver/shipments", rows, SliceBlock((OHIO, UTAH), ORIGIN, ORIGIN))
    judged = layers_agree(lake, [*BOTH, Slice(OHIO, ORIGIN + -20)])
    assert [judgement.passed for judgement in judged.values()] == [True, False, True]
    assert judged[BOTH[1]].rows == [["silver", 1, 18], ["gold", 1, 12]]


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
    judged = significant(lake, [*BOTH, Slice(UTAH, ORIGIN + 1)])
    assert judged[BOTH[0]].rows == [["large/fast", "champion", 0.6, "above the limit"]]
    assert {str(item): judgement.passed for item, judgement in judged.items()} == {f"ohio|{ORIGIN}": False, f"utah|{ORIGIN + 1}": True}
    made = [forecast(UTAH, horizon, 12.5, rung="pooled", rung_reason="best on held-back weeks") for horizon in (1, 2)]
    write(lake, "gold/forecasts", made, SliceBlock((UTAH,), ORIGIN, ORIGIN))
    assert passed(no_failover(lake, BOTH)) == {"ohio": True, "utah": False}
    write(
        lake,
        "gold/ladder",
        [{**step, "region": "utah", "week": (ORIGIN + -1).monday, "rung": "pooled"}],
        SliceBlock((UTAH,), ORIGIN + -1, ORIGIN + -1),
    )
    assert passed(no_failover(lake, BOTH)) == {"ohio": True, "utah": True}


def test_the_page_of_a_plan_says_what_to_load_and_what_it_may_cost(lake: Lake) -> None:
    rows = [forecast(OHIO, 1, 12.0, product_id=f"P{number:02}", order_quantity=6 * number, service_level=0.1 * (number % 3)) for number in range(12)]
    write(lake, "gold/order_plan", [*rows, forecast(OHIO, 2, 12.0)], SliceBlock((OHIO,), ORIGIN, ORIGIN))
    shown = plan_pages(lake, BOTH)(BOTH[0])
    ordered = [row for row in rows if row["order_quantity"]]
    assert {name: shown[name] for name in ("units", "cases", "expected_returns", "expected_lost_sales")} == {
        "units": sum(row["order_quantity"] for row in rows), "cases": sum(range(12)), "expected_returns": 12.0, "expected_lost_sales": 12.0,
    }  # fmt: skip
    assert shown["service_level"] == pytest.approx(sum(row["service_level"] for row in ordered) / len(ordered), abs=1e-4)
    assert shown["cost_usd"] == pytest.approx(12 * 1.0 + 12 * 0.1)
    largest = str(shown["largest_orders"].value).splitlines()[2:]
    assert [line.split(" | ")[1] for line in largest] == [f"P{number:02}" for number in range(11, 3, -1)]
    assert len(str(shown["largest_orders"].value)) < 1000
    assert shown["workbook"].value == f"/pages/orders/workbook?region=ohio&week={ORIGIN + 1}"
    assert plan_pages(lake, BOTH)(BOTH[1]) == {}


def test_the_page_of_forecasts_tells_rungs_stale_models_and_last_year(lake: Lake) -> None:
    made = [forecast(OHIO, 1, 12.0), forecast(OHIO, 2, 9.0, rung="baseline", is_stale=True)]
    write(lake, "gold/forecasts", made, SliceBlock((OHIO,), ORIGIN, ORIGIN))
    write(lake, "gold/demand", [demand(OHIO, ORIGIN + -51, 10)], SliceBlock((OHIO,), ORIGIN + -51, ORIGIN + -51))
    before = forecast_pages(lake, BOTH)(BOTH[0])
    assert (before["expected_units"], before["change_on_last_year"], before["stale_share"]) == (12.0, 0.2, 0.5)
    assert [line.split(" | ")[0] for line in str(before["rungs"].value).splitlines()[2:]] == ["| champion", "| baseline"] or "baseline" in str(
        before["rungs"].value
    )
    assert "mape" not in before
    run_accuracy(lake, *(Slice(OHIO, ORIGIN + step) for step in (1, 2)))
    after = forecast_pages(lake, BOTH)(BOTH[0])
    assert after["mape"] == pytest.approx((0 / 12 + 3 / 12) / 2)
    live = live_pages(lake, [Slice(OHIO, ORIGIN + 2)], 0.45)(Slice(OHIO, ORIGIN + 2))
    assert live["live_mape"] == 0.25
    assert live["live_accuracy"].value.startswith("![MAPE of live forecasts, ohio](data:image/svg+xml;base64,")


def test_pages_of_many_slices_take_no_more_queries_than_those_of_one(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, connect = [], Lake.connect

    def counting(self: Lake, *tables: str) -> Any:
        opened.append(tables)
        return connect(self, *tables)

    monkeypatch.setattr(Lake, "connect", counting)
    many = [Slice(region, ORIGIN + -back) for region in (OHIO, UTAH) for back in range(52)]
    counts = []
    for items in (BOTH[:1], many):
        opened.clear()
        for pages in (plan_pages(lake, items), forecast_pages(lake, items), live_pages(lake, items, 0.45)):
            assert [pages(item) for item in items]
        counts.append(len(opened))
    assert counts[0] == counts[1]


def test_the_board_names_who_is_behind_red_or_waits_and_leads_to_it(lake: Lake) -> None:
    forecasts(lake, ohio=12.5)
    newest = [demand(region, ORIGIN + 2, 12) for region in (OHIO, UTAH)]
    write(lake, "silver/shipments", newest, SliceBlock((OHIO, UTAH), ORIGIN + 2, ORIGIN + 2))
    run_accuracy(lake, *(Slice(region, ORIGIN + step) for region in (OHIO, UTAH) for step in (1, 2)))
    board = board_of(lake, PROJECT)
    assert board.summary == f"Week of {ORIGIN + 2}: 0 of 2 regions are forecast, 1 region has red checks, 0 drifted, 0 wait for a person."
    assert {str(one.region): one.red for one in board.standings} == {"ohio": [], "utah": ["mape_within_target"]}
    shown = board_page(board)
    assert f"last at {ORIGIN}" in shown["Ohio"].value
    assert f"/assets/gold/order_plan?partition=ohio%7C{ORIGIN}&view=partitions" in shown["Ohio"].value
    assert "**not forecast**" in shown["Utah"].value
    assert shown["regions_behind"] == 2
    assert drawn(board).count("<rect") == 1 + 2 * len(CHECKS)
    assert all(len(value.value) < 1000 for name, value in shown.items() if name in {"Ohio", "Utah"})
