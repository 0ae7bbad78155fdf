"""Savings with their intervals, and the files that planners get."""

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import POLICIES
from transforms.errors import MissingData
from transforms.exports.store_plans import store_plans
from transforms.exports.workbook import write_csv, write_workbook
from transforms.lake.tables import Lake
from transforms.monitoring.savings import savings

WEEK, ORIGIN = Week.parse("2024-06-10"), Week.parse("2024-05-27")
REGIONS = (Region("ohio"), Region("utah"))


def write(lake: Lake, name: str, block: SliceBlock | None, rows: list[dict[str, object]]) -> None:
    contract = CONTRACTS[name]
    table = pa.Table.from_pylist([{column: row.get(column) for column in contract.names} for row in rows], schema=contract.schema)
    if block is None:
        lake.overwrite(name, table)
    else:
        lake.replace(name, block, table)


def value_rows(costs: dict[str, list[float]], region: str) -> list[dict[str, object]]:
    return [
        {"region": region, "store_id": f"S{store}", "week": WEEK.monday, "horizon": horizon, "policy": policy, "n": 1, "demand": 10,
         "units_shipped": 10, "units_left": 0, "units_missed": 0, "cost_left": cost / 4, "cost_missed": cost / 4}
        for policy in POLICIES for store, cost in enumerate(costs[policy]) for horizon in (1, 2)
    ]  # fmt: skip


def test_savings_lie_in_the_interval_that_a_loop_over_resampled_stores_gives(tmp_path: Path) -> None:
    rng, lake = np.random.default_rng(3), Lake(str(tmp_path))
    costs = {policy: list(rng.uniform(1, 3, 30) * factor) for policy, factor in zip(POLICIES, (1, 1.2, 2), strict=True)}
    write(lake, "gold/plan_value", SliceBlock(REGIONS[:1], WEEK, WEEK), value_rows(costs, "ohio"))
    found = savings(lake, WEEK, WEEK)
    assert [row.region for row in found] == ["ohio"]
    plan, rival = np.array(costs["order_plan"]), np.array(costs["historical_average"])
    drawn = [1 - plan[rows].sum() / rival[rows].sum() for rows in (rng.integers(0, 30, 30) for _ in range(4000))]
    saved = found[0].saved["historical_average"]
    assert saved.value == pytest.approx(1 - plan.sum() / rival.sum())
    assert (saved.low, saved.high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.01)
    usd = [rival[rows].sum() - plan[rows].sum() for rows in (rng.integers(0, 30, 30) for _ in range(4000))]
    amount = found[0].saved_usd["historical_average"]
    assert amount.value == pytest.approx(rival.sum() - plan.sum())
    assert (amount.low, amount.high) == pytest.approx(np.quantile(usd, (0.1, 0.9)), rel=0.02)
    assert found == savings(lake, WEEK, WEEK)


def test_stores_that_all_save_the_same_leave_no_doubt_and_regions_add_up(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    same = {policy: [factor] * 5 for policy, factor in zip(POLICIES, (1.0, 1.25, 2.0), strict=True)}
    write(lake, "gold/plan_value", SliceBlock(REGIONS, WEEK, WEEK), [*value_rows(same, "ohio"), *value_rows(same, "utah")])
    found = savings(lake, WEEK, WEEK)
    assert [(row.region, row.stores, row.cost["order_plan"]) for row in found] == [("ohio", 5, 5.0), ("utah", 5, 5.0), ("all", 10, 10.0)]
    for row in found:
        assert str(row.saved["historical_average"]) == "50.0% [50.0%, 50.0%]"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("plans")))
    products = [("P1", "=1+1", 6), ("P2", "Chips", 12), ("P3", "Dip", 4)]
    rows = [
        {"region": "ohio", "store_id": store, "product_id": product, "origin_week": origin.monday, "target_week": WEEK.monday,
         "horizon": WEEK - origin, "order_quantity": pack * packs * (2 if origin == ORIGIN else 1), "service_level": 0.876,
         "expected_returns": 1.25, "expected_lost_sales": 0.5, "case_pack": pack, "margin": 1.0, "return_cost": 0.2, "expected": 9.5,
         "q10": 0.0, "q90": 24.0, "format": "large", "mover": "fast", "p_demand": 1.0, "size": 9.0, "q50": 9.0, "baseline": 8.0,
         "baseline_size": 8.0, "model_version": "m", "trained_week": origin.monday, "is_stale": False, "rung": "champion"}
        for origin in (ORIGIN, ORIGIN + -1)
        for store in ("A/1", "B2")
        for (product, _, pack), packs in zip(products, (2, 1, 0), strict=True)
    ]  # fmt: skip
    block = SliceBlock(REGIONS[:1], ORIGIN + -1, ORIGIN)
    write(lake, "gold/order_plan", block, rows)
    write(lake, "gold/forecasts", block, rows)
    write(lake, "silver/stores", None, [{"store_id": "A/1", "region": "ohio", "name": "Main St", "format": "large"}])
    old = {"product_id": "P2", "name": "Old name", "case_pack": 12, "valid_from": date(2020, 1, 1)}
    new = [{"product_id": i, "name": name, "category": "snacks", "case_pack": pack, "valid_from": date(2023, 1, 1)} for i, name, pack in products]
    write(lake, "silver/products", None, [old, *new])
    return lake


