from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from orchestration.lifecycle.retraining import drifted_weeks
from orchestration.project import FILE, Project
from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.lake.tables import Lake
from transforms.monitoring.drift_history import DriftHistory

OHIO, FIRST = Region("ohio"), Week.parse("2022-05-02")


def put(lake: Lake, table: str, *rows: dict[str, object]) -> None:
    """Write a table with these rows; columns that are not given stay empty."""
    contract = CONTRACTS[table]
    data = pa.Table.from_pylist([{name: row.get(name) for name in contract.names} for row in rows], schema=contract.schema)
    if contract.sliced:
        lake.replace(table, SliceBlock((OHIO,), FIRST, FIRST + 10), data)
    else:
        lake.overwrite(table, data)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two stores, two products, four weeks: 10 units each, B only in store 2."""
    lake = Lake(str(tmp_path))
    series = [("1", "A"), ("2", "A"), ("2", "B")]
    shipped = [{"region": "ohio", "store_id": s, "product_id": p, "week": (FIRST + w).monday} for s, p in series for w in range(4)]
    put(lake, "gold/demand", *({**row, "units_shipped": 10, "units_returned": 0, "demand": 10} for row in shipped))
    put(lake, "silver/stores", *({"store_id": s, "region": "ohio", "format": "large", "place": "X", "income": 50_000.0} for s in "12"))
    return lake


def test_a_return_counts_in_the_week_it_was_known_in_and_never_later(lake: Lake) -> None:
    in_time, late = FIRST.end - timedelta(days=1), (FIRST + 1).end + timedelta(days=3)
    returned = {"region": "ohio", "store_id": "1", "product_id": "A", "units_returned": 4}
    put(
        lake,
        "silver/returns",
        {**returned, "week": FIRST.monday, "known_at": in_time.replace(tzinfo=UTC)},
        {**returned, "week": (FIRST + 1).monday, "known_at": late.replace(tzinfo=UTC)},
    )
    history = DriftHistory.load(lake, OHIO, FIRST + 3)
    assert history is not None
    assert history.demand[0].tolist() == [6, 10, 10, 10], "weeks long past are of the same vintage as the last one"


def test_prices_hold_from_their_day_and_later_ones_are_unknown(lake: Lake) -> None:
    price = {"product_id": "A", "category": "chips", "case_pack": 1}
    put(
        lake,
        "silver/products",
        {**price, "price": 2.0},
        {**price, "price": 3.0, "valid_from": (FIRST + 2).monday},
        {**price, "price": 9.0, "valid_from": (FIRST + 4).monday},
    )
    history = DriftHistory.load(lake, OHIO, FIRST + 3)
    assert history is not None
    assert history.price[0].tolist() == [2, 2, 3, 3]
    assert np.isnan(history.price[1]).all(), "a product that the list does not name"


def test_promotions_hold_for_what_they_name_if_they_were_known_in_time(lake: Lake) -> None:
    event = {"event": "sale", "kind": "promotion", "days": 7}
    late = datetime(2023, 1, 1, tzinfo=UTC)
    put(
        lake,
        "silver/event_weeks",
        {**event, "week": FIRST.monday, "product_id": "A"},
        {**event, "week": (FIRST + 1).monday, "store_id": "2", "product_id": "B"},
        {**event, "week": (FIRST + 2).monday, "store_id": "2"},
        {**event, "week": (FIRST + 3).monday, "known_at": late},
        {**event, "week": (FIRST + 3).monday, "product_id": "Z"},
        {"event": "Memorial Day", "kind": "public_holiday", "days": 1, "week": (FIRST + 3).monday},
    )
    history = DriftHistory.load(lake, OHIO, FIRST + 3)
    assert history is not None
    assert history.promoted.astype(int).tolist() == [[1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]]
    assert history.holidays.tolist() == ["", "", "", "Memorial Day"]


def test_the_past_is_read_as_it_was_cut_off(lake: Lake) -> None:
    whole, before = DriftHistory.load(lake, OHIO, FIRST + 3), DriftHistory.load(lake, OHIO, FIRST + 1)
    assert whole is not None
    assert before is not None
    cut = whole.until(FIRST + 1)
    for name, values in vars(before).items():
        if isinstance(values, np.ndarray):
            np.testing.assert_array_equal(values, getattr(cut, name), err_msg=name)


def test_a_week_without_deliveries_has_nothing_to_watch(lake: Lake) -> None:
    assert DriftHistory.load(lake, OHIO, FIRST + 4) is None


def test_training_looks_at_weeks_in_which_any_column_drifted(lake: Lake) -> None:
    row = {"region": "ohio", "method": "d", "score": 1.0, "threshold": 1.0}
    put(
        lake,
        "gold/drift",
        *({**row, "week": FIRST.monday, "column": name, "drifted": False} for name in ("demand", "price")),
        *({**row, "week": (FIRST + 1).monday, "column": name, "drifted": name == "price"} for name in ("demand", "price", "income", "format")),
        {**row, "week": (FIRST + 3).monday, "column": "demand", "drifted": True},
    )
    assert drifted_weeks(lake, OHIO, FIRST + 2) == [FIRST + 1]


def test_a_project_file_of_before_is_read_without_the_limit_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("provider: sample\ndrift_share: 0.3\n")
    assert "drift_share" not in Project.load(tmp_path).model_dump()
