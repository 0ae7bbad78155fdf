"""One series at a time, against rows counted by hand."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from dashboard.queries.reader import Reader
from dashboard.queries.scoring import (
    GROUPS,
    actuals,
    forecast_products,
    forecast_regions,
    forecast_stores,
    forecasts,
    kept_parts,
    newest_origin,
    newest_week,
)
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.gold import CONTRIBUTIONS, DEMAND, FORECASTS
from transforms.contracts.silver import SILVER_PRODUCTS, SILVER_STORES
from transforms.features.feature import GROUPS as EXPLAINED
from transforms.lake.tables import Lake

FIRST = date(2024, 6, 3)
OHIO = ("ohio", "S1", "P1")
PARTS = {"reference": 10.0, "level": 4.0, "season": -1.0, "weather": 0.5, "price_and_events": 0.0, "demographics": 0.25, "returns": -0.75}


def demand(region: str, store: str, product: str, weeks: int, shipped: int, returned: int) -> dict[str, object]:
    week = FIRST + timedelta(weeks=weeks)
    return {
        "region": region,
        "store_id": store,
        "product_id": product,
        "week": week,
        "units_shipped": shipped,
        "units_returned": returned,
        "demand": shipped - returned,
    }


def forecast(region: str, store: str, product: str, origin: int, horizon: int, expected: float) -> dict[str, object]:
    made = FIRST + timedelta(weeks=origin)
    return {
        "region": region, "store_id": store, "product_id": product, "origin_week": made, "target_week": made + timedelta(weeks=horizon),
        "horizon": horizon, "format": "large", "mover": "fast", "p_demand": 0.9, "size": expected, "expected": expected, "q10": expected - 1,
        "q50": expected, "q90": expected + 1, "baseline": 1.0, "baseline_size": 1.0, "model_version": "m", "trained_week": made,
        "is_stale": False, "rung": "champion",
    }  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Ohio has two stores, of which one is known by no name; Iowa has the same ids, and other numbers."""
    lake = Lake(str(tmp_path_factory.mktemp("scoring")), {})
    sold = [demand(*OHIO, 0, 12, 2), demand(*OHIO, 2, 6, 0), demand("ohio", "S1", "P2", 4, 6, 0)]
    put(lake, DEMAND.name, Region("ohio"), sold)
    put(lake, DEMAND.name, Region("iowa"), [demand("iowa", "S1", "P1", week, 99, 0) for week in range(6)])
    made = [
        forecast(*OHIO, 2, 2, 7.0),
        forecast(*OHIO, 3, 1, 8.0),
        forecast(*OHIO, 3, 2, 9.0),
        forecast("ohio", "S0", "P9", 3, 1, 1.0),
        forecast("ohio", "S2", "P1", 2, 1, 1.0),
    ]
    put(lake, FORECASTS.name, Region("ohio"), made)
    put(lake, FORECASTS.name, Region("iowa"), [forecast("iowa", "S1", "P1", 5, 1, 99.0)])
    kept = {
        "region": "ohio",
        "store_id": "S1",
        "product_id": "P1",
        "origin_week": FIRST + timedelta(weeks=3),
        "target_week": FIRST + timedelta(weeks=4),
        "expected": 13.0,
    }
    put(lake, CONTRIBUTIONS.name, Region("ohio"), [{**kept, **PARTS}])
    for contract, rows in ((SILVER_STORES, [named("store_id", "S1", "Old", date(2020, 1, 1)), named("store_id", "S1", "Ames", date(2023, 1, 1))]), (SILVER_PRODUCTS, [named("product_id", "P1", "Oat bread", None)])):  # fmt: skip
        lake.overwrite(
            contract.name, pa.Table.from_pylist([{column: row.get(column) for column in contract.names} for row in rows], schema=contract.schema)
        )
    return Reader(lake)


