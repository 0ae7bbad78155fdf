"""Files whose meaning stands beside them, in their name: what makes such a file new, and what makes it a copy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transforms.adapters import load_provider
from transforms.lake.tables import Lake
from transforms.landing import Registration, drop

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
