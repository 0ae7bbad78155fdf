"""Checks of provider files: a rehearsal of taking a folder in."""

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from transforms.adapters import load_provider
from transforms.drafting import Check, check
from transforms.drafting.comparison import gaps, jumps

MONDAY = date(2024, 1, 1)


def checked(shop: Path) -> Check:
    return check(load_provider(str(shop / "corner_shop.yaml")), shop, lambda _: None)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_every_file_is_told_with_its_counts_and_first_rows(shop: Path) -> None:
    found = checked(shop)
    assert found.passes
    shipments = [file for file in found.files if file.source == "shipments"]
    assert [(file.name, file.records, file.aside, file.taken) for file in shipments] == [
        ("shipments/2022-05-02.csv", 4, 1, 3),
        ("shipments/2022-05-09.csv", 3, 1, 2),
    ]
    assert found.first_rows["stores"][0].items() >= {"store_id": "1", "region": "north_texas", "format": "large"}.items()
    assert found.unmatched == ()


def test_a_check_writes_nothing_where_it_looks_nor_beside(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = state(tmp_path)
    done = CliRunner().invoke(app, ["provider", "check", str(shop / "corner_shop.yaml"), "--landing", str(shop)])
    assert done.exit_code == 0, done.output
    assert state(tmp_path) == before


def test_a_file_that_would_be_refused_ends_the_command_with_an_error(shop: Path) -> None:
    (shop / "shipments" / "2022-05-09.csv").write_text("id,sku,week,pieces\n1,A,2022-05-09,18\n")
    done = CliRunner().invoke(app, ["provider", "check", str(shop / "corner_shop.yaml"), "--landing", str(shop)])
    assert done.exit_code == 1
    assert "refused shipments: shipments/2022-05-09.csv, row 1 (header): columns ['units'] are missing" in done.output
    assert "Not everything would be taken in." in done.output


def test_a_folder_without_a_needed_source_ends_the_command_with_an_error(shop: Path) -> None:
    for path in (shop / "shipments").iterdir():
        path.unlink()
    found = checked(shop)
    assert found.absent == {"shipments": "shipments/*.csv"}
    assert not found.passes


def test_facts_that_no_store_is_known_for_are_told_as_not_looked_at(shop: Path) -> None:
    (shop / "stores.csv").unlink()
    found = checked(shop)
    assert {file.status for file in found.files if file.source == "shipments"} == {"not looked at"}
    assert not found.passes


def test_rows_in_quarantine_are_told_by_rule_with_examples(shop: Path) -> None:
    (shop / "shipments" / "2022-05-09.csv").write_text(
        "id,sku,week,units\n1,A,2022-05-09,18\n3,B,2022-05-09,-4\n9,B,2022-05-09,4\n1,B,2022-05-09,4\n2,B,2022-05-09,4\n"
    )
    rules = {rule.rule: rule for rule in checked(shop).rules}
    assert rules["store_id: a store of the stores source"].examples[0].startswith("shipments/2022-05-09.csv, row 3, column store_id")
    assert rules["units_shipped: a quantity of 0 or more"].rows == 1


def test_columns_that_nobody_reads_and_files_that_no_pattern_finds_are_told(shop: Path) -> None:
    (shop / "products.csv").write_text("sku,pack,price,colour\nA,6,2.50,red\nB,12,1.00,blue\n")
    (shop / "extra.txt").write_text("x")
    (shop / "README.txt").write_text("Weekly drops.")
    found = checked(shop)
    assert next(file for file in found.files if file.source == "products").unmapped == ("colour",)
    assert [file.name for file in found.unmatched] == ["extra.txt"]
    done = CliRunner().invoke(app, ["provider", "check", str(shop / "corner_shop.yaml"), "--landing", str(shop)])
    assert "not mapped products.csv: colour" in done.output


def test_references_that_match_nothing_are_told(shop: Path) -> None:
    (shop / "stores.csv").write_text(
        "id,area,kind,town\n1,North Texas,LARGE,DALLAS\n2,North Texas,SMALL,DALLAS\n3,Ohio,LARGE,Columbus\n4,Ohio,LARGE,Columbus\n"
    )
    remarks = checked(shop).remarks
    assert "1 of 4 stores have no delivery: 4." in remarks
    assert any(sentence.startswith("1 of 2 weather places of stores are not among those of weather_observed: DALLAS.") for sentence in remarks)


def test_a_newest_week_that_is_not_over_is_told(shop: Path) -> None:
    text = (shop / "corner_shop.yaml").read_text()
    (shop / "corner_shop.yaml").write_text(
        text.replace("units_shipped: units}", "units_shipped: units}\n      duplicates: sum").replace(
            "product_id: sku, week: week, units_shipped", "product_id: sku, week: {column: week, clean: week}, units_shipped"
        )
    )
    (shop / "shipments" / "2022-05-09.csv").write_text("id,sku,week,units\n1,A,2022-05-09,18\n3,B,2022-05-10,12\n")
    assert any("the newest week, 2022-05-09, ends on its day 2 (2022-05-10)" in sentence for sentence in checked(shop).remarks)


def test_weeks_without_deliveries_between_others_are_told() -> None:
    weeks = {MONDAY + timedelta(weeks=week): 100.0 for week in range(10) if week not in {4, 5}}
    assert list(gaps("ohio", weeks)) == ["shipments of ohio: 2 of 10 weeks have none, 2024-01-29, 2024-02-05. Is a file missing?"]


@pytest.mark.parametrize("factor", [10, 100, 0.1, 12])
def test_a_week_of_ten_times_its_neighbours_is_told(factor: float) -> None:
    weeks = {MONDAY + timedelta(weeks=week): (500.0 + week) * (factor if week == 7 else 1) for week in range(20)}
    [sentence] = jumps("shipments of ohio", weeks)
    assert f"units in week {MONDAY + timedelta(weeks=7)}" in sentence


def test_a_level_that_changes_for_good_is_told_once() -> None:
    weeks = {MONDAY + timedelta(weeks=week): 500.0 * (12 if week >= 9 else 1) for week in range(20)}
    [sentence] = jumps("shipments of ohio", weeks)
    assert f"from {MONDAY + timedelta(weeks=9)} on. Has the unit changed?" in sentence


def test_seasons_are_no_jumps() -> None:
    weeks = {MONDAY + timedelta(weeks=week): 500.0 * (3 if week % 13 == 0 else 1) for week in range(60)}
    assert list(jumps("shipments of ohio", weeks)) == []


def test_a_folder_that_holds_odd_things_is_told_and_not_a_traceback(shop: Path) -> None:
    os.mkfifo(shop / "shipments" / "pipe.csv")
    (shop / "shipments" / "gone.csv").symlink_to("nowhere.csv")
    (shop / "shipments" / "folder.csv").mkdir()
    found = checked(shop)
    assert {file.name for file in found.refused} == {"shipments/pipe.csv", "shipments/gone.csv", "shipments/folder.csv"}
