"""Incidents around what became of each record: rows that vanish between a file and bronze without a word."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.bronze import LANDING_FILES
from transforms.lake.tables import Lake
from transforms.landing import Registration, conservation, drop, folder, ingest, register
from transforms.landing.conservation import SourceTotals

TakeIn = Callable[[Lake, ProviderSpec], Registration]
WEEK = Week.parse("2022-05-02")
TEXAS, OHIO = Region("north_texas"), Region("ohio")
BOTH = SliceBlock((TEXAS, OHIO), WEEK, WEEK + 2)


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    return load_provider(str(shop / "corner_shop.yaml"))


@pytest.fixture
def lake(tmp_path: Path, shop: Path, provider: ProviderSpec) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    drop(lake, provider, shop)
    return lake


def write(lake: Lake, provider: ProviderSpec, name: str, *lines: str) -> None:
    (folder(lake, provider) / name).write_text("\n".join(lines) + "\n")


def totals(lake: Lake, provider: ProviderSpec, source: str = "shipments") -> SourceTotals:
    return next(total for total in conservation(lake, provider).totals if total.source == source)


def messages(lake: Lake, provider: ProviderSpec) -> list[str]:
    return [finding.message for finding in conservation(lake, provider).findings]


def test_every_record_of_a_file_is_accounted_for(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    lines = ["id,sku,week,units", "1,A,2022-05-16,6", "", "1,A,2022-05-16,6", "2,B,2022-05-16,-6", "3,A,2022-05-16,4", "3,B,2022-05-16,4"]
    write(lake, provider, "shipments/2022-05-16.csv", *lines)
    take_in(lake, provider)
    found = totals(lake, provider)
    # Two good files with three and two rows stand beside.
    assert (found.files, found.refused_files, found.uncounted_files) == (3, 0, 0)
    assert (found.records, found.aside) == (7 + 4 + 3, 2 + 1 + 1)
    assert found.ends == {"taken": 3 + 5, "repeated": 1, "skipped": 0, "quarantined": 1, "refused": 0}
    assert messages(lake, provider) == []


def test_records_of_a_file_that_is_refused_whole_are_accounted_for(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    write(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units", "1,A,2022-05-16,many", "2,B,2022-05-16,few")
    write(lake, provider, "shipments/2022-05-23.csv", "id,sku,units", "1,A,6")
    take_in(lake, provider)
    found = totals(lake, provider)
    assert (found.files, found.refused_files, found.uncounted_files) == (4, 2, 1)
    assert (found.records, found.aside, found.ends["refused"]) == (3 + 4 + 3, 3, 2)
    assert messages(lake, provider) == []


def test_a_tampered_count_is_found(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    take_in(lake, provider)
    rows = lake.read(LANDING_FILES.name).to_pylist()
    [row] = [row for row in rows if row["source_file"] == "shipments/2022-05-02.csv"]
    for column, expected in {"rows_taken": "expected 3 rows", "records": "expected 5 records"}.items():
        changed = {**row, column: row[column] + 1, "registered_at": datetime.now(UTC)}
        lake.append(LANDING_FILES.name, pa.Table.from_pylist([changed], schema=LANDING_FILES.schema))
        [message] = messages(lake, provider)
        assert message.startswith(f"shipments/2022-05-02.csv: {expected}"), message


def test_rows_that_are_missing_in_bronze_are_found(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    take_in(lake, provider)
    rows = lake.read("bronze/shipments")
    lake.replace("bronze/shipments", BOTH, rows.filter(pc.not_equal(rows["product_id"], "B")))
    assert messages(lake, provider) == [
        "shipments/2022-05-02.csv: expected 36 units of shipments in bronze, as many as were taken, came 12 in 1 slices that differ, the first being "
        "north_texas 2022-05-02. Materialize bronze_facts for its slices again (bronze_reference for reference data); if that changes nothing, "
        "restore a backup.",
        *messages(lake, provider)[1:],
    ]
    assert len(messages(lake, provider)) == 2
    ingest(lake, provider, [BOTH])
    assert messages(lake, provider) == []
    lake.overwrite("bronze/stores", lake.read("bronze/stores").slice(1))
    assert [message.split(",")[0] for message in messages(lake, provider)] == ["stores.csv: expected 3 rows of stores in bronze"]


def test_what_waits_to_be_taken_in_is_no_loss(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    take_in(lake, provider)
    write(lake, provider, "shipments/2022-05-09.csv", "id,sku,week,units", "1,A,2022-05-09,30", "3,B,2022-05-09,12", "3,A,2022-05-09,6")
    register(lake, provider, datetime(2022, 6, 1, tzinfo=UTC))
    assert messages(lake, provider) == []
    shutil.rmtree(lake.path("staged", provider.name, "shipments"))
    assert messages(lake, provider) == []


def lake_of_lines(shop: Path, tmp_path: Path, *lines: str) -> tuple[ProviderSpec, Lake]:
    """The corner shop with deliveries as lines that have numbers, and these in its only file."""
    yaml = (shop / "corner_shop.yaml").read_text()
    mapped = "columns: {store_id: id, product_id: sku, week: week, units_shipped: units}"
    (shop / "corner_shop.yaml").write_text(yaml.replace(mapped, f"line_id: line\n      duplicates: sum\n      {mapped}"))
    provider, lake = load_provider(str(shop / "corner_shop.yaml")), Lake(str(tmp_path / "lake"))
    for path in (shop / "shipments").iterdir():
        path.unlink()
    (shop / "shipments/a.csv").write_text("\n".join(["line,id,sku,week,units", *lines, ""]))
    drop(lake, provider, shop)
    return provider, lake


def test_a_line_that_several_files_hold_counts_in_the_latest(shop: Path, tmp_path: Path, take_in: TakeIn) -> None:
    provider, lake = lake_of_lines(shop, tmp_path, "x,1,A,2022-05-02,6", "y,1,A,2022-05-02,12", "z,2,B,2022-05-02,12")
    take_in(lake, provider)
    write(lake, provider, "shipments/b.csv", "line,id,sku,week,units", "y,1,A,2022-05-02,18", "w,3,B,2022-05-02,12")
    take_in(lake, provider)
    assert messages(lake, provider) == []
    rows = lake.read("bronze/shipments").to_pylist()
    lake.replace(
        "bronze/shipments", BOTH, pa.Table.from_pylist([{**row, "units_shipped": 7} for row in rows], schema=lake.read("bronze/shipments").schema)
    )
    assert [message.split(",")[0] for message in messages(lake, provider)] == [
        "shipments/a.csv: expected 18 units of shipments in bronze",
        "shipments/b.csv: expected 30 units of shipments in bronze",
    ]


def test_a_file_that_two_mappings_read_is_accounted_for_by_each(shop: Path, tmp_path: Path, take_in: TakeIn) -> None:
    yaml = (shop / "corner_shop.yaml").read_text()
    mapped = '    - files: "shipments/*.csv"\n      format: csv\n      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}\n'
    first, second = (mapped + f"      rows: {{column: sku, {how}: A}}\n" for how in ("starting_with", "not_starting_with"))
    (shop / "corner_shop.yaml").write_text(yaml.replace(mapped, first + second))
    provider, lake = load_provider(str(shop / "corner_shop.yaml")), Lake(str(tmp_path / "lake"))
    drop(lake, provider, shop)
    take_in(lake, provider)
    found = totals(lake, provider)
    assert (found.records, found.aside, found.ends["taken"], found.ends["skipped"]) == (2 * 7, 2 * 2, 5, 5)
    assert messages(lake, provider) == []


def test_a_lake_of_before_records_were_counted_opens_and_goes_on(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    take_in(lake, provider)
    uri, rows = lake.uri(LANDING_FILES.name), lake.read(LANDING_FILES.name)
    shutil.rmtree(uri)
    write_deltalake(uri, rows.drop(["records", "records_aside", "rows_refused"]))
    found = totals(lake, provider)
    assert (found.records, found.uncounted_files, found.ends["taken"]) == (0, 2, 5)
    assert messages(lake, provider) == []
    write(lake, provider, "shipments/2022-05-16.csv", "id,sku,week,units", "1,A,2022-05-16,6")
    take_in(lake, provider)
    found = totals(lake, provider)
    assert (found.records, found.aside, found.uncounted_files, found.ends["taken"]) == (2, 1, 2, 6)


@pytest.mark.parametrize("together", [False, True])
def test_a_line_that_is_corrected_to_another_week_counts_there_alone(together: bool, shop: Path, tmp_path: Path, take_in: TakeIn) -> None:
    provider, lake = lake_of_lines(shop, tmp_path, "x,1,A,2022-05-02,6", "y,1,A,2022-05-02,12")
    if not together:
        take_in(lake, provider)

    def standing() -> dict[str, int]:
        found: dict[str, int] = {}
        for row in lake.read("bronze/shipments").to_pylist():
            found[str(row["week"])] = found.get(str(row["week"]), 0) + row["units_shipped"]
        return found

    write(lake, provider, "shipments/b.csv", "line,id,sku,week,units", "y,1,A,2022-05-09,12", "z,1,A,2022-05-02,6")
    take_in(lake, provider)
    assert standing() == {"2022-05-02": 6 + 6, "2022-05-09": 12}
    assert messages(lake, provider) == []
    # Each week alone, too: what a slice holds does not depend on which slices are taken in with it.
    for week in (WEEK, WEEK + 1):
        ingest(lake, provider, [SliceBlock((TEXAS, OHIO), week, week)])
    assert standing() == {"2022-05-02": 6 + 6, "2022-05-09": 12}
    # Without the correction the line is back where it was.
    write(lake, provider, "shipments/b.csv", "line,id,sku,week,units", "z,1,A,2022-05-02,6")
    take_in(lake, provider)
    assert standing() == {"2022-05-02": 6 + 12 + 6}
    assert messages(lake, provider) == []


def test_a_line_that_stands_twice_in_bronze_is_found(shop: Path, tmp_path: Path, take_in: TakeIn) -> None:
    provider, lake = lake_of_lines(shop, tmp_path, "x,1,A,2022-05-02,6", "y,1,A,2022-05-02,12")
    take_in(lake, provider)
    doubled = lake.read("bronze/shipments")
    write(lake, provider, "shipments/b.csv", "line,id,sku,week,units", "y,1,A,2022-05-09,12")
    take_in(lake, provider)
    lake.replace("bronze/shipments", SliceBlock((TEXAS, OHIO), WEEK, WEEK), doubled)
    [message] = messages(lake, provider)
    assert message.startswith("shipments/a.csv: expected 6 units of shipments in bronze, as many as were taken, came 18 in 1 slices that differ")
