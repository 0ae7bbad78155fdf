"""Files that get another name or the content of another file: their rows count once, and what they say last holds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transforms.adapters import ProviderSpec, load_provider
from transforms.lake.tables import Lake
from transforms.landing import Registration, drop, folder

HEADER = "id,sku,week,units\n"
RETURNS = "id,sku,week,units,reported\n"


def written(units: int) -> str:
    """A week of six deliveries, the first of which has so many units."""
    lines = [f"{store},{product},2022-05-02,{6 * number}\n" for number, (store, product) in enumerate([(s, p) for s in "123" for p in "AB"], 1)]
    return HEADER + f"1,A,2022-05-02,{units}\n" + "".join(lines[1:])


@pytest.fixture(params=["refuse", "sum"])
def provider(shop: Path, request: pytest.FixtureRequest) -> ProviderSpec:
    """The corner shop, by deliveries that replace each other and by such that add up."""
    path = shop / "corner_shop.yaml"
    path.write_text(path.read_text().replace("units_shipped: units}", f"units_shipped: units}}\n      duplicates: {request.param}"))
    return load_provider(str(path))


@pytest.fixture
def lake(tmp_path: Path, shop: Path, provider: ProviderSpec, take_in: Callable[..., Registration]) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    for path in (shop / "shipments").iterdir():
        path.unlink()
    (shop / "shipments" / "a.csv").write_text(written(6))
    drop(lake, provider, shop)
    take_in(lake, provider)
    return lake


def deliveries(lake: Lake) -> tuple[int, int]:
    """Rows in bronze, and units."""
    rows = lake.read("bronze/shipments")["units_shipped"].to_pylist()
    return len(rows), sum(rows)


def test_a_renamed_file_is_corrected_under_its_new_name(lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]) -> None:
    """The rows under the old name, whose copy was gone, were asked for again: every run stopped."""
    landing = folder(lake, provider)
    (landing / "shipments/a.csv").rename(landing / "shipments/b.csv")
    take_in(lake, provider)
    (landing / "shipments/b.csv").write_text(written(60))
    assert not take_in(lake, provider).refused
    assert deliveries(lake) == (6, 180)


def test_a_file_that_gets_its_first_name_back_is_corrected_under_it(lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]) -> None:
    landing = folder(lake, provider)
    for old, new in (("a", "b"), ("b", "a")):
        (landing / f"shipments/{old}.csv").rename(landing / f"shipments/{new}.csv")
        take_in(lake, provider)
    assert deliveries(lake) == (6, 126)
    (landing / "shipments/a.csv").write_text(written(60))
    take_in(lake, provider)
    assert deliveries(lake) == (6, 180)


@pytest.mark.parametrize("provider", ["sum"], indirect=True)
def test_the_file_of_before_a_renaming_is_held_when_it_comes_back_beside_the_corrected_one(
    lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    landing = folder(lake, provider)
    (landing / "shipments/a.csv").rename(landing / "shipments/b.csv")
    take_in(lake, provider)
    (landing / "shipments/b.csv").write_text(written(60))
    take_in(lake, provider)
    (landing / "shipments/a.csv").write_text(written(6))
    assert [told.source_file for told in take_in(lake, provider).refused] == ["shipments/a.csv"]
    assert deliveries(lake) == (6, 180)


def test_a_week_that_was_overwritten_by_another_by_mistake_comes_back_with_its_file(
    lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    """The other week's file had been cleared away, and speaks again."""
    landing, other = folder(lake, provider), "1,A,2022-05-09,12\n"
    (landing / "shipments/b.csv").write_text(HEADER + other)
    take_in(lake, provider)
    (landing / "shipments/a.csv").unlink()
    (landing / "shipments/b.csv").write_text(written(6))
    take_in(lake, provider)
    assert deliveries(lake) == (6, 126)
    (landing / "shipments/b.csv").write_text(HEADER + other.replace("12", "18"))
    take_in(lake, provider)
    assert deliveries(lake) == (7, 144)


def test_a_file_that_says_now_what_another_one_says_keeps_nothing_of_before(
    lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]
) -> None:
    """Returns that were corrected to none stayed, because another file held the header alone too."""
    landing = folder(lake, provider)
    kept = (landing / "returns/2022-05-09.csv").read_text()
    (landing / "returns/2022-05-16.csv").write_text(RETURNS)
    take_in(lake, provider)
    for text, rows in ((RETURNS, 0), (kept, 1), (RETURNS, 0)):
        (landing / "returns/2022-05-09.csv").write_text(text)
        noticed = [told.message for told in take_in(lake, provider).noticed]
        assert lake.read("bronze/returns").num_rows == rows
        assert noticed == [] or "What the file said before holds no longer once that one is taken in." in noticed[0]


def test_a_copy_of_a_file_that_is_refused_takes_nothing_away(lake: Lake, provider: ProviderSpec, take_in: Callable[..., Registration]) -> None:
    landing = folder(lake, provider)
    for name in ("0", "a"):
        (landing / f"shipments/{name}.csv").write_text(HEADER)
        take_in(lake, provider)
        assert deliveries(lake) == (6, 126)
