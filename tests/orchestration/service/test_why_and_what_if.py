"""Asking the models about a plan that stands in a lake: against what is on record, and without a trace."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.serving.levers import Levers
from orchestration.service.what_if import WhatIf, what_if
from orchestration.service.why import why
from transforms.calendar import Week
from transforms.contracts import CONTRACTS
from transforms.contracts.gold import CONTRIBUTIONS, FORECASTS, ORDER_PLAN
from transforms.errors import ConfigurationError, MissingData
from transforms.features.feature import GROUPS
from transforms.lake.tables import Lake

ORIGIN = Week.parse("2023-07-10")
REGION = "north_texas"
ALL = Levers(promotion=True, discount=0.1, degrees=5.0, no_returns=True, service_level=0.95)


@pytest.fixture(scope="module")
def lake(small_lake: Path) -> Lake:
    return Lake(str(small_lake), {})


def trace(lake: Lake) -> tuple[dict[str, int], set[tuple[str, int, int]]]:
    """Versions of all tables, and every file with its size and time."""
    root = Path(lake.root)
    files = {(str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}
    return lake.versions(CONTRACTS), files


def total(found: WhatIf, name: str) -> float:
    return sum(row[name] for row in found.lines)


def test_pages_that_ask_load_neither_dagster_nor_libraries_that_learn() -> None:
    code = (
        "import importlib, pkgutil, sys, orchestration.service as room\n"
        "for module in pkgutil.iter_modules(room.__path__): importlib.import_module(f'orchestration.service.{module.name}')\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'dagster', 'dagster_shared', 'torch', 'sklearn', 'evidently', 'mlflow'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"


def test_a_forecast_is_explained_as_it_was_kept(lake: Lake) -> None:
    kept = lake.read(CONTRIBUTIONS.name).to_pylist()[0]
    found = why(lake, REGION, kept["store_id"], kept["product_id"], Week(kept["origin_week"]), Week(kept["target_week"]))
    assert found.forecast["expected"] == found.parts["expected"] == kept["expected"]
    assert found.parts["reference"] + sum(found.parts[group] for group in GROUPS) == pytest.approx(kept["expected"], abs=1e-9)
    assert [found.parts[group] for group in GROUPS] == pytest.approx([kept[group] for group in GROUPS], abs=1e-2)


def test_what_was_not_forecast_cannot_be_explained(lake: Lake) -> None:
    with pytest.raises(
        MissingData, match=r"There is no forecast for S9 P9 made at 2023-07-10 for 2023-07-17, but [0-9]+ others of that region and week"
    ):
        why(lake, REGION, "S9", "P9", ORIGIN, ORIGIN + 1)
    with pytest.raises(ConfigurationError, match="Region nowhere has no stores in the lake"):
        why(lake, "nowhere", "S9", "P9", ORIGIN, ORIGIN + 1)


def test_with_nothing_otherwise_the_answer_is_the_plan_on_record(lake: Lake) -> None:
    found = what_if(lake, REGION, ORIGIN, ORIGIN + 1, Levers())
    where = f"origin_week = date '{ORIGIN}' and target_week = date '{ORIGIN + 1}'"
    planned = {(row["store_id"], row["product_id"]): row for row in lake.read(ORDER_PLAN.name, where=where).to_pylist()}
    expected = {(row["store_id"], row["product_id"]): row["expected"] for row in lake.read(FORECASTS.name, where=where).to_pylist()}
    assert {(row["store_id"], row["product_id"]) for row in found.lines} == set(planned)
    for row in found.lines:
        plan = planned[row["store_id"], row["product_id"]]
        assert row["before_order"] == row["after_order"] == plan["order_quantity"]
        assert row["before_returns"] == row["after_returns"] == pytest.approx(plan["expected_returns"], rel=1e-4, abs=1e-4)
        assert row["before_expected"] == row["after_expected"] == pytest.approx(expected[row["store_id"], row["product_id"]], rel=1e-3, abs=1e-3)
    assert not found.pulled
    assert set(found.members.values()) == {0.0}


def test_a_promotion_is_asked_for_the_chosen_products_of_the_chosen_store_alone(lake: Lake) -> None:
    everything = what_if(lake, REGION, ORIGIN, ORIGIN + 1, Levers(promotion=True)).lines
    most = max(everything, key=lambda row: row["after_expected"] - row["before_expected"])
    assert most["after_expected"] > 1.1 * most["before_expected"]
    [alone] = what_if(lake, REGION, ORIGIN, ORIGIN + 1, Levers(promotion=True), most["store_id"], [most["product_id"]]).lines
    assert (alone["store_id"], alone["product_id"]) == (most["store_id"], most["product_id"])
    assert alone["after_expected"] == pytest.approx(most["after_expected"], rel=1e-4)
    with pytest.raises(MissingData, match="There is no forecast of north_texas made at 2023-07-10 for 2023-07-17 of what was chosen"):
        what_if(lake, REGION, ORIGIN, ORIGIN + 1, Levers(), "S9")


def test_a_discount_counts_in_money_and_not_in_units(lake: Lake) -> None:
    full, cut = (what_if(lake, REGION, ORIGIN, ORIGIN + 1, Levers(promotion=True, discount=discount)) for discount in (0.0, 0.1))
    assert total(cut, "after_expected") == total(full, "after_expected")
    assert total(cut, "after_usd") < total(full, "after_usd")
    assert "not how deep it cuts" in cut.notes[0]
    assert full.notes == []


def test_another_service_level_moves_orders_and_not_demand(lake: Lake) -> None:
    found = what_if(lake, REGION, ORIGIN, ORIGIN + 1, Levers(service_level=0.98))
    assert total(found, "after_expected") == total(found, "before_expected")
    assert total(found, "after_order") > total(found, "before_order")
    assert total(found, "after_lost_sales") < total(found, "before_lost_sales")
    # The plan is the one that costs least, by the same costs.
    assert total(found, "after_usd") < total(found, "before_usd")


def test_asking_leaves_no_trace_in_the_lake(lake: Lake) -> None:
    row = lake.read(FORECASTS.name, where=f"target_week = date '{ORIGIN + 1}'").to_pylist()[0]
    before = trace(lake)
    why(lake, REGION, row["store_id"], row["product_id"], ORIGIN, ORIGIN + 1)
    assert what_if(lake, REGION, ORIGIN, ORIGIN + 1, ALL).pulled
    assert trace(lake) == before
