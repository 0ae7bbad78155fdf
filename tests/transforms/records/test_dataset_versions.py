"""Versions of a region's data: what a region may be called, and what stays on record when tables get more columns."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from transforms.calendar import Region, SliceBlock, Week
from transforms.contracts import CONTRACTS
from transforms.contracts.life_cycle import DATASET_VERSIONS
from transforms.lake.tables import Lake
from transforms.records.audit import verify_data
from transforms.records.data_checks import Limits, data_checks
from transforms.records.dataset_versions import decide, log, record, usable

OHIO, WEEK = Region("ohio"), Week.parse("2022-05-02")


@pytest.mark.parametrize("name", ["region_4", "my_region", "region"])
def test_a_region_whose_key_holds_the_word_region_has_a_version_to_train_on(tmp_path: Path, name: str) -> None:
    lake, now = Lake(str(tmp_path)), datetime(2022, 5, 12, tzinfo=UTC)
    row = {"region": name, "dataset_version": f"{name}-1", "last_week": WEEK.monday, "rows": 1, "delta_versions": "{}", "checks": "[]"}
    rows = [{**row, "run_id": "run", "recorded_at": now}, {**row, "region": "ohio", "dataset_version": "ohio-1", "run_id": "run", "recorded_at": now}]
    lake.append(DATASET_VERSIONS.name, pa.Table.from_pylist(rows, schema=DATASET_VERSIONS.schema))
    [found] = log(lake, [Region(name)])
    decide(lake, found, "approved", "ada", "as agreed", now)
    assert log(lake, []) == []
    assert usable(lake, Region(name), WEEK, "as_known").version == f"{name}-1"


def test_data_of_before_a_column_was_added_are_still_those_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit of every lake of before told that its record is not as it was written, once stores had got a day of closing."""
    lake, now = Lake(str(tmp_path)), datetime(2022, 5, 12, tzinfo=UTC)
    demand, stores = CONTRACTS["gold/demand"], CONTRACTS["silver/stores"]
    sold = {"region": "ohio", "store_id": "1", "product_id": "A", "week": WEEK.monday, "units_shipped": 6, "units_returned": 0, "demand": 6}
    with monkeypatch.context() as before:
        before.setitem(CONTRACTS, stores.name, replace(stores, columns=tuple(c for c in stores.columns if not c.name.startswith("clos"))))
        lake.replace(demand.name, SliceBlock((OHIO,), WEEK, WEEK), pa.Table.from_pylist([sold], schema=demand.schema))
        lake.overwrite(stores.name, pa.Table.from_pylist([dict.fromkeys(stores.names) | {"region": "ohio", "store_id": "1"}], schema=stores.schema))
        [recorded] = record(lake, [OHIO], Limits(), "run", now)
    assert "closed_on" not in lake.stored_columns(stores.name)
    assert verify_data(lake, every=True) == (1, [])
    assert record(lake, [OHIO], Limits(), "run", now) == []
    closing = pa.Table.from_pylist(
        [dict.fromkeys(stores.names) | {"region": "ohio", "store_id": "1", "closed_on": WEEK.monday}], schema=stores.schema
    )
    lake.overwrite(stores.name, closing)
    [later] = record(lake, [OHIO], Limits(), "run", now)
    assert later.version != recorded.version
    assert verify_data(lake, every=True) == (2, [])


def test_of_weeks_that_are_equally_far_out_the_checks_name_the_newest(tmp_path: Path) -> None:
    """Which one was named was chance, and two conditionings of the same files left different rows on record."""
    lake, demand = Lake(str(tmp_path)), CONTRACTS["gold/demand"]
    weeks = [WEEK + number for number in range(30)]
    rows = [
        {"region": "ohio", "store_id": str(store), "product_id": "A", "week": week.monday, "units_shipped": 6, "units_returned": 0, "demand": 6}
        for week in weeks
        for store in range(3)
    ]
    lake.replace(demand.name, SliceBlock((OHIO,), weeks[0], weeks[-1]), pa.Table.from_pylist(rows, schema=demand.schema))
    details = {check.name: check.detail for check in data_checks(lake, None, OHIO, weeks[-1], Limits())}
    for name in ("weekly volume ratio", "share of stores", "share of jumps"):
        assert details[name].startswith(f"week {weeks[-1]}"), details
