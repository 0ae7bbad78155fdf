"""Line numbers that start again in another file: no line is lost, and none is taken for another one's correction."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from transforms.adapters import ProviderSpec, load_provider
from transforms.errors import ConfigurationError
from transforms.lake.tables import Lake
from transforms.landing import Registration, folder, refused_files

TakeIn = Callable[[Lake, ProviderSpec], Registration]
MONDAY, NEXT = "2022-05-02", "2022-05-09"


def shop_of(shop: Path, **rest: object) -> ProviderSpec:
    """The corner shop with deliveries as lines that have numbers."""
    spec = yaml.safe_load((shop / "corner_shop.yaml").read_text())
    columns = {"store_id": "id", "product_id": "sku", "week": "week", "units_shipped": "units"}
    spec["sources"]["shipments"] = [{"files": "shipments/*.csv", "format": "csv", "duplicates": "sum", "line_id": "line", "columns": columns, **rest}]
    (shop / "lines.yaml").write_text(yaml.safe_dump(spec))
    return load_provider(str(shop / "lines.yaml"))


@pytest.fixture
def provider(shop: Path) -> ProviderSpec:
    return shop_of(shop)


@pytest.fixture
def lake(tmp_path: Path, shop: Path, provider: ProviderSpec) -> Lake:
    from transforms.landing import drop

    for path in (shop / "shipments").iterdir():
        path.unlink()
    put(shop, "a", f"1,1,A,{MONDAY},6", f"2,2,B,{MONDAY},12", f"3,3,A,{MONDAY},18")
    lake = Lake(str(tmp_path / "lake"))
    drop(lake, provider, shop)
    return lake


def put(top: Path, name: str, *lines: str, header: str = "line,id,sku,week,units") -> None:
    (top / f"shipments/{name}.csv").write_text("\n".join([header, *lines, ""]))


def total(lake: Lake) -> int:
    return sum(lake.read("bronze/shipments")["units_shipped"].to_pylist())


def test_numbers_that_start_again_in_a_second_file_are_held_and_nothing_is_lost(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    """The second file's lines 1, 2 and 3 took those of the first away: 36 units were 24, and nobody was told."""
    take_in(lake, provider)
    put(folder(lake, provider), "b", f"1,2,A,{NEXT},6", f"2,3,B,{NEXT},6", f"3,1,B,{NEXT},12", f"4,1,A,{NEXT},6")
    [held] = take_in(lake, provider).refused
    assert held.message == (
        "shipments/b.csv: held, since 3 of the 3 line numbers (line) that shipments/a.csv holds too stand for other lines there, the first being 1 "
        "(store_id 2, product_id A, week 2022-05-09 here, store_id 1, product_id A, week 2022-05-02 there): a number counts in one file alone, so "
        "that those lines would be lost. Numbers that start again tell no line apart: name what they start again with under 'line_id' too, like "
        "[order, line], or a part of the file's name that 'path' tells, like [\"{day}\", line]. If this file corrects those lines, name it under "
        "'counted'."
    )
    assert total(lake) == 36


def test_numbers_that_start_again_for_the_same_stores_in_another_week_are_held(lake: Lake, provider: ProviderSpec, take_in: TakeIn) -> None:
    take_in(lake, provider)
    put(folder(lake, provider), "b", f"1,1,A,{NEXT},6", f"2,2,B,{NEXT},12", f"3,3,A,{NEXT},12")
    assert [notice.source_file for notice in take_in(lake, provider).refused] == ["shipments/b.csv"]
    assert total(lake) == 36


def test_a_held_file_counts_with_what_its_name_tells_in_the_number(lake: Lake, shop: Path, provider: ProviderSpec, take_in: TakeIn) -> None:
    take_in(lake, provider)
    put(folder(lake, provider), "b", f"1,2,A,{NEXT},6", f"2,3,B,{NEXT},6")
    take_in(lake, provider)
    named = shop_of(shop, line_id=["{file}", "line"], path="shipments/{file}.csv")
    assert take_in(lake, named).refused == []
    assert total(lake) == 36 + 12
    # A line is corrected by the file that it stands in.
    put(folder(lake, provider), "b", f"1,2,A,{NEXT},12", f"2,3,B,{NEXT},6")
    take_in(lake, named)
    assert total(lake) == 36 + 18


def test_a_file_that_corrects_other_lines_of_the_same_numbers_counts_when_the_yaml_says_so(lake: Lake, shop: Path, take_in: TakeIn) -> None:
    provider = shop_of(shop, counted=["shipments/b.csv"])
    take_in(lake, provider)
    put(folder(lake, provider), "b", f"1,2,A,{NEXT},12")
    assert take_in(lake, provider).refused == []
    assert total(lake) == 36 - 6 + 12


@pytest.mark.parametrize(
    "lines",
    [
        [f"3,3,A,{MONDAY},6"],
        [f"3,3,A,{NEXT},18"],
        [f"3,3,B,{MONDAY},18", f"1,1,A,{MONDAY},6"],
        [f"1,1,A,{MONDAY},7", f"2,2,B,{MONDAY},7", f"3,3,A,{MONDAY},7"],
        [f"4,1,A,{MONDAY},6", f"5,2,B,{NEXT},6"],
    ],
)
def test_corrected_lines_and_new_ones_are_taken(lake: Lake, provider: ProviderSpec, take_in: TakeIn, lines: list[str]) -> None:
    take_in(lake, provider)
    put(folder(lake, provider), "b", *lines)
    assert take_in(lake, provider).refused == []
    assert refused_files(lake, provider) == []


def test_lines_that_are_numbered_within_their_order_are_told_apart_by_both(lake: Lake, shop: Path, take_in: TakeIn) -> None:
    """1 of order 23 and 11 of order 2 are two lines, whatever signs stand between."""
    top, header = folder(lake, shop_of(shop)), "order,line,id,sku,week,units"
    put(top, "a", f"23,1,1,A,{MONDAY},6", f"2,31,2,B,{MONDAY},6", f"23,2,1,A,{MONDAY},6", f"23,2,1,A,{MONDAY},6", header=header)
    put(top, "b", f"24,1,1,A,{MONDAY},6", f"24,2,2,B,{MONDAY},6", header=header)
    assert take_in(lake, shop_of(shop, line_id=["order", "line"])).refused == []
    assert total(lake) == 5 * 6


def test_a_line_of_which_a_part_of_its_number_is_missing_is_in_quarantine(lake: Lake, shop: Path, take_in: TakeIn) -> None:
    top = folder(lake, shop_of(shop))
    put(top, "a", f"23,1,1,A,{MONDAY},6", f",1,2,B,{MONDAY},6", f"24,1,2,B,{MONDAY},6", header="order,line,id,sku,week,units")
    take_in(
        lake,
        shop_of(
            shop,
            line_id=["order", "line"],
        ),
    )
    assert [row["rule"] for row in lake.read("bronze/quarantine").to_pylist()] == ["line_id: the line's number"]


@pytest.mark.parametrize("line_id", [[], "{day}", ["line", "{day}"]])
def test_a_line_number_of_nothing_or_of_what_no_name_tells_is_refused(shop: Path, line_id: object) -> None:
    with pytest.raises(ConfigurationError, match="line_id"):
        shop_of(shop, line_id=line_id)
