"""Stores, products, weather and events, broken: the rows wait or the file is refused, and nothing that stood is lost."""

import re
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import blocks_of
from transforms.lake.tables import Lake
from transforms.landing import drop, folder, ingest, ingest_reference, pending, refused_files, register

NOW = datetime(2022, 11, 2, tzinfo=UTC)
HOURS = (timedelta(hours=n) for n in count())


def small(text: str, name: str) -> str:
    """The first hundred lines are enough."""
    return "\n".join(text.splitlines()[: 20_000 if name == "stores.csv" else 400]) + "\n"


@pytest.fixture(scope="module")
def drops(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    import duckdb

    source, target = real_data / "iowa_dsd", tmp_path_factory.mktemp("drops")
    for name in ("stores.csv", "products.csv", "zip_demographics.csv", "events.csv", "weather_observed_daily.csv", "weather_forecast_daily.csv"):
        (target / name).write_text(small((source / name).read_text(), name) if "weather" in name else (source / name).read_text())
    lines = f"select * from '{source}/invoice_lines.parquet' where invoice_date between date '2022-05-02' and date '2022-05-15'"
    duckdb.sql(f"copy ({lines}) to '{target}/invoice_lines.parquet' (format parquet)")
    return target


@pytest.fixture
def provider() -> ProviderSpec:
    return load_provider("iowa_dsd")


@pytest.fixture
def lake(tmp_path: Path, drops: Path, provider: ProviderSpec) -> Lake:
    lake = Lake(str(tmp_path))
    drop(lake, provider, drops)
    take_in(lake, provider)
    return lake


def take_in(lake: Lake, provider: ProviderSpec) -> None:
    register(lake, provider, NOW + next(HOURS))
    ingest_reference(lake, provider)
    ingest(lake, provider, blocks_of(pending(lake, provider)))


def shipped(lake: Lake) -> int:
    return int(lake.read("bronze/shipments", columns="sum(units_shipped) as n")["n"][0].as_py())


def cell(text: str, row: int, column: str, value: str) -> str:
    lines = text.split("\n")
    position = lines[0].split(",").index(column)
    cells = lines[row].split(",")
    return "\n".join([*lines[:row], ",".join([*cells[:position], value, *cells[position + 1 :]]), *lines[row + 1 :]])


QUARANTINED = {
    "a store of an unknown format": ("stores.csv", "store_format", "medium", "format: one of 'large', 'small'"),
    "a store without a region": ("stores.csv", "region", "", "region: a value"),
    "a store without a number": ("stores.csv", "store_id", "", "store_id: a value"),
    "a store north of the pole": ("stores.csv", "lat", "141.5", "latitude: 90 or less"),
    "a product without bottles in a case": ("products.csv", "case_pack", "0", "case_pack: 1 or more|case_pack: a quantity"),
    "a product with a negative price": ("products.csv", "bottle_price", "-7", "price: 0 or more"),
    "a price in words": ("products.csv", "bottle_price", "cheap", "price: a number"),
    "a day hotter than any": ("weather_observed_daily.csv", "tmax_f", "999", "tmax_c: 60 or less"),
    "a thermometer that says nothing readable": ("weather_observed_daily.csv", "tmin_f", "cold", "tmin_c: a number"),
    "an observation from the future": ("weather_observed_daily.csv", "date", "2031-01-01", "date: a day before the file arrived"),
    "a forecast without an issue time": ("weather_forecast_daily.csv", "issued_at_et", "", "issued_at: a value"),
}


@pytest.mark.parametrize("name", QUARANTINED)
def test_a_broken_row_waits_and_comes_back_when_it_is_corrected(name: str, lake: Lake, provider: ProviderSpec) -> None:
    file, column, value, rule = QUARANTINED[name]
    before = shipped(lake), {table: lake.read(f"bronze/{table}").num_rows for table in ("stores", "products", "weather_observed", "weather_forecast")}
    path = folder(lake, provider) / file
    good = path.read_text()
    path.write_text(cell(good, 1, column, value))
    take_in(lake, provider)
    broken = lake.read("bronze/quarantine", where=f"source_file = '{file}'").to_pylist()
    assert len(broken) == 1
    assert re.match(rule, broken[0]["rule"]), broken[0]["rule"]
    # Deliveries to a store that waits wait with it: none is lost.
    waiting = lake.read("bronze/quarantine", where="source = 'shipments'").to_pylist()
    lost = before[0] - shipped(lake)
    assert (lost > 0) == bool(waiting)
    path.write_text(good)
    take_in(lake, provider)
    assert lake.read("bronze/quarantine").num_rows == 0
    assert before == (shipped(lake), {table: lake.read(f"bronze/{table}").num_rows for table in before[1]})


def test_renamed_regions_are_refused_and_what_stands_is_kept(lake: Lake, provider: ProviderSpec) -> None:
    before = shipped(lake)
    path = folder(lake, provider) / "stores.csv"
    path.write_text(path.read_text().replace("SIOUX_CITY", "SIOUXLAND"))
    take_in(lake, provider)
    [refused] = refused_files(lake, provider)
    assert "['sioux_city'] have none any more; new are ['siouxland']" in refused.message
    assert "map the new spelling to the old key under 'regions'" in refused.message
    assert shipped(lake) == before


def test_another_spelling_of_a_region_is_the_same_region(lake: Lake, provider: ProviderSpec) -> None:
    before = shipped(lake)
    path = folder(lake, provider) / "stores.csv"
    path.write_text(path.read_text().replace("SIOUX_CITY", " Sioux-City "))
    take_in(lake, provider)
    assert refused_files(lake, provider) == []
    assert shipped(lake) == before


def test_a_store_that_is_listed_twice(lake: Lake, provider: ProviderSpec) -> None:
    path = folder(lake, provider) / "stores.csv"
    good = path.read_text()
    lines = good.rstrip("\n").split("\n")
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    take_in(lake, provider)
    assert lake.read("bronze/quarantine").num_rows == 0
    path.write_text(cell("\n".join([*lines, lines[1]]) + "\n", len(lines), "store_format", "small" if "large" in lines[1] else "large"))
    take_in(lake, provider)
    rules = lake.read("bronze/quarantine", where="source = 'stores'").to_pylist()
    assert [row["rule"] for row in rules] == ["store_id: one row for each store_id"] * 2


def test_weather_of_a_place_that_serves_no_store_is_left_aside_and_counted(lake: Lake, provider: ProviderSpec) -> None:
    path = folder(lake, provider) / "weather_observed_daily.csv"
    path.write_text(cell(path.read_text(), 1, "city", "ATLANTIS"))
    take_in(lake, provider)
    rows = lake.read("bronze/landing_files", where="source = 'weather_observed'").sort_by("registered_at").to_pylist()
    assert rows[-1]["rows_skipped"] >= 1
    assert rows[-1]["rows_quarantined"] == 0


def test_hours_that_daylight_saving_skips_or_repeats_are_converted(lake: Lake, provider: ProviderSpec) -> None:
    """02:30 on 2022-03-13 does not exist in New York and 01:30 on 2022-11-06 is there twice: both become one instant each."""
    path = folder(lake, provider) / "weather_forecast_daily.csv"
    place = path.read_text().split("\n")[1].split(",")[path.read_text().split("\n")[0].split(",").index("city")]
    text = path.read_text()
    for row, (issued, target) in enumerate((("2022-03-13 02:30:00", "2022-03-14"), ("2021-11-07 01:30:00", "2021-11-08")), start=1):
        for column, value in (("issued_at_et", issued), ("target_date", target), ("city", place)):
            text = cell(text, row, column, value)
    path.write_text(text)
    take_in(lake, provider)
    assert lake.read("bronze/quarantine").num_rows == 0
    where = "target_date in (date '2022-03-14', date '2021-11-08')"
    found = lake.read("bronze/weather_forecast", where=where, columns="distinct issued_at").sort_by("issued_at")["issued_at"].to_pylist()
    assert datetime(2022, 3, 13, 7, 30, tzinfo=UTC) in found or datetime(2022, 3, 13, 6, 30, tzinfo=UTC) in found
    assert any(moment.date().isoformat() == "2021-11-07" and moment.hour in {5, 6} for moment in found)


def test_temperatures_in_the_wrong_unit_are_noticed(lake: Lake, provider: ProviderSpec) -> None:
    """Tenths of a degree read as degrees leave the range on most days: the file is refused and what stands is kept."""
    before = lake.read("bronze/weather_observed").num_rows
    path = folder(lake, provider) / "weather_observed_daily.csv"
    lines = path.read_text().rstrip("\n").split("\n")
    position = lines[0].split(",").index("tmax_f")
    path.write_text("\n".join([lines[0], *(",".join([*(c := line.split(","))[:position], "550", *c[position + 1 :]]) for line in lines[1:])]) + "\n")
    take_in(lake, provider)
    [refused] = refused_files(lake, provider)
    assert "column tmax_c: expected 60 or less" in refused.message
    assert "the file is refused whole" in refused.message
    assert lake.read("bronze/weather_observed").num_rows == before
