"""One file that several mappings read, and one content under several names: every row counts once, and what is left aside is told."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from transforms.adapters import ProviderSpec, load_provider
from transforms.calendar import blocks_of
from transforms.lake.tables import Lake
from transforms.landing import (
    Registration,
    drop,
    folder,
    ingest,
    noticed_files,
    pending,
    refused_files,
)


def provider_of(shop: Path, **sources: object) -> ProviderSpec:
    """The corner shop's provider with other mappings for some sources."""
    spec = yaml.safe_load((shop / "corner_shop.yaml").read_text())
    spec["sources"] |= sources
    (shop / "edited.yaml").write_text(yaml.safe_dump(spec))
    return load_provider(str(shop / "edited.yaml"))


def dropped(root: Path, shop: Path, provider: ProviderSpec) -> Lake:
    lake = Lake(str(root / "lake"))
    drop(lake, provider, shop)
    return lake


def mapped(columns: dict[str, object], files: str = "shipments/*.csv", **rest: object) -> dict[str, object]:
    return {"files": files, "format": "csv", "columns": columns, **rest}


EVENTS = {"event": "name", "start_date": "day"}


def test_two_mappings_of_one_file_of_events_both_count(tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    (shop / "events.csv").write_text("name,day,sku,deal\nMemorial Day,2022-05-30,,\nSpring Sale,2022-05-02,A,20 %\n")
    holidays = mapped(EVENTS | {"kind": {"value": "public_holiday"}}, "events.csv", rows={"column": "name", "starting_with": "Memorial"})
    sales = mapped(
        EVENTS | {"kind": {"value": "promotion"}, "product_id": "sku"}, "events.csv", rows={"column": "name", "not_starting_with": "Memorial"}
    )
    provider = provider_of(shop, events=[holidays, sales])
    lake = dropped(tmp_path, shop, provider)
    take_in(lake, provider)
    rows = lake.read("bronze/events").sort_by("event").to_pylist()
    assert [(row["event"], row["kind"], row["product_id"]) for row in rows] == [
        ("Memorial Day", "public_holiday", None), ("Spring Sale", "promotion", "A"),
    ]  # fmt: skip
    [record] = lake.read("bronze/landing_files", where="source = 'events'").to_pylist()
    assert [record[f"rows_{end}"] for end in ("read", "skipped", "taken")] == [4, 2, 2]


WIDE = "id,sku,week,units,extra\n1,A,2022-05-16,6,1\n2,B,2022-05-16,12,\n"
KEYS = {"store_id": "id", "product_id": "sku", "week": "week"}


def wide(shop: Path, **rest: object) -> ProviderSpec:
    """Shipments of which a column holds units, and another one units that were sent after."""
    sent, after = (KEYS | {"units_shipped": units} for units in ({"column": "units"}, {"column": "extra", "default": 0}))
    return provider_of(shop, shipments=[mapped(sent, **rest), mapped(after, **rest)])


def units(lake: Lake) -> list[tuple[str, int]]:
    rows = lake.read("bronze/shipments", where="week = date '2022-05-16'").sort_by("store_id").to_pylist()
    return [(row["store_id"], row["units_shipped"]) for row in rows]


@pytest.fixture
def wide_drop(shop: Path) -> Path:
    for path in (shop / "shipments").iterdir():
        path.unlink()
    (shop / "shipments/wide.csv").write_text(WIDE)
    return shop


def test_two_mappings_of_one_file_of_shipments_add_up_where_files_do(tmp_path: Path, wide_drop: Path, take_in: Callable[..., Registration]) -> None:
    provider = wide(wide_drop, duplicates="sum")
    lake = dropped(tmp_path, wide_drop, provider)
    take_in(lake, provider)
    assert units(lake) == [("1", 7), ("2", 12)]


def test_two_mappings_with_line_numbers_keep_both_parts_of_a_line(tmp_path: Path, wide_drop: Path, take_in: Callable[..., Registration]) -> None:
    (wide_drop / "shipments/wide.csv").write_text("line,id,sku,week,units,extra\nL1,1,A,2022-05-16,6,1\nL2,2,B,2022-05-16,12,\n")
    (wide_drop / "shipments/wide 2.csv").write_text("line,id,sku,week,units,extra\nL1,1,A,2022-05-16,6,1\n")
    provider = wide(wide_drop, duplicates="sum", line_id="line")
    lake = dropped(tmp_path, wide_drop, provider)
    take_in(lake, provider)
    assert sum(number for _, number in units(lake)) == 19


def test_mappings_that_contradict_each_other_are_refused(tmp_path: Path, wide_drop: Path, take_in: Callable[..., Registration]) -> None:
    provider = wide(wide_drop)
    lake = dropped(tmp_path, wide_drop, provider)
    [refused] = take_in(lake, provider).refused
    assert refused.message == (
        "shipments/wide.csv: 2 mappings of source 'shipments' read this file, and they say different things about 2 rows, the first being store_id 1, "
        "product_id A, week 2022-05-16. Let each mapping read other rows ('rows' in the provider YAML), or set 'duplicates: sum' if they add up."
    )


def test_patterns_that_overlap_read_a_file_once(tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    columns: dict[str, object] = KEYS | {"units_shipped": "units"}
    provider = provider_of(shop, shipments=[mapped(columns, duplicates="sum"), mapped(columns, "shipments/2022*.csv", duplicates="sum")])
    lake = dropped(tmp_path, shop, provider)
    take_in(lake, provider)
    assert sum(lake.read("bronze/shipments")["units_shipped"].to_pylist()) == 72


def test_a_row_that_breaks_both_mappings_waits_for_both(tmp_path: Path, wide_drop: Path, take_in: Callable[..., Registration]) -> None:
    (wide_drop / "shipments/wide.csv").write_text(WIDE + "3,A,2022-05-16,6,1\n99,A,2022-05-16,6,1\n")
    provider = wide(wide_drop, duplicates="sum")
    lake = dropped(tmp_path, wide_drop, provider)
    take_in(lake, provider)
    rows = lake.read("bronze/quarantine").sort_by("reading").to_pylist()
    assert [(row["row"], row["reading"]) for row in rows] == [(4, 1), (4, 2)]


def test_a_copy_under_another_name_is_told_and_counts_once(tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    provider = provider_of(shop, shipments=[mapped(KEYS | {"units_shipped": "units"}, duplicates="sum")])
    lake = dropped(tmp_path, shop, provider)
    take_in(lake, provider)
    before = lake.read("bronze/shipments").to_pylist()
    top = folder(lake, provider) / "shipments"
    (top / "2022-05-09 (1).csv").write_bytes((top / "2022-05-09.csv").read_bytes())
    found = take_in(lake, provider)
    assert [(notice.source_file, notice.message) for notice in found.noticed] == [
        (
            "shipments/2022-05-09 (1).csv",
            "It has the same content as shipments/2022-05-09.csv: it counts once. Remove one of them, or name this one under 'counted' in the "
            "provider YAML if they are two deliveries.",
        )
    ]
    assert noticed_files(lake, provider) == found.noticed
    assert refused_files(lake, provider) == []
    assert lake.read("bronze/shipments").to_pylist() == before
    assert take_in(lake, provider) == Registration()


def test_a_copy_speaks_for_the_file_that_it_outlives(tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    """The copy stays while the first name goes, comes back, and both go: the rows count once at each step."""
    provider = provider_of(shop, shipments=[mapped(KEYS | {"units_shipped": "units"}, duplicates="sum")])
    lake = dropped(tmp_path, shop, provider)
    take_in(lake, provider)
    first, copy = (folder(lake, provider) / "shipments" / name for name in ("2022-05-09.csv", "copy.csv"))
    content = first.read_bytes()

    def counted() -> int:
        take_in(lake, provider)
        assert pending(lake, provider) == {}
        ingest(lake, provider, blocks_of(set(_slices(lake))))
        return int(sum(lake.read("bronze/shipments")["units_shipped"].to_pylist()))

    copy.write_bytes(content)
    assert counted() == 72
    first.unlink()
    assert counted() == 72
    first.write_bytes(content)
    assert counted() == 72
    first.unlink()
    copy.unlink()
    assert counted() == 72


def _slices(lake: Lake) -> list[object]:
    from transforms.calendar import Region, Slice, Week

    rows = lake.read("bronze/landing_slices", columns="distinct region, week").to_pylist()
    return [Slice(Region(row["region"]), Week(row["week"])) for row in rows]


@pytest.mark.parametrize("source", ["returns", "events"])
def test_a_file_without_a_byte_says_that_nothing_came_back(source: str, tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    provider = load_provider(str(shop / "corner_shop.yaml"))
    for name in ("2022-05-16.csv", "2022-05-23.csv") if source == "returns" else ():
        (shop / "returns" / name).touch()
    if source == "events":
        (shop / "events.csv").write_text("")
    lake = dropped(tmp_path, shop, provider)
    found = take_in(lake, provider)
    assert found.refused == []
    names = ["returns/2022-05-16.csv", "returns/2022-05-23.csv"] if source == "returns" else ["events.csv"]
    assert [(told.source_file, told.message) for told in found.noticed] == [(name, f"It is empty: taken as no {source}.") for name in names]
    assert lake.read("bronze/returns").num_rows == 1
    (folder(lake, provider) / names[0]).write_text(
        "id,sku,week,units,reported\n2,B,2022-05-02,3,2022-05-17 10:00:00\n" if source == "returns" else "name,day\nMemorial Day,2022-05-30\n"
    )
    assert take_in(lake, provider).refused == []
    assert lake.read(f"bronze/{source}").num_rows == (2 if source == "returns" else 1)


@pytest.mark.parametrize(("name", "advice"), [("returns/2022-05-09.csv", "drop the header alone."), ("stores.csv", "Drop the file again.")])
def test_an_empty_file_takes_no_rows_away(name: str, advice: str, tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    provider = load_provider(str(shop / "corner_shop.yaml"))
    lake = dropped(tmp_path, shop, provider)
    take_in(lake, provider)
    before = {table: lake.read(f"bronze/{table}").num_rows for table in ("stores", "shipments", "returns")}
    (folder(lake, provider) / name).write_text("")
    [refused] = take_in(lake, provider).refused
    assert refused.message.startswith(f"{name}: expected ")
    assert refused.message.endswith(advice)
    assert before == {table: lake.read(f"bronze/{table}").num_rows for table in before}


def test_a_copy_that_is_a_delivery_of_its_own_counts_when_the_yaml_says_so(tmp_path: Path, shop: Path, take_in: Callable[..., Registration]) -> None:
    lines = mapped(KEYS | {"units_shipped": "units"}, duplicates="sum")
    provider = provider_of(shop, shipments=[lines])
    lake = dropped(tmp_path, shop, provider)
    top = folder(lake, provider) / "shipments"
    (top / "second truck.csv").write_bytes((top / "2022-05-09.csv").read_bytes())
    take_in(lake, provider)
    both = provider_of(shop, shipments=[lines | {"counted": ["shipments/second*"]}])
    take_in(lake, both)
    assert noticed_files(lake, both) == []
    assert sum(lake.read("bronze/shipments")["units_shipped"].to_pylist()) == 72 + 30
    for path in top.iterdir():
        path.unlink()
    take_in(lake, both)
    ingest(lake, both, blocks_of(set(_slices(lake))))
    assert sum(lake.read("bronze/shipments")["units_shipped"].to_pylist()) == 72 + 30
