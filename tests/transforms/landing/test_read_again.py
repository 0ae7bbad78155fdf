"""Files on record that are read again under other settings or against other lists: what stood stays, and the cause is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.landing import (
    Registration,
    drop,
    folder,
    noticed_files,
    pending,
    refused_files,
    register,
)
from transforms.records.data_checks import Limits
from transforms.records.dataset_versions import READ_TABLES, record

NOW = datetime(2022, 5, 19, tzinfo=UTC)

TYPOS = {
    "a date format that no date has": ("week: week,", 'week: {column: week, date_format: "%d.%m.%Y"},'),
    "a column that is not there": ("units_shipped: units}", "units_shipped: unit}"),
    "a filter that no row passes": ('"shipments/*.csv"\n', '"shipments/*.csv"\n      rows: {column: id, starting_with: X}\n'),
    "another delimiter": ('"shipments/*.csv"\n      format: csv', '"shipments/*.csv"\n      format: csv\n      delimiter: ";"'),
}


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    return load_provider(str(shop / "corner_shop.yaml"))


@pytest.fixture
def lake(tmp_path: Path, shop: Path, provider: ProviderSpec, take_in: Callable[..., Registration]) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    drop(lake, provider, shop)
    take_in(lake, provider)
    return lake


def contents(lake: Lake, *tables: str) -> dict[str, list[dict[str, object]]]:
    return {table: sorted(lake.read(f"bronze/{table}").to_pylist(), key=str) for table in tables}


def edited(shop: Path, old: str, new: str) -> ProviderSpec:
    text = (shop / "corner_shop.yaml").read_text()
    assert old in text
    (shop / "edited.yaml").write_text(text.replace(old, new, 1))
    return load_provider(str(shop / "edited.yaml"))


@pytest.mark.parametrize("typo", TYPOS)
def test_a_typo_in_the_yaml_of_files_on_record_takes_no_row_out_of_bronze(
    typo: str, lake: Lake, shop: Path, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    before = contents(lake, "shipments", "returns")
    broken = edited(shop, *TYPOS[typo])
    found = take_in(lake, broken)
    assert pending(lake, broken) == {}
    assert contents(lake, "shipments", "returns") == before
    assert [refused.source_file for refused in found.refused] == ["shipments/2022-05-02.csv", "shipments/2022-05-09.csv"]
    assert refused_files(lake, broken) == found.refused
    assert all(
        refused.message.endswith(
            " It was accepted with other settings before: its rows of then stay until it is read without this fault. Correct the provider YAML, or the file."
        )
        for refused in found.refused
    )
    take_in(lake, provider)
    assert refused_files(lake, provider) == []
    assert pending(lake, provider) == {}
    assert contents(lake, "shipments", "returns") == before


def test_what_no_filter_lets_pass_stays_when_other_files_touch_its_weeks_and_lists_change(
    lake: Lake, shop: Path, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    """The files counted as accepted, with nothing told, and their rows went when the next file of their week landed."""
    before = contents(lake, "shipments")["shipments"]
    broken = edited(shop, *TYPOS["a filter that no row passes"])
    take_in(lake, broken)
    landing = folder(lake, provider)
    (landing / "stores.csv").write_text((landing / "stores.csv").read_text() + "X4,Ohio,LARGE,Columbus\n")
    (landing / "shipments/x.csv").write_text("id,sku,week,units\nX4,A,2022-05-02,6\n")
    take_in(lake, broken)
    assert len(refused_files(lake, broken)) == 2
    now = contents(lake, "shipments")["shipments"]
    assert [row for row in now if row["store_id"] != "X4"] == before
    assert len(now) == len(before) + 1


def test_a_file_that_serves_no_store_any_more_leaves_its_weeks(
    lake: Lake, shop: Path, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    landing = folder(lake, provider)
    (landing / "stores.csv").write_text((landing / "stores.csv").read_text().replace("Dallas", "Waco"))
    take_in(lake, provider)
    assert contents(lake, "weather_forecast") == {"weather_forecast": []}
    assert pending(lake, provider) == {}


def test_a_first_file_of_which_a_filter_takes_nothing_is_told(tmp_path: Path, shop: Path) -> None:
    broken, lake = edited(shop, *TYPOS["a filter that no row passes"]), Lake(str(tmp_path / "filtered"))
    drop(lake, broken, shop)
    assert [told.message for told in register(lake, broken, NOW).noticed] == [
        "None of its 3 rows is of shipments: see 'rows' in the provider YAML.",
        "None of its 2 rows is of shipments: see 'rows' in the provider YAML.",
    ]


def test_a_typo_in_the_yaml_of_the_stores_leaves_stores_and_facts(lake: Lake, shop: Path, take_in: Callable[..., Registration]) -> None:
    before = contents(lake, "shipments", "stores")
    broken = edited(shop, "clean: lower}, place: town", "clean: upper}, place: town")
    take_in(lake, broken)
    assert contents(lake, "shipments", "stores") == before
    assert [refused.source_file for refused in refused_files(lake, broken)] == ["stores.csv"]


def test_a_corrected_file_speaks_although_the_version_before_was_refused_when_it_was_read_again(
    lake: Lake,
    shop: Path,
    provider: ProviderSpec,
    take_in: Callable[..., Registration],
) -> None:
    take_in(lake, edited(shop, *TYPOS["a date format that no date has"]))
    path = folder(lake, provider) / "shipments/2022-05-02.csv"
    path.write_text(path.read_text().replace("1,A,2022-05-02,12", "1,A,2022-05-02,60"))
    take_in(lake, provider)
    units = lake.read("bronze/shipments", where="store_id = '1' and week = date '2022-05-02'")["units_shipped"].to_pylist()
    assert units == [60]
    assert refused_files(lake, provider) == []


def test_demand_without_a_row_makes_no_version_of_the_data(tmp_path: Path) -> None:
    lake, block = Lake(str(tmp_path / "empty")), SliceBlock((Region("ohio"),), Week.parse("2022-05-02"), Week.parse("2022-05-09"))
    for table in READ_TABLES:
        empty = CONTRACTS[table].schema.empty_table()
        lake.replace(table, block, empty) if CONTRACTS[table].sliced else lake.overwrite(table, empty)
    assert record(lake, [Region("ohio")], Limits(), "run", NOW) == []


LISTS = {
    "stores.csv": ("stores", "2,North Texas,SMALL,Dallas\n", "Store 2 is no longer in the list of stores"),
    "products.csv": ("products", "B,12,1.00\n", "Product B is no longer in the list of products"),
}


@pytest.mark.parametrize("name", LISTS)
def test_what_leaves_its_list_keeps_its_last_row_and_its_history(
    name: str, lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    source, line, message = LISTS[name]
    before = contents(lake, "shipments", "returns")
    listed = {next(iter(row.values())) for row in lake.read(f"bronze/{source}").to_pylist()}
    path = folder(lake, provider) / name
    path.write_text(path.read_text().replace(line, ""))
    found = take_in(lake, provider)
    assert contents(lake, "shipments", "returns") == before
    assert {next(iter(row.values())) for row in lake.read(f"bronze/{source}").to_pylist()} == listed
    assert refused_files(lake, provider) == []
    assert [(notice.source_file, notice.message) for notice in found.noticed] == [
        (name, f"{message}: it stays with its last known row, and its history with it. If the file was cut off, drop it again whole.")
    ]
    assert noticed_files(lake, provider) == found.noticed


def test_deliveries_to_a_store_that_left_its_list_are_still_taken_in(
    lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    path = folder(lake, provider) / "stores.csv"
    path.write_text(path.read_text().replace("2,North Texas,SMALL,Dallas\n", ""))
    take_in(lake, provider)
    (folder(lake, provider) / "shipments/2022-05-16.csv").write_text("id,sku,week,units\n1,A,2022-05-16,6\n2,B,2022-05-16,6\n")
    take_in(lake, provider)
    assert lake.read("bronze/shipments", where="week = date '2022-05-16'")["store_id"].to_pylist() == ["1", "2"]
    assert lake.read("bronze/quarantine").num_rows == 0


def test_a_store_that_was_never_delivered_to_leaves_with_its_line(lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]) -> None:
    path = folder(lake, provider) / "stores.csv"
    good = path.read_text()
    for text in (good + "77,Ohio,SMALL,Columbus\n", good):
        path.write_text(text)
        take_in(lake, provider)
    assert lake.read("bronze/stores").num_rows == 3


def test_a_store_that_moves_to_another_file_counts_once(lake: Lake, shop: Path, take_in: Callable[..., Registration]) -> None:
    provider = edited(shop, "files: stores.csv", 'files: "stores*.csv"')
    top = folder(lake, provider)
    header, line = "id,area,kind,town\n", "2,North Texas,SMALL,Dallas\n"
    (top / "stores.csv").write_text((top / "stores.csv").read_text().replace(line, ""))
    take_in(lake, provider)
    (top / "stores_2.csv").write_text(header + line.replace("SMALL", "LARGE"))
    take_in(lake, provider)
    rows = lake.read("bronze/stores").sort_by("store_id").to_pylist()
    assert [(row["store_id"], row["format"], row["source_file"]) for row in rows] == [
        ("1", "large", "stores.csv"), ("2", "large", "stores_2.csv"), ("3", "large", "stores.csv"),
    ]  # fmt: skip


def test_a_lake_of_before_a_column_was_added_to_stores_and_products_is_taken_in_as_ever(
    lake: Lake, provider: ProviderSpec, shop: Path, take_in: Callable[..., Registration]
) -> None:
    """Its copies of the lists lack the column, and every command ended in a traceback."""
    for source, later in (("stores", ["closed_on", "closing_known_at"]), ("products", ["delisted_on", "delisting_known_at"])):
        for path in lake.path("staged", provider.name, source).glob("*.parquet"):
            rows = pq.ParquetFile(path).read()
            pq.write_table(rows.drop_columns([name for name in later if name in rows.column_names]), path)
    (shop / "shipments" / "2022-05-16.csv").write_text("id,sku,week,units\n1,A,2022-05-16,18\n")
    drop(lake, provider, shop)
    assert take_in(lake, provider).refused == []
    assert set(lake.read("bronze/stores", columns="store_id")["store_id"].to_pylist()) == {"1", "2", "3"}
