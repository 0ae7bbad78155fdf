"""Files whose meaning stands beside them, in their name: what makes such a file new, and what makes it a copy."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from transforms.adapters import load_provider
from transforms.lake.tables import Lake
from transforms.landing import Registration, drop, folder

TakeIn = Callable[..., Registration]
SHIPMENTS = '    - files: "shipments/*.csv"\n      format: csv\n      columns: {store_id: id, product_id: sku, week: week, units_shipped: units}'


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def with_shipments(shop: Path, text: str) -> str:
    """The provider's YAML with other shipments."""
    path = shop / "corner_shop.yaml"
    assert SHIPMENTS in path.read_text()
    path.write_text(path.read_text().replace(SHIPMENTS, text))
    return str(path)


def shipped(lake: Lake) -> set[tuple[str, int]]:
    return {(row["store_id"], row["units_shipped"]) for row in lake.read("bronze/shipments").to_pylist()}


def test_two_regions_whose_files_hold_the_same_are_no_copies(shop: Path, lake: Lake, take_in: TakeIn) -> None:
    """Their stores stand in the names of the files alone: the second counted as a copy of the first, and store 2 had no delivery."""
    text = """
    - files: "by store/*.csv"
      format: csv
      path: "by store/{store}-{n}.csv"
      columns: {store_id: "{store}", product_id: sku, week: week, units_shipped: units}
    """
    provider = load_provider(with_shipments(shop, text))
    (shop / "by store").mkdir()
    for name in ("1-a", "2-a"):
        (shop / "by store" / f"{name}.csv").write_text("sku,week,units\nA,2022-05-02,12\n")
    drop(lake, provider, shop)
    take_in(lake, provider)
    assert shipped(lake) == {("1", 12), ("2", 12)}
    assert {row["status"] for row in lake.read("bronze/landing_files").to_pylist()} == {"accepted"}


HEADERS = """
    - files: "lines/*.csv"
      format: csv
      with: {files: "heads/*.csv", by: invoice, columns: [store, day], format: csv}
      columns: {store_id: store, product_id: sku, week: {column: day, clean: week}, units_shipped: units}
"""


def test_a_corrected_header_makes_its_lines_be_read_again(shop: Path, lake: Lake, take_in: TakeIn) -> None:
    """The lines' own file did not change: with its hash alone the delivery stayed with the wrong store."""
    provider = load_provider(with_shipments(shop, HEADERS))
    for name, text in {
        "heads/1.csv": "invoice,store,day\n1,1,2022-05-03\n2,3,2022-05-03\n",
        "lines/1.csv": "invoice,sku,units\n1,A,12\n2,A,6\n",
    }.items():
        (shop / name).parent.mkdir(exist_ok=True)
        (shop / name).write_text(text)
    drop(lake, provider, shop)
    take_in(lake, provider)
    assert shipped(lake) == {("1", 12), ("3", 6)}
    assert take_in(lake, provider).accepted == []
    (folder(lake, provider) / "heads" / "1.csv").write_text("invoice,store,day\n1,2,2022-05-03\n2,3,2022-05-03\n")
    assert [file.name for file in take_in(lake, provider).accepted] == ["lines/1.csv"]
    assert shipped(lake) == {("2", 12), ("3", 6)}


def test_a_bracket_in_a_name_is_a_bracket_in_its_pattern(shop: Path, lake: Lake, take_in: TakeIn) -> None:
    """`lines [1].csv`, as browsers name a second download, was found by no pattern that says its name, and nor was its lookup."""
    provider = load_provider(with_shipments(shop, HEADERS.replace("lines/*.csv", "lines [1].csv").replace("heads/*.csv", "[erp]/*[1].csv")))
    (shop / "[erp]").mkdir()
    (shop / "[erp]" / "heads [1].csv").write_text("invoice,store,day\n1,1,2022-05-03\n")
    (shop / "lines [1].csv").write_text("invoice,sku,units\n1,A,12\n")
    # These are what the same signs mean in a shell.
    (shop / "lines 1.csv").write_text("invoice,sku,units\n1,B,99\n")
    (shop / "e").mkdir()
    (shop / "e" / "heads 1.csv").write_text("invoice,store,day\n1,2,2022-05-03\n")
    drop(lake, provider, shop)
    take_in(lake, provider)
    assert shipped(lake) == {("1", 12)}


def test_lines_that_came_before_their_header_are_taken_in_with_it(shop: Path, lake: Lake, take_in: TakeIn) -> None:
    provider = load_provider(with_shipments(shop, HEADERS))
    (shop / "lines").mkdir()
    (shop / "lines" / "1.csv").write_text("invoice,sku,units\n1,A,12\n")
    drop(lake, provider, shop)
    [refused] = take_in(lake, provider).refused
    assert refused.message.startswith("lines/1.csv: its rows need a file like 'heads/*.csv', and none is in landing.")
    (folder(lake, provider) / "heads").mkdir()
    (folder(lake, provider) / "heads" / "1.csv").write_text("invoice,store,day\n1,1,2022-05-03\n")
    take_in(lake, provider)
    assert shipped(lake) == {("1", 12)}


def test_lookups_are_looked_for_once_in_a_look_however_many_files_name_them(
    shop: Path, lake: Lake, take_in: TakeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file of lines looked for all files of headers three times or more: 2,000 of both took minutes before anything was read."""
    provider = load_provider(with_shipments(shop, HEADERS))
    for number in range(4):
        for name, text in {"heads": f"invoice,store,day\n{number},1,2022-05-03\n", "lines": f"invoice,sku,units\n{number},A,{number + 1}\n"}.items():
            (shop / name).mkdir(exist_ok=True)
            (shop / name / f"{number}.csv").write_text(text)
    drop(lake, provider, shop)
    looked_for, glob = [], Path.glob

    def counting(path: Path, pattern: str) -> Iterable[Path]:
        looked_for.append(pattern)
        return glob(path, pattern)

    monkeypatch.setattr(Path, "glob", counting)
    for expected in (4, 0):
        looked_for.clear()
        assert len([file for file in take_in(lake, provider).accepted if file.source == "shipments"]) == expected
        assert looked_for.count("heads/*.csv") == 1