def put(lake: Lake, table: str, region: Region, rows: list[dict[str, object]]) -> None:
    contract = {each.name: each for each in (DEMAND, FORECASTS, CONTRIBUTIONS)}[table]
    block = SliceBlock((region,), Week(FIRST), Week(FIRST) + 8)
    lake.replace(table, block, pa.Table.from_pylist([{name: row.get(name) for name in contract.names} for row in rows], schema=contract.schema))


def named(key: str, id_: str, name: str, since: date | None) -> dict[str, object]:
    return {key: id_, "name": name, "valid_from": since, "region": "ohio", "format": "large", "place": "X"}


def test_a_week_without_a_delivery_counts_as_0_within_the_series_life_and_not_before_it(reader: Reader) -> None:
    sold = actuals(reader, *OHIO, Week(FIRST) + -10, Week(FIRST) + 4)
    assert [(row["week"], row["shipped"], row["demand"]) for row in sold] == [(FIRST + timedelta(weeks=week), shipped, demand) for week, shipped, demand in ((0, 12, 10), (1, 0, 0), (2, 6, 6), (3, 0, 0), (4, 0, 0))]  # fmt: skip
    assert [row["week"] for row in actuals(reader, *OHIO, Week(FIRST) + 3, Week(FIRST) + 4)] == [
        FIRST + timedelta(weeks=3),
        FIRST + timedelta(weeks=4),
    ]
    assert actuals(reader, "ohio", "S1", "P7", Week(FIRST), Week(FIRST) + 4) == []


def test_forecasts_of_a_week_come_from_the_longest_lead_to_the_shortest(reader: Reader) -> None:
    made = forecasts(reader, *OHIO, Week(FIRST) + 4)
    assert [(row["target_week"], row["horizon"], row["expected"]) for row in made] == [
        (FIRST + timedelta(weeks=4), 2, 7.0), (FIRST + timedelta(weeks=4), 1, 8.0), (FIRST + timedelta(weeks=5), 2, 9.0),
    ]  # fmt: skip
    assert len(forecasts(reader, *OHIO, Week(FIRST) + 5)) == 1


def test_pickers_offer_what_has_a_forecast_of_the_newest_origin_by_its_present_name(reader: Reader) -> None:
    assert forecast_regions(reader) == ["iowa", "ohio"]
    origin = newest_origin(reader, "ohio")
    assert origin == Week(FIRST) + 3
    assert list(forecast_stores(reader, "ohio", origin).items()) == [("S1", "Ames"), ("S0", "Store S0")]
    assert forecast_products(reader, "ohio", "S1", origin) == {"P1": "Oat bread"}
    assert forecast_products(reader, "ohio", "S0", origin) == {"P9": "Product P9"}


def test_the_newest_week_is_the_regions_own(reader: Reader) -> None:
    assert (newest_week(reader, "ohio"), newest_week(reader, "iowa")) == (Week(FIRST) + 4, Week(FIRST) + 5)
    assert newest_week(reader, "utah") is None


def test_parts_that_are_kept_add_up_to_the_forecast(reader: Reader) -> None:
    found = kept_parts(reader, *OHIO, FIRST + timedelta(weeks=3), FIRST + timedelta(weeks=4))
    assert found == {**PARTS, "expected": 13.0}
    assert found["reference"] + sum(found[group] for group in GROUPS) == found["expected"]
    assert kept_parts(reader, *OHIO, FIRST + timedelta(weeks=3), FIRST + timedelta(weeks=5)) == {}
    assert GROUPS == EXPLAINED


def test_an_empty_lake_has_no_series_and_no_error(tmp_path: Path) -> None:
    empty = Reader(Lake(str(tmp_path), {}))
    assert forecast_regions(empty) == []
    assert newest_origin(empty, "ohio") is None
    assert newest_week(empty, "ohio") is None
    assert forecast_stores(empty, "ohio", Week(FIRST)) == forecast_products(empty, "ohio", "S1", Week(FIRST)) == {}
    assert actuals(empty, *OHIO, Week(FIRST), Week(FIRST)) == forecasts(empty, *OHIO, Week(FIRST)) == []
    assert kept_parts(empty, *OHIO, FIRST, FIRST) == {}
