"""What can be asked about, against rows counted by hand."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from dashboard.queries.reader import Reader
from dashboard.queries.what_if import planned, region_products, target_weeks
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts.gold import FORECASTS, ORDER_PLAN
from transforms.lake.tables import Lake

ORIGIN = Week(date(2024, 6, 3))


def row(store: str, product: str, ahead: int, origin: Week = ORIGIN) -> dict[str, object]:
    """A forecast and its plan; each row is told apart by what it expects and orders."""
    expected = float(ahead + 10 * int(store[1:]) + 100 * int(product[1:]))
    return {
        "region": "ohio", "store_id": store, "product_id": product, "origin_week": origin.monday, "target_week": origin.monday + timedelta(weeks=ahead),
        "horizon": ahead, "format": "large", "mover": "fast", "p_demand": 0.9, "size": 1.0, "expected": expected, "q10": 1.0, "q50": 1.0, "q90": 1.0,
        "baseline": 1.0, "baseline_size": 1.0, "model_version": "m", "trained_week": origin.monday, "is_stale": False, "rung": "champion",
        "order_quantity": 2 * int(expected), "service_level": 0.8, "expected_returns": 1.0, "expected_lost_sales": 1.0,
    }  # fmt: skip


def test_the_plan_is_summed_over_what_was_chosen_of_the_newest_origin(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path), {})
    for origin in (ORIGIN + -1, ORIGIN):
        rows = [row(store, product, ahead, origin) for store in ("S1", "S2") for product in ("P1", "P2") for ahead in (1, 2)]
        for contract in (FORECASTS, ORDER_PLAN):
            table = pa.Table.from_pylist([{name: one.get(name) for name in contract.names} for one in rows], schema=contract.schema)
            lake.replace(contract.name, SliceBlock((Region("ohio"),), origin, origin), table)
    reader = Reader(lake)
    assert target_weeks(reader, "ohio", ORIGIN) == [date(2024, 6, 10), date(2024, 6, 17)]
    assert planned(reader, "ohio", ORIGIN, date(2024, 6, 10), "", "") == {"expected": 664.0, "ordered": 1328, "lines": 4}
    assert planned(reader, "ohio", ORIGIN, date(2024, 6, 10), "S2", "") == {"expected": 342.0, "ordered": 684, "lines": 2}
    assert planned(reader, "ohio", ORIGIN, date(2024, 6, 17), "S2", "P1") == {"expected": 122.0, "ordered": 244, "lines": 1}
    assert region_products(reader, "ohio", ORIGIN) == {"P1": "Product P1", "P2": "Product P2"}


def test_an_empty_lake_has_nothing_to_ask_about(tmp_path: Path) -> None:
    reader = Reader(Lake(str(tmp_path), {}))
    assert target_weeks(reader, "ohio", ORIGIN) == []
    assert region_products(reader, "ohio", ORIGIN) == {}
    assert planned(reader, "ohio", ORIGIN, date(2024, 6, 10), "", "") == {"expected": 0.0, "ordered": 0, "lines": 0}