def test_the_newest_plan_is_written_with_what_to_load_first(lake: Lake, tmp_path: Path) -> None:
    files = write_csv(store_plans(lake, Region("ohio"), WEEK, 4), tmp_path)
    assert [file.name for file in files] == ["A_1.csv", "B2.csv"]
    rows = pyarrow.csv.read_csv(files[0]).to_pylist()
    assert [(row["product_name"], row["packs"], row["case_pack"], row["units"]) for row in rows] == [
        ("'=1+1", 4, 6, 24),
        ("Chips", 2, 12, 24),
        ("Dip", 0, 4, 0),
    ]
    assert (rows[0]["store_name"], rows[0]["service_level"], rows[0]["q90"]) == ("Main St", 0.88, 24)


def test_a_workbook_has_an_overview_and_a_sheet_for_each_store_that_prints_well(lake: Lake, tmp_path: Path) -> None:
    target = tmp_path / "plan.xlsx"
    write_workbook(list(store_plans(lake, Region("ohio"), WEEK, 4)), target)
    book = openpyxl.load_workbook(target)
    assert book.sheetnames == ["Overview", "A_1", "B2", "As downloaded"]
    sheet = book["A_1"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows[0][0] == "Store A/1: Main St"
    assert "2024-06-10" in rows[1][0]
    assert rows[2][0] == "Carried with nothing to load: 1 products (expected demand 9.5 units)."
    assert rows[5][:7] == ["P1", "=1+1", "snacks", 4, 6, "=D6*E6", 9.5]
    assert (rows[4][12], rows[5][12]) == ("Forecast made by", "champion")
    assert rows[7][0] == "Total"
    assert (rows[7][3], rows[7][5]) == ("=SUM(D6:D7)", "=SUM(F6:F7)")
    # A product's name that looks like a formula stays a text.
    assert (sheet["B6"].data_type, sheet["F6"].data_type) == ("s", "f")
    assert (sheet["J6"].number_format, sheet["L6"].number_format) == ("0 %", "#,##0.0")
    assert (sheet.freeze_panes, sheet.print_title_rows) == ("C6", "$5:$5")
    assert (sheet.page_setup.orientation, sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight) == ("landscape", True, 0)
    assert sheet.row_dimensions[5].height == 45
    overview = book["Overview"]
    assert [cell.value for cell in overview[6]] == ["A/1", "Main St", "='A_1'!D8", "='A_1'!F8", "='A_1'!G8", "='A_1'!K8", "='A_1'!L8"]
    assert overview["A6"].hyperlink.location == "'A_1'!A1"
    assert [cell.value for cell in overview[8]][:3] == ["Total", None, "=SUM(C6:C7)"]


def test_a_viewer_that_does_not_calculate_shows_units_and_totals(lake: Lake, tmp_path: Path) -> None:
    target = tmp_path / "plan.xlsx"
    plans = list(store_plans(lake, Region("ohio"), WEEK, 4))
    write_workbook(plans, target)
    shown = openpyxl.load_workbook(target, data_only=True)
    reckoned = openpyxl.load_workbook(target)
    blank = [
        f"{sheet.title}!{cell.coordinate}"
        for sheet in reckoned
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f" and shown[sheet.title][cell.coordinate].value is None
    ]
    assert blank == []
    assert [shown["A_1"][cell].value for cell in ("F6", "F7", "D8", "F8", "G8")] == [24, 24, 6, 48, 19]
    assert [cell.value for cell in shown["Overview"][6]] == ["A/1", "Main St", 6, 48, 19, 2.5, 1]
    assert [cell.value for cell in shown["Overview"][8]] == ["Total", None, 12, 96, 38, 5, 2]


def test_a_store_with_nothing_to_load_has_totals_of_zero(lake: Lake, tmp_path: Path) -> None:
    [plan] = store_plans(lake, Region("ohio"), WEEK, 4, "B2")
    idle = replace(plan, rows=plan.rows.filter(pc.equal(plan.rows["packs"], 0)))
    write_workbook([idle], tmp_path / "plan.xlsx")
    shown = openpyxl.load_workbook(tmp_path / "plan.xlsx", data_only=True)
    assert [cell.value for cell in shown["B2"][6]][:6] == ["Total", None, None, 0, None, 0]
    assert [cell.value for cell in shown["Overview"][6]][:4] == ["B2", None, 0, 0]


def test_what_has_ended_has_no_line_and_a_closed_store_no_sheet(lake: Lake, tmp_path: Path) -> None:
    copied = Lake(str(shutil.copytree(lake.root, tmp_path / "lake")))
    rows = lake.read("gold/forecasts").to_pylist()
    for row in rows:
        row["ended"] = (
            "store closed on 2024-06-03" if row["store_id"] == "B2" else "product delisted on 2024-06-03" if row["product_id"] == "P1" else None
        )
    write(copied, "gold/forecasts", SliceBlock(REGIONS[:1], ORIGIN + -1, ORIGIN), rows)
    plans = list(store_plans(copied, Region("ohio"), WEEK, 4))
    assert [(plan.store_id, plan.rows["product_id"].to_pylist()) for plan in plans] == [("A/1", ["P2", "P3"])]
    with pytest.raises(MissingData, match=r"ohio: store B2 is not in the plan .* nothing is planned for it: store closed on 2024-06-03\."):
        list(store_plans(copied, Region("ohio"), WEEK, 4, "B2"))


def test_what_somebody_wants_loaded_of_an_ended_product_is_on_the_sheet(lake: Lake, tmp_path: Path) -> None:
    """The page and the table had these units, print and workbook had not."""
    copied = Lake(str(shutil.copytree(lake.root, tmp_path / "lake")))
    ended = [{**row, "ended": "product delisted on 2024-06-03"} for row in lake.read("gold/forecasts").to_pylist()]
    write(copied, "gold/forecasts", SliceBlock(REGIONS[:1], ORIGIN + -1, ORIGIN), ended)
    [line, *_] = [row for row in lake.read("gold/order_plan", "origin_week = date '2024-05-27'").to_pylist() if row["store_id"] == "A/1"]
    final = {**line, "planned_quantity": line["order_quantity"], "order_quantity": line["order_quantity"] + 2 * line["case_pack"], "edited": True}
    write(copied, "gold/order_plan_final", SliceBlock(REGIONS[:1], ORIGIN + -1, ORIGIN), [final])
    [plan] = store_plans(copied, Region("ohio"), WEEK, 4)
    assert plan.rows.select(["product_id", "units"]).to_pylist() == [{"product_id": line["product_id"], "units": final["order_quantity"]}]


def test_a_store_whose_letters_count_double_has_its_sheet(lake: Lake, tmp_path: Path) -> None:
    [plan] = store_plans(lake, Region("ohio"), WEEK, 4, "B2")
    names = ["\U0001f35e" * 20 + end for end in "ab"]
    write_workbook([replace(plan, store_id=name) for name in names], tmp_path / "plan.xlsx")
    sheets = openpyxl.load_workbook(tmp_path / "plan.xlsx").sheetnames
    assert sheets[1:3] == ["\U0001f35e" * 15, "\U0001f35e" * 13 + " (2)"]


def test_what_is_not_planned_is_said_with_what_to_do(lake: Lake) -> None:
    with pytest.raises(
        MissingData, match=r"ohio has no plan for the week 2024-06-17: there are plans for 2024-06-10 to 2024-06-10. Run 'shelfcast run"
    ):
        list(store_plans(lake, Region("ohio"), WEEK + 1, 4))
    with pytest.raises(MissingData, match=r"ohio: store C3 is not in the plan for 2024-06-10 \(made at 2024-05-27\)"):
        list(store_plans(lake, Region("ohio"), WEEK, 4, "C3"))


@pytest.mark.parametrize(("horizons", "first"), [(1, "2024-06-10"), (2, "2024-06-03"), (13, "2024-03-18")])
def test_a_week_without_a_plan_names_the_origins_that_reach_it_with_the_lakes_own_horizons(lake: Lake, horizons: int, first: str) -> None:
    with pytest.raises(MissingData, match=rf"Run 'shelfcast run --week' with an origin from {first} to 2024-06-10\."):
        list(store_plans(lake, Region("ohio"), WEEK + 1, horizons))
